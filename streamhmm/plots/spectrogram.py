"""What is drawn of samples: a spectrogram, and the waveform's extremes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW_S, HOP_S = 0.010, 0.002
"""Short windows, as phoneticians like them: bursts and glottal pulses stand apart, formants are broad."""
RANGE_DB = 55.0
_FFT_SIZE = 512
_PRE_EMPHASIS = 0.95


def spectrogram(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """(F, T) levels from 0 (55 dB below the loudest, and less) to 1, from 0 Hz to half the rate.

    Column t is centred on t · 2 ms; N samples give 1 + N // hop columns.
    """
    window, hop = round(WINDOW_S * sample_rate), round(HOP_S * sample_rate)
    emphasised = np.append(samples[:1], samples[1:] - _PRE_EMPHASIS * samples[:-1]).astype(np.float32)
    padded = np.pad(emphasised, (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(samples) + 1 : hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), max(_FFT_SIZE, window))) ** 2
    levels = 10 * np.log10(power.T + 1e-12)
    loudest = max(float(np.quantile(levels, 0.999)), -60.0)  # what is silent everywhere stays white
    result: NDArray[np.float32] = np.clip((levels - loudest) / RANGE_DB + 1, 0, 1).astype(np.float32)
    return result


def extremes(samples: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    """(2, bins) the lowest and the highest sample in each of so many equal stretches; at least a sample a bin."""
    edges = np.linspace(0, len(samples), bins + 1)[:-1].astype(np.int64)
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)])
