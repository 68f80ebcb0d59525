"""Aspirated stops for synthetic speech.

Speech synthesisers aspirate little: vowels start within 30 ms of a voiceless stop's release, in real speech up to
100 ms. The missing part is made from the vowel itself: its beginning, with the voice replaced by noise (the vocal
tract's filter stays, found by linear prediction; Atal & Hanauer 1971), belongs to the stop.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from streamhmm.acoustic.features import SAMPLE_RATE
from streamhmm.acoustic.training.manifest import Unit

STOPS = ("P", "T", "K")
VOICED = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW", "L", "R", "W", "Y")
LENGTH_S = (0.015, 0.095)  # drawn evenly
LARGEST_SHARE = 0.6  # of the voiced phone
GAIN_DB = (-20.0, -6.0)
ORDER = 16
PRE_EMPHASIS = 0.9  # breath noise lacks the voice's fall towards high frequencies
FADE = 32  # samples; an aspiration shorter than four of them is not made

Samples = npt.NDArray[np.float32]


def aspirate(
    samples: Samples, units: tuple[Unit, ...], probability: float, random: np.random.Generator
) -> tuple[Samples, tuple[Unit, ...]]:
    """Speech in which each voiceless stop before a voiced phone is aspirated with ``probability``, and its labels."""
    samples = samples.copy()
    changed = list(units)
    for index in range(len(units) - 1):
        stop, voiced = changed[index], units[index + 1]
        if stop.phones[-1] not in STOPS or voiced.phones[0] not in VOICED or random.random() >= probability:
            continue
        length_s = min(random.uniform(*LENGTH_S), LARGEST_SHARE * (voiced.end - voiced.start))
        start, length = round(voiced.start * SAMPLE_RATE), round(length_s * SAMPLE_RATE)
        part = samples[start : start + length]
        if len(part) < 4 * FADE:
            continue
        gain = 10 ** (random.uniform(*GAIN_DB) / 20)
        end = voiced.start + len(part) / SAMPLE_RATE
        part[:] = _crossfaded(part, gain * _breathed(part, random))
        changed[index] = replace(stop, end=end)
        changed[index + 1] = replace(voiced, start=end)
    return samples, tuple(changed)


def _breathed(part: Samples, random: np.random.Generator) -> Samples:
    """Noise through the filter of ``part``, as loud as it."""
    size = 2 * len(part)
    response = np.fft.rfft(_prediction_error_filter(part), size)
    spectrum = np.fft.rfft(random.standard_normal(len(part)), size) / response
    noise = np.fft.irfft(spectrum, size)[: len(part)]
    noise = np.append(noise[0], noise[1:] - PRE_EMPHASIS * noise[:-1])
    level = np.sqrt(np.mean(np.square(part, dtype=np.float64)) / max(float(np.mean(np.square(noise))), 1e-12))
    return np.asarray(noise * level, dtype=np.float32)


def _prediction_error_filter(part: Samples) -> npt.NDArray[np.float64]:
    """Coefficients of A(z) by the autocorrelation method, slightly damped."""
    windowed = part.astype(np.float64) * np.hanning(len(part))
    correlation = np.correlate(windowed, windowed, "full")[len(part) - 1 : len(part) + ORDER]
    lags = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    matrix = correlation[lags] + (1e-3 * correlation[0] + 1e-9) * np.eye(ORDER)
    coefficients = np.linalg.solve(matrix, correlation[1:])
    return np.append(1.0, -coefficients * 0.98 ** np.arange(1, ORDER + 1))


def _crossfaded(before: Samples, after: Samples) -> Samples:
    """``after``, entered from and left to ``before`` without a click."""
    weight = np.ones(len(before), dtype=np.float32)
    weight[:FADE] = np.linspace(0, 1, FADE)
    weight[-FADE:] = np.linspace(1, 0, FADE)
    return (weight * after + (1 - weight) * before).astype(np.float32)
