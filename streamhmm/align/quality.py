"""Figures that tell how well a recording and its text went together, for reports on many files."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.align.calibration import Calibration
from streamhmm.align.checks import CLIPPED_AT, signal_to_noise_db
from streamhmm.align.decoding import Decoding
from streamhmm.align.evidence import Judgement
from streamhmm.align.mismatch import largest_stretch, speaks_against


class Quality(NamedTuple):
    """What there is to suspect in an alignment.

    Attributes:
        log_likelihood: of the path, nats a frame.
        contrast: that less the best path's of any phones, nats a frame, at most about 0; NaN if no word was read.
        text_score: probability that the text as a whole is what was spoken.
        surprise: how rare the least fitting word, stretch of speech and silence are among right texts of this length,
            in powers of ten: 2 is once in a hundred.
        level_db: root mean square below full scale.
        snr_db: speech over pauses, or None where there is too little of either.
        clipped: share of samples at full scale.
    """

    log_likelihood: float
    contrast: float
    text_score: float
    surprise: float
    level_db: float
    snr_db: float | None
    clipped: float


def measure_quality(
    decoding: Decoding,
    judgement: Judgement,
    samples: NDArray[np.float32],
    speech: Tensor,
    frame_s: float,
    calibration: Calibration,
) -> Quality:
    """The figures of one alignment; ``speech`` is (T,) True in words."""
    evidence = decoding.evidence
    path = decoding.scores.gather(1, decoding.runs.of_frames(decoding.runs.pdfs)[:, None])
    return Quality(
        log_likelihood=float(path.double().mean()),
        contrast=float(evidence.contrast.double().mean()) if len(evidence.contrast) else math.nan,
        text_score=judgement.text,
        surprise=max(_surprise_of_words(judgement, calibration), _surprise_of_speech(decoding, frame_s, calibration)),
        level_db=level_db(samples),
        snr_db=signal_to_noise_db(samples, speech.numpy()),
        clipped=clipped_share(samples),
    )


def level_db(samples: NDArray[np.float32]) -> float:
    """Root mean square of (n,) samples below full scale."""
    return 10 * math.log10(float(np.einsum("i,i->", samples, samples, dtype=np.float64)) / len(samples))


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Share of (n,) samples at full scale."""
    clipped = np.count_nonzero(samples >= CLIPPED_AT) + np.count_nonzero(samples <= -CLIPPED_AT)
    return clipped / len(samples)


def _surprise_of_words(judgement: Judgement, calibration: Calibration) -> float:
    if not len(judgement.doubts):
        return 0.0
    share = calibration.word_tail.share(float(judgement.doubts.max()))
    return -math.log10(min(1.0, share * len(judgement.doubts)))


def _surprise_of_speech(decoding: Decoding, frame_s: float, calibration: Calibration) -> float:
    contrast = decoding.evidence.contrast
    stretch = None if decoding.is_free else largest_stretch(speaks_against(contrast))
    if stretch is None:
        return 0.0
    parts = max(1.0, len(contrast) * frame_s / calibration.stretch_s)
    return -math.log10(min(1.0, calibration.stretch_tail.share(stretch[2]) * parts))
