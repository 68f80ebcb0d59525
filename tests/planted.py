"""Acoustic scores that say exactly one thing, so that the right segments are known to the frame."""

import random
from types import SimpleNamespace

import torch

from streamhmm.align.decoding import decode
from streamhmm.align.phone_loop import phone_loop
from streamhmm.text import SILENCE, SpokenWord

FRAME_S = 0.01
CERTAIN, EXCLUDED = -0.01, -12.0


def runs_to_scores(runs, columns):
    """(T, V) log-posteriors in which each (label, frames) of ``runs`` stands out in turn."""
    heard = torch.tensor([columns[label] for label, frames in runs for _ in range(frames)])
    scores = torch.full((len(heard), max(columns.values()) + 1), EXCLUDED)
    scores[torch.arange(len(heard)), heard] = CERTAIN
    return scores


def muffled(scores, runs, columns, labels, beside):
    """The same log-posteriors with the sounds in ``labels`` as in babble: the phones ``beside`` fit them as well."""
    heard = [label in labels for label, frames in runs for _ in range(frames)]
    rows = torch.tensor(heard).nonzero()
    scores[rows, torch.tensor([columns[label] for label in beside])] = CERTAIN
    return scores


def evenly(labels, frames):
    """Runs of equal length of the labels in a string."""
    return [(label, frames) for label in labels.split()]


def reading(sounds, frames, *parts):
    """Runs of a reading: a number is the word with these sounds, a text other sounds, None a pause."""
    runs = []
    for part in parts:
        if part is None:
            runs.append((SILENCE, 30))
        else:
            runs += evenly(sounds[part] if isinstance(part, int) else part, frames)
    return runs


def decode_scores(words, columns, scores, follow=None):
    """What the aligner finds for ``words`` if a network without a prior says ``scores``."""
    model = SimpleNamespace(log_prior=torch.zeros(scores.shape[1]), silence=columns[SILENCE])
    return decode(scores, words, columns, follow, model, phone_loop(scores.shape[1]), "planted")


def segments_of(runs):
    """(label, start, end) in frames of the runs that are not silence."""
    found, begin = [], 0
    for label, frames in runs:
        if label != SILENCE:
            found.append((label, begin, begin + frames))
        begin += frames
    return found


def random_words(rng: random.Random, count):
    """Words whose every phone occurs once, so that only one path fits what is planted; and the columns of all."""
    columns = {SILENCE: 0}

    def pronunciation():
        labels = tuple(f"P{len(columns) + offset}" for offset in range(rng.randint(1, 4)))
        columns.update({label: len(columns) + offset for offset, label in enumerate(labels)})
        return labels

    def reading():
        return tuple(tuple(pronunciation() for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 3)))

    words = [SpokenWord(f"word{index}", tuple(reading() for _ in range(rng.randint(1, 3)))) for index in range(count)]
    return words, columns


def random_runs(rng: random.Random, words, shortest, silence):
    """One way to say ``words``: runs (label, frames) and, for each phone, the index of its word.

    ``shortest`` gives the least frames of a label; ``silence`` is the share of places with a pause.
    """
    runs, indices = [], []

    def pause():
        if rng.random() < silence:
            runs.append((SILENCE, shortest(SILENCE) + rng.randint(0, 9)))

    pause()
    for index, word in enumerate(words):
        for place, alternatives in enumerate(rng.choice(word.readings)):
            if place:
                pause()
            chosen = rng.choice(alternatives)
            runs.extend((label, shortest(label) + rng.choice((0, 0, 1, 7))) for label in chosen)
            indices.extend([index] * len(chosen))
        pause()
    return runs, indices
