"""A recording as the rest of the package wants it: mono float32 samples at one rate."""

from __future__ import annotations

import numbers
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.convert import Converter

_MOST_CHANNELS = 64
_BLOCK_FRAMES = 65_536


@dataclass(frozen=True, eq=False)
class Audio:
    """A mono recording and where it came from.

    Attributes:
        samples: (n,) float32, full scale is ±1.
        sample_rate: samples a second of ``samples``.
        name: the path, or what the caller named it.
        source_rate: samples a second before conversion.
        source_channels: channels before mixing.
        source_format: the container, such as "WAV" or "FLAC"; "array" for samples from memory.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    name: str
    source_rate: int
    source_channels: int
    source_format: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def load_audio(
    source: str | os.PathLike[str] | BinaryIO, *, sample_rate: int = 16_000, channel: int | None = None
) -> Audio:
    """Read a recording: WAV, FLAC, Ogg (Vorbis, Opus), MP3 and what else libsndfile knows, at any rate.

    Args:
        source: a path or a binary file; of a file, ``name`` is what messages call it.
        sample_rate: samples a second of the result.
        channel: the channel to keep, counted from 1; None takes the mean of all.

    Raises:
        AudioError: the file is missing, a directory, unreadable, empty, not audio, truncated or damaged, holds no
            sample or one that is not finite, or lacks the channel.
        ValueError, TypeError: an impossible sample rate or channel, a source of another kind.
    """
    from streamhmm.audio.decode import open_audio, read_blocks  # soundfile takes 70 ms to import

    stream, name = _named(source)
    with open_audio(stream, name) as reader:
        converter = Converter(name, reader.samplerate, reader.channels, sample_rate=sample_rate, channel=channel)
        samples = converter.recording(read_blocks(reader, name))
        return Audio(samples, sample_rate, name, reader.samplerate, reader.channels, reader.format)


def as_audio(
    samples: Any,
    sample_rate: int,
    *,
    target_rate: int = 16_000,
    channel: int | None = None,
    name: str = "<samples>",
) -> Audio:
    """Take samples from memory: a numpy array, a torch tensor, or anything that ``np.asarray`` takes.

    Args:
        samples: (frames,) or (frames, channels); floats with full scale ±1, or int16 or int32 PCM.
        sample_rate: samples a second of ``samples``.
        target_rate: samples a second of the result.
        channel: the channel to keep, counted from 1; None takes the mean of all.
        name: what messages call the recording.

    Raises:
        AudioError: there is no sample, one is not finite, or the channel is lacking.
        ValueError, TypeError: another shape or type, an impossible sample rate or channel.
    """
    if not isinstance(sample_rate, numbers.Real):
        raise TypeError(f"sample_rate must be a number, got {sample_rate!r}")
    frames = _frames_of(samples)
    converter = Converter(name, sample_rate, frames.shape[1], sample_rate=target_rate, channel=channel)
    starts = range(0, len(frames), _BLOCK_FRAMES)
    samples = converter.recording(_to_float(frames[start : start + _BLOCK_FRAMES]) for start in starts)
    return Audio(samples, target_rate, name, sample_rate, frames.shape[1], "array")


def _named(source: str | os.PathLike[str] | BinaryIO) -> tuple[str | BinaryIO, str]:
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        return path, path
    if not hasattr(source, "read") or hasattr(source, "encoding"):
        raise TypeError(f"audio must be a path or a binary file, got {type(source).__name__}")
    name = getattr(source, "name", None)
    return source, name if isinstance(name, str) else "<audio>"


def _frames_of(samples: Any) -> NDArray[Any]:
    """``samples`` as (frames, channels)."""
    if hasattr(samples, "detach"):  # a torch tensor, perhaps on another device or part of a graph
        samples = samples.detach().cpu()
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not 1 <= array.shape[1] <= _MOST_CHANNELS:
        raise ValueError(
            f"samples must be (frames,) or (frames, channels) with at most {_MOST_CHANNELS} channels, "
            f"got shape {np.shape(samples)}; transpose (channels, frames)"
        )
    if not (array.dtype.kind == "f" or array.dtype in (np.int16, np.int32)):
        raise TypeError(f"samples must be floats with full scale ±1, or int16 or int32, got {array.dtype}")
    return array


def _to_float(block: NDArray[Any]) -> NDArray[np.float32]:
    if block.dtype.kind == "i":
        return block.astype(np.float32) / np.float32(-float(np.iinfo(block.dtype).min))
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the converter reports
        return block.astype(np.float32)
