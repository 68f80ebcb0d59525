"""Edited readings for the benches: what they say is read, is read there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import streamhmm as sh

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import follow_edits  # noqa: E402
import follow_judge  # noqa: E402
import follow_sounds  # noqa: E402
from follow_edits import RATE, Edit, EditedReading, Reading  # noqa: E402
from truth import load_set  # noqa: E402

WORD_S, MARGIN_S = 0.25, 0.1
WORDS = 9
SENTENCES = 15


@pytest.fixture(scope="module")
def utterances(tmp_path_factory):
    """Sentences of nine words; in word w of sentence s the samples are (9s + w + 1) / 1000."""
    folder = tmp_path_factory.mktemp("truth")
    letters = "abcdefghijklmnopqrstuvwxyz"
    for sentence in range(SENTENCES):
        words, parts = [], [np.zeros(round(MARGIN_S * RATE))]
        for word in range(WORDS):
            start = MARGIN_S + word * WORD_S
            words.append({"text": f"w{letters[sentence]}{letters[word]}", "start": start, "end": start + WORD_S})
            parts.append(np.full(round(WORD_S * RATE), (WORDS * sentence + word + 1) / 1000))
        parts.append(np.zeros(round(MARGIN_S * RATE)))
        soundfile.write(folder / f"v_{sentence:02}.flac", np.concatenate(parts), RATE)
        text = " ".join(word["text"] for word in words) + "."
        content = {"text": text, "words": words, "phones": []}
        (folder / f"v_{sentence:02}.json").write_text(json.dumps(content))
    return follow_edits.usable(load_set(folder))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    path = tmp_path_factory.mktemp("crowd") / "other.flac"
    soundfile.write(path, 0.3 * np.sin(np.arange(RATE)), RATE)
    return [path]


@pytest.mark.parametrize("kind", follow_edits.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_said_to_be_read_is_heard(utterances, crowd, kind, seed):
    edited = follow_edits.edit_reading(utterances, crowd, seed, kinds=[kind], edits=1)
    heard = {label: float(edited.labels.index(label)) for label in edited.labels}
    assert len(heard) == len(edited.labels)
    assert edited.text.replace(".", "").split() == list(edited.labels)
    words, takes = edited.words_of_samples(), edited.takes_of_samples()
    assert len(words) == len(takes) == len(edited.samples)
    levels = {word.label: round(1000 * value) for word, value in _levels(utterances)}
    for reading in edited.readings:
        middle = round((reading.start + reading.end) / 2 * RATE)
        assert round(1000 * edited.samples[middle]) == levels[edited.labels[reading.word]]
        assert (words[middle], takes[middle]) == (reading.word, reading.take)
        assert reading.end - reading.start == pytest.approx(WORD_S)
    assert (words[takes < 0] == -1).all()
    (edit,) = edited.edits
    assert edit.kind == kind
    _check_edit(edited, edit)


def _levels(utterances):
    for utterance in utterances:
        samples, _ = soundfile.read(utterance.audio)
        yield from ((word, samples[round((word.start + word.end) / 2 * RATE)]) for word in utterance.words)


def _check_edit(edited: EditedReading, edit: Edit) -> None:
    order = [reading.word for reading in edited.readings]
    assert edited.skipped == edit.dropped
    assert tuple(reading.word for reading in edited.readings if reading.take) == edit.repeated
    if edit.dropped or edit.repeated:
        assert edit.resumes == edit.start
        assert bool(edit.dropped) != bool(edit.repeated)
    else:
        assert order == list(range(len(edited.labels)))
        silent = edited.words_of_samples()[round(edit.start * RATE) : round(edit.resumes * RATE)]
        assert (silent == -1).all()
    lengths = {
        "word dropped": (1, 1),
        "words dropped": (2, follow_edits.MOST_DROPPED),
        "sentence dropped": (WORDS, WORDS),
        "sentence repeated": (WORDS, WORDS),
        "back to the sentence's start": (2, WORDS - 1),
    }
    low, high = lengths.get(edit.kind, (0, 0))
    assert low <= len(edit.dropped or edit.repeated) <= high
    if edit.kind.startswith(("speech", "babble")):
        assert edit.resumes - edit.start == pytest.approx(follow_edits.INSERTED_S)
    if edit.kind == "long pause":
        assert follow_edits.PAUSES_S[0] <= edit.resumes - edit.start <= follow_edits.PAUSES_S[1]
    within = [r for r in edited.readings if r.start < edit.start][-1].word % WORDS != WORDS - 1
    if "within" in edit.kind:
        assert within
    if "between" in edit.kind or "sentence " in edit.kind:
        assert not within


def test_the_same_seed_gives_the_same_samples(utterances, crowd):
    one, same, other = (follow_edits.edit_reading(utterances, crowd, seed) for seed in (7, 7, 8))
    assert np.array_equal(one.samples, same.samples)
    assert (one.text, one.readings, one.edits) == (same.text, same.readings, same.edits)
    assert not np.array_equal(one.samples, other.samples)
    assert len(one.edits) == 3
    assert all(left.resumes <= right.start for left, right in zip(one.edits, one.edits[1:], strict=False))


def test_a_reading_without_edits(utterances, crowd):
    plain = follow_edits.edit_reading(utterances, crowd, 3, edits=0)
    assert plain.edits == plain.skipped == ()
    assert [reading.word for reading in plain.readings] == list(range(len(plain.labels)))


# What a bench makes of an alignment.

TRUTH = EditedReading(
    "",
    ("a", "b", "c", "d"),
    np.zeros(10 * RATE, np.float32),
    (Reading(0, 0, 0.0, 1.0), Reading(2, 0, 3.0, 3.5), Reading(3, 0, 3.5, 4.0)),
    (Edit("word dropped", 1.0, 1.2, dropped=(1,)),),
)


def alignment(*words, skipped=(), offscript=()):
    segments = tuple(sh.Segment("x", start, end) for _, start, end in words)
    return sh.Alignment(
        segments, (), (), 10.0, word_indices=tuple(w for w, _, _ in words), skipped=skipped, offscript=offscript
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([(0, 0.0, 1.0), (2, 3.0, 3.5), (3, 3.5, 4.0)], (True, 2, 2)),
        ([(2, 2.92, 3.58), (3, 3.58, 4.02)], (True, 2, 2)),
        ([(2, 2.8, 3.5), (3, 3.5, 4.0)], (True, 2, 1)),
        ([(2, 3.0, 3.5), (3, 4.1, 4.5)], (False, 2, 1)),
        ([(1, 3.0, 3.5), (3, 3.5, 4.0)], (False, 2, 1)),
        ([], (False, 2, 0)),
    ],
)
def test_an_edit_is_judged_by_the_words_after_it(words, expected):
    assert follow_judge.outcomes(TRUTH, alignment(*words)) == [follow_judge.Outcome("word dropped", *expected)]


def test_an_edit_with_nothing_after_it_is_not_judged():
    late = EditedReading(TRUTH.text, TRUTH.labels, TRUTH.samples, TRUTH.readings, (Edit("word dropped", 3.5, 3.5),))
    assert follow_judge.outcomes(late, alignment()) == []


def test_counts():
    truth = EditedReading(
        TRUTH.text, TRUTH.labels, TRUTH.samples, TRUTH.readings, (Edit("babble between sentences", 5.0, 7.0),)
    )
    talk = (sh.Segment("<off-script>", 4.5, 6.0), sh.Segment("<off-script>", 8.0, 9.0))
    found = follow_judge.counts(truth, alignment((0, 0.0, 1.0), skipped=(1, 2), offscript=talk))
    assert found == follow_judge.Counts(2, 1, 1, 2.5, 2.0, 1.0)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_sounds_have_the_length_and_the_level_that_is_wanted(crowd, seconds):
    chance = np.random.default_rng(1)
    for samples in (
        follow_sounds.speech(seconds, crowd, chance),
        follow_sounds.babble(seconds, crowd, chance),
        follow_sounds.music(seconds, chance),
        follow_sounds.noise(seconds, chance),
        follow_sounds.hesitation(seconds, chance),
    ):
        assert len(samples) == round(seconds * RATE)
        assert follow_sounds.level(follow_sounds.at_level(samples, 0.02)) == pytest.approx(0.02, rel=1e-3)
