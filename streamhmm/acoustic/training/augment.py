"""Augmentation of rows of audio and of their features; every random draw comes from the given generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from streamhmm.acoustic.features import SAMPLE_RATE


@dataclass(frozen=True)
class AugmentConfig:
    """How often and how strongly; probabilities are per row."""

    level_db: tuple[float, float] = (-45.0, -12.0)
    equaliser_db: float = 5.0
    band_limit: float = 0.08
    reverberation: float = 0.2
    noise: float = 0.75
    noise_snr_db: tuple[float, float] = (5.0, 45.0)
    babble: float = 0.1
    babble_voices: int = 1
    babble_snr_db: tuple[float, float] = (8.0, 25.0)
    clipping: float = 0.03
    formant_warp: float = 0.0
    formant_warps: tuple[float, ...] = (0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
    frequency_masks: int = 2
    frequency_mask_bins: int = 12
    time_masks: int = 2
    time_mask_frames: int = 5

    def __post_init__(self) -> None:
        if self.babble_voices < 1:
            raise ValueError(f"augment.babble_voices must be 1 or more, got {self.babble_voices}")
        if not self.formant_warps or min(self.formant_warps) <= 0:
            raise ValueError(
                f"augment.formant_warps must be one or more numbers above 0, got {list(self.formant_warps)}"
            )


def augment_audio(rows: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """(B, N) rows with another frequency response, noise and level. Nothing moves in time."""
    batch, length = rows.shape
    rows = torch.nn.functional.normalize(rows, dim=1) * length**0.5
    spectrum = torch.fft.rfft(rows) * _equaliser(batch, length, config.equaliser_db, generator)
    spectrum = spectrum * _reverberation(batch, length, config.reverberation, generator)
    noise = torch.fft.rfft(torch.randn(batch, length, generator=generator)) * _equaliser(batch, length, 12.0, generator)
    mixed = spectrum + _scaled(noise, spectrum, config.noise_snr_db, config.noise, generator)
    voices = range(1, min(config.babble_voices, max(1, batch - 1)) + 1)
    babble = torch.stack([spectrum.roll(shift, 0) for shift in voices]).sum(0)
    mixed = mixed + _scaled(babble, spectrum, config.babble_snr_db, config.babble, generator)
    mixed = mixed * _band_limit(batch, length, config.band_limit, generator)
    audio = torch.nn.functional.normalize(torch.fft.irfft(mixed, n=length), dim=1) * length**0.5
    level = 10 ** (_uniform(batch, config.level_db, generator) / 20)
    clipped = audio.clamp(-2.0, 2.0)
    audio = torch.where(torch.rand(batch, 1, generator=generator) < config.clipping, clipped, audio) * level
    return audio.clamp(-1.0, 1.0)


def draw_warps(batch: int, config: AugmentConfig, generator: torch.Generator) -> list[float]:
    """How many times as high each row's formants shall be; 1 for those left alone."""
    chosen = torch.rand(batch, generator=generator) < config.formant_warp
    warps = torch.randint(0, len(config.formant_warps), (batch,), generator=generator)
    pairs = zip(chosen.tolist(), warps.tolist(), strict=True)
    return [config.formant_warps[warp] if is_warped else 1.0 for is_warped, warp in pairs]


def mask_features(features: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019) without warping: bands and short stretches of (B, T, 80) set to the row's mean."""
    batch, frames, bins = features.shape
    masked = torch.zeros(batch, frames, bins, dtype=torch.bool)
    for _ in range(config.frequency_masks):
        masked |= _span(batch, bins, config.frequency_mask_bins, generator)[:, None, :]
    for _ in range(config.time_masks):
        masked |= _span(batch, frames, config.time_mask_frames, generator)[:, :, None]
    return torch.where(masked, features.mean(dim=(1, 2), keepdim=True), features)


def _uniform(batch: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(batch, 1, generator=generator)


def _span(batch: int, size: int, longest: int, generator: torch.Generator) -> Tensor:
    """(B, size) true on one random span of 0 to ``longest`` a row."""
    width = torch.randint(0, longest + 1, (batch, 1), generator=generator)
    start = torch.randint(0, size, (batch, 1), generator=generator)
    position = torch.arange(size)[None]
    return (position >= start) & (position < start + width)


def _equaliser(batch: int, length: int, spread_db: float, generator: torch.Generator) -> Tensor:
    """(B, length // 2 + 1) smooth gains through random points spread over the frequency axis."""
    points = torch.randn(batch, 1, 9, generator=generator) * spread_db
    curve_db = torch.nn.functional.interpolate(points, size=length // 2 + 1, mode="linear", align_corners=True)
    return torch.as_tensor(10 ** (curve_db[:, 0] / 20))


def _reverberation(batch: int, length: int, probability: float, generator: torch.Generator) -> Tensor:
    """Spectra of a direct path and a noise tail that decays by 60 dB in 0.1 to 0.4 s."""
    times = torch.arange(length) / SAMPLE_RATE
    spectra = torch.ones(batch, length // 2 + 1, dtype=torch.complex64)
    chosen = torch.rand(batch, generator=generator) < probability
    count = int(chosen.sum())
    if count == 0:  # MKL refuses an empty transform
        return spectra
    decay = _uniform(count, (0.1, 0.4), generator)
    tail = torch.randn(count, length, generator=generator) * torch.exp(-6.9 * times / decay) * (times > 0.002)
    energy = 10 ** (-_uniform(count, (3.0, 15.0), generator) / 20)
    spectra[chosen] += torch.fft.rfft(torch.nn.functional.normalize(tail, dim=1) * energy)
    return spectra


def _band_limit(batch: int, length: int, probability: float, generator: torch.Generator) -> Tensor:
    """Gains that leave what a telephone does, 250 to 3,700 Hz, in the chosen rows."""
    frequency = torch.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    telephone = ((frequency > 250) & (frequency < 3700)).float() + 1e-3
    chosen = torch.rand(batch, 1, generator=generator) < probability
    return torch.where(chosen, telephone, torch.ones(1))


def _scaled(
    noise: Tensor, speech: Tensor, snr_db: tuple[float, float], probability: float, generator: torch.Generator
) -> Tensor:
    """Noise at a random signal-to-noise ratio in the chosen rows, nothing in the others."""
    ratio = 10 ** (-_uniform(len(speech), snr_db, generator) / 20)
    chosen = torch.rand(len(speech), 1, generator=generator) < probability
    gain = _norm(speech) / _norm(noise).clamp(min=1e-9)
    return noise * gain * ratio * chosen


def _norm(spectrum: Tensor) -> Tensor:
    return torch.view_as_real(spectrum).flatten(1).square().sum(1, keepdim=True).sqrt()
