"""A part of a recording, without the rest in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.convert import Converter
from streamhmm.audio.files import Audio
from streamhmm.errors import AudioError


def load_excerpt(
    source: str | os.PathLike[str],
    start_s: float,
    end_s: float,
    *,
    sample_rate: int = 16_000,
    channel: int | None = None,
) -> Audio:
    """Read what lies from ``start_s`` to ``end_s``, or to the recording's end if that comes first.

    What lies behind is not looked at. The other arguments are those of :func:`~streamhmm.audio.load_audio`.

    Raises:
        AudioError: as ``load_audio``, and if the recording ends before ``start_s``.
        ValueError: times that are not 0 ≤ start < end.
    """
    from streamhmm.audio.decode import open_audio, read_blocks  # soundfile takes 70 ms to import

    if not 0 <= start_s < end_s:
        raise ValueError(f"start_s and end_s must be 0 ≤ start < end, got {start_s} and {end_s}")
    name = os.fsdecode(source)
    with open_audio(name, name) as reader:
        rate = reader.samplerate
        first, last = round(start_s * rate), round(end_s * rate)
        converter = Converter(name, rate, reader.channels, sample_rate=sample_rate, channel=channel)
        blocks = _within(read_blocks(reader, name), first, last)
        start = next(blocks, None)
        if start is None:
            raise AudioError(f"{name}: the recording ends before {start_s:g} s; choose an earlier part")
        samples = converter.recording([start, *blocks])
        return Audio(samples, sample_rate, name, rate, reader.channels, reader.format)


def _within(blocks: Iterable[NDArray[np.float32]], first: int, last: int) -> Iterator[NDArray[np.float32]]:
    """The frames ``first`` … ``last`` − 1 of blocks (n, channels)."""
    position = 0
    for block in blocks:
        part = block[max(0, first - position) : max(0, last - position)]
        if len(part):
            yield part
        position += len(block)
        if position >= last:
            return
