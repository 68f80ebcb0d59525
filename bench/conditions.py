"""The truth sets as harder recordings: a child's formants, babble. Nothing moves in time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
FORMANTS = 1.25
SNR_DB = 10.0
VOICES = 6
WINDOW, HOP, LIFTER = 512, 128, 40
"""Samples of an analysis window and of its step; cepstral coefficients of the envelope."""
HARMONIC_BINS = 9
"""Bins (31 Hz each) over which power is averaged, so that the envelope passes over the gaps between harmonics."""

CONDITIONS = ("clean", "child", "babble")


def load(audio: Path, condition: str, crowd: Sequence[Path]) -> tuple[np.ndarray, int]:
    """Samples and sample rate of a recording under a condition; ``crowd`` are the recordings that babble is made of."""
    samples, rate = soundfile.read(audio, dtype="float64")
    assert rate == RATE
    if condition == "child":
        samples = with_formants(samples, FORMANTS)
    elif condition == "babble":
        samples = with_babble(samples, crowd, SNR_DB, seed=sum(audio.name.encode()))
    return samples.astype(np.float32), rate


def with_formants(samples: np.ndarray, factor: float) -> np.ndarray:
    """Speech whose spectral envelope lies ``factor`` times as high; pitch and timing stay."""
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(samples, (WINDOW, WINDOW + HOP))
    result, weight = np.zeros_like(padded), np.full(len(padded), 1e-6)
    for start in range(0, len(padded) - WINDOW, HOP):
        spectrum = np.fft.rfft(window * padded[start : start + WINDOW])
        envelope = _log_envelope(spectrum)
        bins = np.arange(len(envelope))
        moved = np.interp(bins / factor, bins, envelope)
        part = np.fft.irfft(spectrum * np.exp(moved - envelope), WINDOW)
        result[start : start + WINDOW] += window * part
        weight[start : start + WINDOW] += window**2
    return (result / weight)[WINDOW : WINDOW + len(samples)]


def _log_envelope(spectrum: np.ndarray) -> np.ndarray:
    """The smooth part of a log spectrum: harmonics filled, then its first cepstral coefficients."""
    power = np.convolve(np.abs(spectrum) ** 2, np.full(HARMONIC_BINS, 1 / HARMONIC_BINS), "same")
    cepstrum = np.fft.irfft(0.5 * np.log(power + 1e-10))
    cepstrum[LIFTER : len(cepstrum) - LIFTER + 1] = 0
    return np.fft.rfft(cepstrum).real


def with_babble(samples: np.ndarray, crowd: Sequence[Path], snr_db: float, seed: int) -> np.ndarray:
    """Speech with ``VOICES`` of ``crowd`` speaking at once, ``snr_db`` below it over the whole recording."""
    chance = np.random.default_rng(seed)
    noise = np.zeros_like(samples)
    for index in chance.choice(len(crowd), VOICES, replace=False):
        voice = _crowd_voice(crowd[index])
        noise += np.resize(np.roll(voice, chance.integers(len(voice))), len(samples))
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return samples + gain * noise


@cache
def _crowd_voice(path: Path) -> np.ndarray:
    voice, rate = soundfile.read(path, dtype="float64")
    assert rate == RATE
    return voice / np.sqrt(np.mean(voice**2))
