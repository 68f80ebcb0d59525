"""Where voicing begins after a voiceless stop, read off the recording itself: the end of the stop by convention.

Voice has most of its energy low, breath has not. So the low band's level, followed backwards from its peak in the
vowel, falls where voicing began.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 16000
BAND_HZ = (80.0, 500.0)
SMOOTHING_S = 0.012
DROP_DB = 5.0
REACH_S = 0.04
"""How far from a boundary voicing may begin for it to be moved there."""
PEAK_S = 0.1
"""How far after the boundary the peak may lie."""

Level = npt.NDArray[np.float64]


def low_level(samples: npt.NDArray[np.float32]) -> Level:
    """(N,) level of the low band around each of (N,) samples at 16 kHz."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequency < BAND_HZ[0]) | (frequency > BAND_HZ[1])] = 0
    low = np.fft.irfft(spectrum, len(samples))
    window = np.hanning(round(SMOOTHING_S * RATE))
    return np.sqrt(np.maximum(np.convolve(low * low, window / window.sum(), "same"), 0.0))


def voicing_onset(level: Level, boundary: float, vowel_end: float) -> float | None:
    """When voicing begins, seconds, near a stop's end at ``boundary``; None if that can't be told."""
    first, last = round(boundary * RATE), round(min(vowel_end, boundary + PEAK_S) * RATE)
    if len(level[first:last]) == 0:
        return None
    peak = first + int(np.argmax(level[first:last]))
    earliest = max(0, first - round(REACH_S * RATE))
    quiet = np.flatnonzero(level[earliest:peak] < level[peak] * 10 ** (-DROP_DB / 20))
    if len(quiet) == 0:
        return None
    onset = float(earliest + quiet[-1] + 1) / RATE
    return onset if abs(onset - boundary) <= REACH_S else None
