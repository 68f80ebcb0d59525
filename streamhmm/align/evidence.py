"""How well the phones of a path fit the audio, beside what else it might be.

Posteriors given the text are near 1 for any audio. What tells right from wrong is the contrast of the text's path with
the best path of a free phone loop over the same frames (goodness of pronunciation; Witt & Young 2000).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.align.calibration import Calibration
from streamhmm.align.runs import Runs

LOW_CONTRAST = -1.0
"""Nats; a frame below it speaks against the text."""
HURRIED_FRAMES, LONG_FRAMES = 3, 20
"""A wrong text makes phones hurry through what is not theirs and wait for what is."""


class Evidence(NamedTuple):
    """What a calibration judges by.

    Attributes:
        contrast: (T,) score of the text's path less that of the phone loop, nats, at most about 0; T are the frames
            that the path explains by the text and by silence.
        phones: (P, 4) of each phone: mean contrast, mean log-posterior, log of its frames, share of them in which the
            loop has the same phone.
        frames: (P,) frames of each phone.
        pdfs: (P,) its score column.
        words: (P,) index of its word, or of the reading of it where words are read more or less than once.
        speech_in_silence: share of all frames that the path takes for silence and the loop for speech.
        loop_phones, loop_frames: phones that the loop heard, and how long they are together.
    """

    contrast: Tensor
    phones: Tensor
    frames: Tensor
    pdfs: Tensor
    words: Tensor
    speech_in_silence: float
    loop_phones: int
    loop_frames: int


def gather_evidence(
    runs: Runs, words: Tensor, log_posteriors: Tensor, scores: Tensor, loop: Tensor, silence: int
) -> Evidence:
    """Evidence of a path.

    Args:
        runs: the path. What is not in the text has a column beyond V and is left out.
        words: (P,) index of the word, or of its reading, of each phone of the path.
        log_posteriors: (T, V).
        scores: (T, V) or more columns.
        loop: (T,) columns along the best path of the phone loop.
        silence: column of silence.
    """
    in_text = runs.pdfs < log_posteriors.shape[1]
    kept, columns = runs.of_frames(in_text), runs.of_frames(runs.pdfs)
    contrast = (_along(scores, columns) - _along(scores, loop))[kept]
    posterior = _along(log_posteriors, columns.clamp(max=log_posteriors.shape[1] - 1))[kept]
    runs, columns, loop = runs.where(in_text), columns[kept], loop[kept]
    features = torch.stack(
        [
            runs.means(contrast),
            runs.means(posterior),
            runs.frames.double().log(),
            runs.means((loop == columns).double()),
        ],
        dim=1,
    )
    spoken, heard = runs.spoken, loop != silence
    intruding = (runs.of_frames(~spoken) & heard).double().mean()
    loop_phones = torch.unique_consecutive(loop) != silence
    return Evidence(
        contrast,
        features[spoken],
        runs.frames[spoken],
        runs.pdfs[spoken],
        words,
        float(intruding),
        int(loop_phones.sum()),
        int(heard.sum()),
    )


class Judgement(NamedTuple):
    """What a calibration says of evidence.

    Attributes:
        phones, words: (P,) and (W,) probabilities that they are what was spoken.
        doubts: (W,) log-odds against each word if the text as a whole is right.
        text: probability that it is.
    """

    phones: Tensor
    words: Tensor
    doubts: Tensor
    text: float


def judge(evidence: Evidence, calibration: Calibration) -> Judgement:
    """Probabilities by a calibration: in a text that is wrong as a whole hardly any word is right.

    Of a text of which no word is read there is nothing to say: its probability is 0.
    """
    if len(evidence.words) == 0:
        nothing = torch.zeros(0, dtype=torch.float64)
        return Judgement(nothing, nothing, nothing, 0.0)
    logits = phone_logits(evidence, calibration)
    text = calibration.text(text_features(evidence, logits))
    features = word_features(evidence, logits)
    words = calibration.word(with_text(features, text)).sigmoid()
    given = calibration.word(with_text(features, torch.tensor(calibration.right_text, dtype=torch.float64)))
    lowered = (words / given.sigmoid()).clamp(max=1.0)[evidence.words]
    return Judgement(lowered * logits.sigmoid(), words, -given, float(text.sigmoid()))


def with_text(features: Tensor, text: Tensor) -> Tensor:
    """(W, 8) from (W, 7) features of words and the log-odds of their text."""
    return torch.cat([features, text.expand(len(features), 1)], dim=1)


def phone_logits(evidence: Evidence, calibration: Calibration) -> Tensor:
    """(P,) log-odds that a phone is what was spoken."""
    offsets = torch.tensor(calibration.phone_offsets, dtype=torch.float64)
    return calibration.phone(evidence.phones) + offsets[evidence.pdfs]


def word_features(evidence: Evidence, logits: Tensor) -> Tensor:
    """(W, 7) of each word: its phones' log-odds (mean, least, mean by duration), log of their number, the longest one
    (log of its frames), the share of hurried ones, the spread of their durations (of the logs).
    """
    count = int(evidence.words.max()) + 1
    zeros = torch.zeros(count, dtype=torch.float64)
    frames, logs = evidence.frames.double(), evidence.frames.double().log()
    phones = zeros.index_add(0, evidence.words, torch.ones_like(logits))

    def mean(values: Tensor) -> Tensor:
        return zeros.index_add(0, evidence.words, values) / phones

    least = zeros.scatter_reduce(0, evidence.words, logits, "amin", include_self=False)
    longest = zeros.scatter_reduce(0, evidence.words, logs, "amax", include_self=False)
    variance = (mean(logs.square()) - mean(logs).square()).clamp(min=0)
    by_duration = mean(logits * frames) / mean(frames)
    hurried = mean((frames <= HURRIED_FRAMES).double())
    return torch.stack([mean(logits), least, by_duration, phones.log(), longest, hurried, variance.sqrt()], dim=1)


def text_features(evidence: Evidence, logits: Tensor) -> Tensor:
    """(11,) of the whole: mean log-odds of the phones, mean contrast, share of low frames, speech in silence, log of
    the phones' number, their log durations (mean, spread), the shares of hurried and of long ones, log of their number
    beside the loop's and beside the frames of speech.
    """
    frames, logs = evidence.frames, evidence.frames.double().log()
    count = torch.tensor(float(len(logits)), dtype=torch.float64)
    features = [
        logits.mean(),
        evidence.contrast.double().mean(),
        (evidence.contrast < LOW_CONTRAST).double().mean(),
        torch.tensor(evidence.speech_in_silence, dtype=torch.float64),
        count.log(),
        logs.mean(),
        logs.std(correction=0),
        (frames <= HURRIED_FRAMES).double().mean(),
        (frames >= LONG_FRAMES).double().mean(),
        (count / max(1, evidence.loop_phones)).log(),
        (count / max(1, evidence.loop_frames)).log(),
    ]
    return torch.stack(features)


def _along(values: Tensor, columns: Tensor) -> Tensor:
    return values.gather(1, columns[:, None])[:, 0]
