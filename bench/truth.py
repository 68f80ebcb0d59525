"""The truth sets: recordings with known boundaries (their README tells where each set comes from)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

SILENCE = "SIL"


class Interval(NamedTuple):
    """A word or a phone; a time that nobody knows is None. A phone "X_Y" is two phones labelled as one."""

    label: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Utterance:
    """One recording. ``voicing`` maps a word's index to the time when its initial stop ends."""

    audio: Path
    text: str
    words: tuple[Interval, ...]
    phones: tuple[Interval, ...]
    voicing: dict[int, float]

    @property
    def speaker(self) -> str:
        """What the file's name begins with."""
        return self.audio.name.split("_")[0]


def load_set(directory: Path) -> list[Utterance]:
    """Every utterance of a set, in the order of the names."""
    return [_read(path) for path in sorted(directory.glob("*.json"))]


def _read(path: Path) -> Utterance:
    content = json.loads(path.read_text())
    events = (event for event in content.get("events") or [] if event.get("voicing") is not None)
    return Utterance(
        path.with_suffix(".flac"),
        content["text"],
        tuple(_interval(word, "text") for word in content["words"]),
        tuple(_interval(phone, "phone") for phone in content["phones"] or []),
        {event["word"]: event["voicing"] for event in events},
    )


def _interval(entry: dict[str, Any], label: str) -> Interval:
    return Interval(entry[label], entry["start"], entry["end"])
