"""How far two fundamental frequency contours lie apart: pitch errors and voicing errors, frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROSS_ERROR = 0.2
"""A pitch that is off by more than this share of the reference's is grossly wrong."""
CENTS_PER_OCTAVE = 1200.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PitchErrors:
    """Errors of a contour; NaN where there is nothing to tell a figure from.

    Attributes:
        frames: that were compared.
        voiced: frames that are voiced on both sides; 0 says that pitch could not be compared.
        reference_voiced, hypothesis_voiced: frames that are voiced there.
        rmse_hz: root of the mean squared difference, over the frames voiced on both sides.
        rmse_cents: the same of 1200 · log₂(hypothesis / reference).
        bias_cents: the mean of that; > 0 is too high.
        log_correlation: Pearson's, of ln F0 over the frames voiced on both sides; NaN for fewer than two frames or a
            constant contour.
        voicing_error_percent: frames, of all, that are voiced on one side only (V/UV error, VDE).
        gross_error_percent: frames, of those voiced on both sides, that are off by more than 20 % (GPE; Nakatani et
            al. 2008).
        frame_error_percent: frames, of all, with an error of either kind (FFE; Chu & Alwan 2009).
    """

    frames: int
    voiced: int
    reference_voiced: int
    hypothesis_voiced: int
    rmse_hz: float
    rmse_cents: float
    bias_cents: float
    log_correlation: float
    voicing_error_percent: float
    gross_error_percent: float
    frame_error_percent: float


def pitch_errors(reference: Any, hypothesis: Any, *, path: Any = None, cut: bool = False) -> PitchErrors:
    """Compare two contours of the fundamental frequency.

    >>> from streamhmm.metrics import pitch_errors
    >>> found = pitch_errors([100.0, 110.0, 0.0, 0.0], [200.0, 220.0, 0.0, 50.0])
    >>> found.voiced, found.rmse_cents, found.voicing_error_percent
    (2, 1200.0, 25.0)

    Args:
        reference, hypothesis: F0 in Hz, (T,) and (U,), NumPy or torch; 0 or NaN where unvoiced.
        path: (K, 2), the frames of both sides to compare, such as ``CepstralDistortion.path``; by default frame t with
            frame t, and both must have the same number of frames.
        cut: without a path, leave out the frames at the end that the shorter side lacks.

    Raises:
        ValueError: other shapes; numbers of frames that differ; a frequency that is negative or infinite; a path that
            leaves the contours; both ``path`` and ``cut``.
        TypeError: no numbers.
    """
    ours, theirs = _contour(reference, "reference"), _contour(hypothesis, "hypothesis")
    if path is not None:
        if cut:
            raise ValueError("cut goes without a path: the path says which frames are compared")
        cells = _cells(path, len(ours), len(theirs))
        ours, theirs = ours[cells[:, 0]], theirs[cells[:, 1]]
    elif len(ours) != len(theirs):
        if not cut:
            raise ValueError(
                f"reference and hypothesis must have equally many frames, got {len(ours)} and {len(theirs)}; "
                "give a path or set cut"
            )
        frames = min(len(ours), len(theirs))
        ours, theirs = ours[:frames], theirs[:frames]
    return _errors(ours, theirs)


def _contour(values: Any, name: str) -> FloatArray:
    """(T,) Hz, 0 where unvoiced."""
    if hasattr(values, "detach"):  # a torch tensor, perhaps on another device
        values = values.detach().double().cpu()
    try:
        contour = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be frequencies (T,) in Hz, got {type(values).__name__}") from None
    if contour.ndim != 1:
        raise ValueError(f"{name} must be frequencies (T,), got shape {contour.shape}")
    contour = np.where(np.isnan(contour), 0.0, contour)
    wrong = np.flatnonzero((contour < 0) | np.isinf(contour))
    if len(wrong):
        raise ValueError(
            f"{name} must be finite Hz from 0 on, or NaN, got {contour[wrong[0]]:g} in frame {int(wrong[0])}"
        )
    return contour


def _cells(path: Any, rows: int, columns: int) -> NDArray[np.int64]:
    cells = np.asarray(path.detach().cpu() if hasattr(path, "detach") else path)
    if cells.ndim != 2 or cells.shape[1] != 2 or cells.dtype.kind not in "iu":
        raise ValueError(f"path must be integers (K, 2), got {cells.dtype} of shape {cells.shape}")
    if len(cells) and (cells.min() < 0 or (cells.max(axis=0) >= (rows, columns)).any()):
        raise ValueError(f"path must stay within {rows} and {columns} frames, got {cells.max(axis=0).tolist()}")
    return cells.astype(np.int64)


def _errors(ours: FloatArray, theirs: FloatArray) -> PitchErrors:
    voiced, other_voiced = ours > 0, theirs > 0
    both = voiced & other_voiced
    one, other = ours[both], theirs[both]
    cents = CENTS_PER_OCTAVE * np.log2(other / one)
    switched = int((voiced != other_voiced).sum())
    gross = int((np.abs(other - one) > GROSS_ERROR * one).sum())
    return PitchErrors(
        frames=len(ours),
        voiced=len(one),
        reference_voiced=int(voiced.sum()),
        hypothesis_voiced=int(other_voiced.sum()),
        rmse_hz=math.sqrt(_mean((other - one) ** 2)),
        rmse_cents=math.sqrt(_mean(cents**2)),
        bias_cents=_mean(cents),
        log_correlation=correlation(np.log(one), np.log(other)),
        voicing_error_percent=_percent(switched, len(ours)),
        gross_error_percent=_percent(gross, len(one)),
        frame_error_percent=_percent(switched + gross, len(ours)),
    )


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Pearson's, of (N,) values each; NaN for fewer than two, or if one side is constant."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    first, second = one - one.mean(), other - other.mean()
    value = (first @ second) / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip(value, -1.0, 1.0))  # rounding may lead beyond


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else math.nan
