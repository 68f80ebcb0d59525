"""Audio whose samples say which label of a CTC network each frame is, and a network that reads them off."""

import numpy as np
import torch

from streamhmm.acoustic.ctc_model import CtcLayout

RATE, STRIDE, RECEPTIVE = 16000, 320, 400
EDGE = (RECEPTIVE - STRIDE) // 2
FRAME_S, OFFSET_S = STRIDE / RATE, EDGE / RATE
STEP = 256
"""Samples are label / STEP."""
CLEAR = 12.0
LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'")


def layout_of(labels=LETTERS, *, delimiter="|", is_phonetic=False, can_pad=True):
    """A layout with the usual stride, whose labels in angle brackets are special and whose first one is the blank."""
    special = frozenset(column for column, label in enumerate(labels) if label.startswith("<"))
    mark = labels.index(delimiter) if delimiter in labels else None
    return CtcLayout(tuple(labels), 0, mark, special, is_phonetic, RATE, STRIDE, RECEPTIVE, False, can_pad)


def sound(runs, labels=LETTERS):
    """Samples of runs (label, frames)."""
    columns = np.repeat([labels.index(label) for label, _ in runs], [frames for _, frames in runs])
    return np.pad(np.repeat(columns / STEP, STRIDE).astype(np.float32), EDGE, mode="edge")


def runs_of(text, *, frames=2, pause=2):
    """Runs of words, each letter ``frames`` long, and a delimiter among blanks after each word."""
    runs = [("<pad>", 3)]
    for word in text.split():
        for place, letter in enumerate(word):
            if place and letter == word[place - 1]:
                runs.append(("<pad>", 1))
            runs.append((letter, frames))
        runs += [("<pad>", pause), ("|", 1), ("<pad>", pause)]
    return runs


def letters_in(runs):
    """(label, first frame, end) of the runs that are no blanks and no delimiters."""
    found, begin = [], 0
    for label, frames in runs:
        if label not in ("<pad>", "|"):
            found.append((label, begin, begin + frames))
        begin += frames
    return found


def time_of(frames):
    """Seconds at which so many frames end."""
    return frames * FRAME_S + OFFSET_S


class Reader(torch.nn.Module):
    """Logits of the label that the middle of what each frame sees says; as transformers' networks are called."""

    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def forward(self, input_values, attention_mask=None):
        frames = (input_values.shape[1] - RECEPTIVE) // STRIDE + 1
        middles = input_values[:, RECEPTIVE // 2 :: STRIDE][:, :frames]
        columns = (middles * STEP).round().long()
        logits = torch.nn.functional.one_hot(columns, self.labels).to(input_values.dtype) * CLEAR
        return type("Output", (), {"logits": logits})


class SpokenNetwork:
    """A network on a runtime, as ``CtcNetwork`` describes it. ``calls`` are the shapes of what it was given."""

    name, precision, device, reason = "torch", "fp32", torch.device("cpu"), "it is the only one"

    def __init__(self, layout):
        self.layout, self.calls = layout, []
        self._reader = Reader(len(layout.labels))

    def log_posteriors(self, samples, lengths):
        self.calls.append(tuple(samples.shape))
        return self._reader(samples).logits.log_softmax(-1)
