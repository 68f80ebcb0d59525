"""What makes a recording doubtful: its level, clipping and noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.errors import AudioError

HIGHEST_PEAK = 100.0  # full scale is 1; far above it the samples are on another scale, such as ±32768
QUIET_PEAK = 0.003  # −50 dB
CLIPPED_AT = 0.99  # below full scale, because resampling and mixing move clipped samples a little
CLIPPED_SHARE = 0.002
LOWEST_SNR_DB = 10.0
LEAST_SPEECH = 0.1  # share of the noise: if words stand out by less, they are not there
FEWEST_SILENT_FRAMES = 20


def check_level(samples: NDArray[np.float32], name: str) -> tuple[str, ...]:
    """Warnings about the level of (n,) samples, full scale ±1.

    Raises:
        AudioError: there is no sound, or the samples can't be on that scale. ``name`` is the recording's.
    """
    peak = max(float(samples.max()), -float(samples.min()))
    if peak == 0.0:
        raise AudioError(f"{name}: there is no sound in it, every sample is zero; check the recording and its channels")
    if peak > HIGHEST_PEAK:
        raise AudioError(f"{name}: the samples reach {peak:.6g} where full scale is 1; divide them by their full scale")
    if peak < QUIET_PEAK:
        return (f"the recording is very quiet (peak {20 * math.log10(peak):.0f} dB); record it again, or amplify it",)
    clipped = np.count_nonzero(samples >= CLIPPED_AT) + np.count_nonzero(samples <= -CLIPPED_AT)
    if clipped > CLIPPED_SHARE * len(samples):
        share = clipped / len(samples)
        return (f"{share:.1%} of the samples are clipped; times may be less exact, record it again at a lower level",)
    return ()


def check_noise(samples: NDArray[np.float32], spoken: Tensor) -> tuple[str, ...]:
    """A warning if speech stands out little from what is between the words; ``spoken`` is (T,) True in words."""
    snr_db = signal_to_noise_db(samples, spoken.numpy())
    if snr_db is None or snr_db >= LOWEST_SNR_DB:
        return ()
    return (f"the recording is noisy (speech {snr_db:.0f} dB above the noise); times may be less exact",)


def signal_to_noise_db(samples: NDArray[np.float32], spoken: NDArray[np.bool_]) -> float | None:
    """Power of speech over that of the pauses, dB; None where there is too little of either to tell."""
    hop = -(-len(samples) // len(spoken))
    frames = len(samples) // hop
    framed = samples[: frames * hop].reshape(frames, hop)
    power = np.einsum("ij,ij->i", framed, framed, dtype=np.float64) / hop
    spoken = spoken[:frames]
    if min(np.count_nonzero(spoken), np.count_nonzero(~spoken)) < FEWEST_SILENT_FRAMES:
        return None
    pauses = np.sort(power[~spoken])
    noise = float(pauses[len(pauses) // 2])
    speech = float(power[spoken].mean()) - noise
    if noise == 0.0 or speech < LEAST_SPEECH * noise:
        return None
    return 10 * math.log10(speech / noise)
