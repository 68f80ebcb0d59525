"""From a text and the log-posteriors of a CTC network to the alignment that users get."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from streamhmm.acoustic.ctc_model import CtcModel
from streamhmm.align.checks import check_noise
from streamhmm.align.ctc_checks import check_ctc, measure_ctc, unwritten
from streamhmm.align.ctc_path import TokenPath, find_tokens
from streamhmm.align.ctc_units import Vocabulary
from streamhmm.align.mismatch import check_durations, check_gaps
from streamhmm.align.results import Alignment, word_segments
from streamhmm.align.unknown import unknown_words
from streamhmm.audio import Audio
from streamhmm.segment import Segment
from streamhmm.tensor_alignment.token_boundaries import reach
from streamhmm.text.letters import UNKNOWN, Spelling


class CtcTask(NamedTuple):
    """A recording and its text in units, ready to be aligned, and warnings so far, the ``doubts``."""

    recording: Audio
    text: str
    spelling: Spelling
    doubts: tuple[str, ...]


def align_ctc(task: CtcTask, log_posteriors: Tensor, model: CtcModel, vocabulary: Vocabulary) -> Alignment:
    """The alignment of a recording with (T, V) log-posteriors.

    The score of a phone is the mean of its token's posteriors in the frames in which it was heard; that of a word the
    mean over the frames of all its tokens. They are the network's own, not calibrated. What has no letters has none.

    Raises:
        AlignmentError: no path of the text fits.
    """
    recording, (script, lacking) = task.recording, task.spelling
    path = find_tokens(log_posteriors, script.words, vocabulary, recording.name)
    phones = _phones(path, log_posteriors, model, vocabulary, recording.duration)
    phone_words = tuple(token.word for token in path.tokens)
    found = word_segments([word.label for word in script.words], phones, phone_words, path.word_posteriors())
    words = tuple(replace(word, score=None) if math.isnan(word.score or 0.0) else word for word in found)
    speech = path.within_words()
    return Alignment(
        words=words,
        phones=phones,
        phone_words=phone_words,
        duration=recording.duration,
        audio=recording.name,
        text=task.text,
        warnings=(
            *(unknown_words(script.unknown) if vocabulary.is_phonetic else unwritten(script.unknown, lacking)),
            *task.doubts,
            *check_noise(recording.samples, speech),
            *check_ctc(words, path, log_posteriors, vocabulary, model),
            *check_durations(words, phone_words),
            *check_gaps(words, recording.duration),
        ),
        word_indices=tuple(range(len(words))),
        takes=(0,) * len(words),
        quality=measure_ctc(path, recording.samples, speech),
    )


def _phones(
    path: TokenPath, log_posteriors: Tensor, model: CtcModel, vocabulary: Vocabulary, duration: float
) -> tuple[Segment, ...]:
    edges = reach(path.firsts, path.ends, path.is_inside, path.frames)
    starts, ends = ((edge * model.frame_s + model.offset_s).clamp(0.0, duration).tolist() for edge in edges)
    heard = zip(path.tokens, path.firsts.tolist(), path.ends.tolist(), strict=True)
    labels = [vocabulary.label(token.unit, log_posteriors[first:end]) for token, first, end in heard]
    scores = [
        None if token.unit == UNKNOWN else score
        for token, score in zip(path.tokens, path.posteriors.tolist(), strict=True)
    ]
    return tuple(map(Segment, labels, starts, ends, scores))
