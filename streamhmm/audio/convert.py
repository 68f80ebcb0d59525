"""Blocks of any rate and channel count in, one mono recording at one rate out."""

from __future__ import annotations

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from streamhmm.errors import AudioError

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000


class Converter:
    """Picks or mixes channels, checks, resamples and collects, block by block.

    Only one block at the source's rate is held at a time, and the result is the same for any division into blocks.

    Args:
        name: what messages call the recording.
        source_rate: samples a second coming in.
        channels: channels coming in.
        sample_rate: samples a second going out.
        channel: the channel to keep, counted from 1; None takes the mean of all.

    Raises:
        AudioError: for a source rate outside 1 kHz…768 kHz, or a channel that the recording does not have.
        ValueError: for a target rate outside that range, or a channel below 1.
    """

    def __init__(self, name: str, source_rate: int, channels: int, *, sample_rate: int, channel: int | None) -> None:
        if not LOWEST_RATE_HZ <= sample_rate <= HIGHEST_RATE_HZ:
            raise ValueError(f"sample_rate must be {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz, got {sample_rate}")
        if channel is not None and channel < 1:
            raise ValueError(f"channel must be 1 or more (the first channel is 1), got {channel}")
        if not LOWEST_RATE_HZ <= source_rate <= HIGHEST_RATE_HZ:
            raise AudioError(
                f"{name}: a sample rate of {source_rate} Hz can't be right; the header is probably damaged, "
                f"expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
            )
        if channel is not None and channel > channels:
            raise AudioError(f"{name}: there is no channel {channel}; the recording's channels are 1 to {channels}")
        self._name = name
        self._source_rate = source_rate
        self._channel = channel
        self._frames = 0
        # soxr's float32 path at its default quality; equal rates pass through untouched.
        self._resampler = (
            None if source_rate == sample_rate else soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32")
        )
        # A bytearray grows in place, where joining a list of arrays would hold everything twice.
        self._collected = bytearray()

    def push(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, (n, channels). Raises AudioError at the first sample that is not a finite number."""
        mono = self._to_mono(block)
        finite = np.isfinite(mono)
        if not finite.all():
            at_s = (self._frames + int(np.argmin(finite))) / self._source_rate
            raise AudioError(
                f"{self._name}: the sample at {at_s:.3f} s is not a finite number; repair or export the recording again"
            )
        self._frames += len(mono)
        self._collect(mono if self._resampler is None else self._resampler.resample_chunk(mono))

    def finish(self) -> NDArray[np.float32]:
        """The whole recording, (n,). Raises AudioError if it holds no sample."""
        if self._resampler is not None:
            self._collect(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        if not self._collected:
            raise AudioError(f"{self._name}: zero-length audio, there are no samples in it; record or export it again")
        return np.frombuffer(self._collected, np.float32)

    def _to_mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._channel is not None:
            return np.ascontiguousarray(block[:, self._channel - 1])
        mono = block[:, 0].copy()
        # Infinities of both signs meet here; push reports them.
        with np.errstate(invalid="ignore", over="ignore"):
            for index in range(1, block.shape[1]):
                mono += block[:, index]
        if block.shape[1] > 1:
            mono /= block.shape[1]
        return mono

    def _collect(self, samples: NDArray[np.float32]) -> None:
        self._collected += samples.tobytes()
