"""Pitch and mel-cepstra of a recording (extra ``metrics``): the only file that imports pyworld, and only when used.

WORLD (Morise, Yokomori & Ozawa 2016): F0 by DIO with StoneMask or by Harvest (Morise 2017), spectral envelopes by
CheapTrick (Morise 2015).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamhmm.errors import BackendUnavailable
from streamhmm.metrics.mel_cepstrum import mel_alpha, mel_cepstra

FloatArray = NDArray[np.float64]
PITCH_METHODS = ("dio", "harvest")
_ENVELOPE_FLOOR_HZ = 71.0  # WORLD's own
_LOWEST_RATE, _HIGHEST_RATE = 6_000, 192_000


@dataclass(frozen=True)
class SpeechSettings:
    """How recordings are analysed; figures are only comparable between equal ones.

    Attributes:
        sample_rate: that recordings are brought to, Hz. What lies above half of it does not count. Where the
            recordings' own rates differ, it should be at most 7/8 of the lowest: what resampling leaves just below the
            edge of the band is nothing on one side, and counts for decibels.
        frame_shift_ms: from frame to frame.
        order: of the mel-cepstra, c0 not counted.
        alpha: frequency warping of the mel-cepstra; None: :func:`~streamhmm.metrics.mel_alpha` of the sample rate.
        pitch_method: "dio", refined by StoneMask, which is WORLD's own chain; or "harvest", which takes many times as
            long, and calls more frames voiced.
        pitch_floor_hz, pitch_ceiling_hz: F0 lies between.

    Raises ValueError for a value that makes no sense.
    """

    sample_rate: int = 16_000
    frame_shift_ms: float = 5.0
    order: int = 24
    alpha: float | None = None
    pitch_method: str = "dio"
    pitch_floor_hz: float = 71.0
    pitch_ceiling_hz: float = 800.0

    def __post_init__(self) -> None:
        if not _LOWEST_RATE <= self.sample_rate <= _HIGHEST_RATE:
            raise ValueError(f"sample_rate must be from {_LOWEST_RATE} to {_HIGHEST_RATE} Hz, got {self.sample_rate}")
        if not 1 <= self.frame_shift_ms <= 100:
            raise ValueError(f"frame_shift_ms must be from 1 to 100, got {self.frame_shift_ms}")
        if not 1 <= self.order <= 100:
            raise ValueError(f"order must be from 1 to 100, got {self.order}")
        if self.alpha is not None and not -1 < self.alpha < 1:
            raise ValueError(f"alpha must be between -1 and 1, got {self.alpha}")
        if self.pitch_method not in PITCH_METHODS:
            raise ValueError(f"pitch_method must be one of {', '.join(PITCH_METHODS)}, got {self.pitch_method!r}")
        if not 20 <= self.pitch_floor_hz < self.pitch_ceiling_hz <= 2000:
            raise ValueError(
                "pitch must lie between a floor of at least 20 and a ceiling of at most 2000 Hz, "
                f"got {self.pitch_floor_hz:g} and {self.pitch_ceiling_hz:g}"
            )


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """A recording's pitch and mel-cepstra.

    Attributes:
        f0_hz: (T,), 0 where unvoiced. Without any voiced frame all are 0.
        mel_cepstra: (T, order + 1), c0 first.
        settings: with ``alpha`` filled in.
        source_rate: samples a second of the recording before it was brought to the rate of the settings.
        name: of the recording.
    """

    f0_hz: FloatArray
    mel_cepstra: FloatArray
    settings: SpeechSettings
    source_rate: int
    name: str


def speech_features(
    audio: str | os.PathLike[str] | tuple[Any, int], settings: SpeechSettings | None = None
) -> SpeechFeatures:
    """Analyse a recording: frames at 0, 1, 2, … frame shifts, the last at or before its end.

    Args:
        audio: a path, or (samples, sample_rate); channels are mixed.
        settings: by default those of :class:`SpeechSettings`.

    Raises:
        BackendUnavailable: pyworld is not installed.
        AudioError: the recording can't be read, is empty or not finite.
    """
    world = _world()
    from streamhmm.audio import as_audio, load_audio

    chosen = SpeechSettings() if settings is None else settings
    rate = chosen.sample_rate
    recording = as_audio(*audio, target_rate=rate) if isinstance(audio, tuple) else load_audio(audio, sample_rate=rate)
    samples = recording.samples.astype(np.float64)
    f0_hz, times_s = _pitch(world, samples, chosen)
    # A floor above what CheapTrick takes unvoiced frames for, 500 Hz, makes it write beyond its memory.
    spectra = world.cheaptrick(samples, f0_hz, times_s, rate, f0_floor=min(chosen.pitch_floor_hz, _ENVELOPE_FLOOR_HZ))
    chosen = replace(chosen, alpha=mel_alpha(rate) if chosen.alpha is None else chosen.alpha)
    assert chosen.alpha is not None
    cepstra = mel_cepstra(spectra, order=chosen.order, alpha=chosen.alpha)
    return SpeechFeatures(f0_hz, cepstra, chosen, recording.source_rate, recording.name)


def _pitch(world: Any, samples: FloatArray, settings: SpeechSettings) -> tuple[FloatArray, FloatArray]:
    find: Callable[..., tuple[FloatArray, FloatArray]] = getattr(world, settings.pitch_method)
    f0_hz, times_s = find(
        samples,
        settings.sample_rate,
        f0_floor=settings.pitch_floor_hz,
        f0_ceil=settings.pitch_ceiling_hz,
        frame_period=settings.frame_shift_ms,
    )
    if settings.pitch_method == "dio":
        f0_hz = world.stonemask(samples, f0_hz, times_s, settings.sample_rate)
    return f0_hz, times_s


def _world() -> Any:
    try:
        import pyworld
    except ImportError as error:
        raise BackendUnavailable(
            "pitch and mel-cepstra of recordings need pyworld; install it with: pip install 'streamhmm[metrics]'"
        ) from error
    return pyworld
