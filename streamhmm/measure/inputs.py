"""The recordings to measure with, and their texts where there are any."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.audio import load_audio
from streamhmm.audio.suffixes import AUDIO_SUFFIXES
from streamhmm.errors import AudioError, StreamHMMError
from streamhmm.measure.subjects import Missing
from streamhmm.text import read_text

TEXTS = (".lab", ".txt")
"""Suffixes of a text beside a recording; where both are there, the first counts."""


class Recording(NamedTuple):
    """A file, its (N,) samples, their number a second, and what is spoken in it, if that is known."""

    path: Path
    samples: Tensor
    sample_rate: int
    text: str | None

    @property
    def duration_s(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate


class Inputs(NamedTuple):
    """What could be read, and what not, with the reason; ``left_out`` more were not looked at."""

    recordings: list[Recording]
    failed: list[Missing]
    left_out: int


def find_audio(sources: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The files, and those below the folders, in order."""
    return [path for source in sources for path in _below(Path(source))]


def read_inputs(paths: Sequence[Path], seconds: float, sample_rate: int = 16_000) -> Inputs:
    """Reads files until there are so many seconds of audio; the last one may go beyond."""
    inputs, total_s = Inputs([], [], 0), 0.0
    for index, path in enumerate(paths):
        if total_s >= seconds:
            return inputs._replace(left_out=len(paths) - index)
        try:
            recording = _read(path, sample_rate)
        except StreamHMMError as error:
            inputs.failed.append(Missing(str(path), str(error)))
            continue
        inputs.recordings.append(recording)
        total_s += recording.duration_s
    return inputs


def _below(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = sorted(each for each in path.rglob("*") if each.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        raise AudioError(f"{path}: there is no recording in it; name a folder with {', '.join(AUDIO_SUFFIXES)} files")
    yield from found


def _read(path: Path, sample_rate: int) -> Recording:
    audio = load_audio(path, sample_rate=sample_rate)
    text = next((path.with_suffix(suffix) for suffix in TEXTS if path.with_suffix(suffix).is_file()), None)
    return Recording(path, torch.from_numpy(audio.samples), sample_rate, None if text is None else read_text(str(text)))
