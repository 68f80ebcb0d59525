"""Kaldi data folders: ``wav.scp``, ``text``, and where they are there ``segments`` and ``utt2spk``.

https://kaldi-asr.org/doc/data_prep.html. Paths are relative to the folder that the program runs in, as in Kaldi, or
else to the data folder. Commands in wav.scp are not run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from streamhmm.corpus.layouts.lines import read_lines
from streamhmm.corpus.layouts.names import distinct, inside
from streamhmm.corpus.utterance import Listing, Part, Problem, Utterance

Value = TypeVar("Value")


def is_kaldi(folder: str) -> bool:
    """Whether it has the two files that no data folder lacks."""
    return all(os.path.isfile(os.path.join(folder, name)) for name in ("wav.scp", "text"))


def list_kaldi(folder: str) -> Listing:
    """The utterances of a data folder. Raises CorpusError if a file of it can't be read."""
    problems: list[Problem] = []
    recordings = _table(folder, "wav.scp", _recording(folder), problems)
    texts = _table(folder, "text", str, problems)
    speakers = _table(folder, "utt2spk", str, problems)
    has_segments = os.path.isfile(os.path.join(folder, "segments"))
    segments = _table(folder, "segments", _segment, problems) if has_segments else {}
    utterances = []
    for key, text in texts.items():
        recording, start_s, end_s = segments.get(key, (key, 0.0, None))
        if has_segments and key not in segments:
            problems.append(Problem(key, "is in text and not in segments; add it, or remove the text"))
        elif recording not in recordings:
            problems.append(Problem(key, f"has no recording {recording} in wav.scp; add it, or remove the text"))
        else:
            speaker = speakers.get(key, "")
            name = inside(f"{speaker}/{key}")
            utterances.append(Utterance(name, recordings[recording], (Part(text, start_s, end_s),), speaker))
    for key in (segments if has_segments else recordings).keys() - texts.keys():
        problems.append(Problem(key, "has no text; add a line to text"))
    return Listing(tuple(distinct(utterances)), tuple(sorted(problems)))


def _table(folder: str, name: str, value_of: Callable[[str], Value], problems: list[Problem]) -> dict[str, Value]:
    path = os.path.join(folder, name)
    table: dict[str, Value] = {}
    if not os.path.isfile(path):
        return table
    for number, key, rest in _lines(path):
        try:
            if key in table:
                raise ValueError(f"{key} is there twice; remove one")
            table[key] = value_of(rest)
        except ValueError as error:
            problems.append(Problem(f"{path}:{number}", str(error)))
    return table


def _lines(path: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            key, _, rest = line.strip().replace("\t", " ", 1).partition(" ")
            yield number, key, rest.strip()


def _recording(folder: str) -> Callable[[str], str]:
    def resolve(value: str) -> str:
        if value.endswith("|"):
            raise ValueError("is a command, which is not run; write its output to a file and name that")
        if not value:
            raise ValueError("names no file")
        beside = os.path.join(folder, value)
        return beside if not os.path.exists(value) and os.path.exists(beside) else value

    return resolve


def _segment(value: str) -> tuple[str, float, float | None]:
    try:
        recording, start, end = value.split()
        start_s, end_s = float(start), float(end)
    except ValueError as error:
        raise ValueError(f"must be 'utterance recording start end', got {value!r} after the utterance") from error
    if end_s < 0:
        return recording, start_s, None  # Kaldi's "to the end"
    if not (0 <= start_s < end_s < math.inf):
        raise ValueError(f"the segment from {start} to {end} s is empty or not seconds")
    return recording, start_s, end_s
