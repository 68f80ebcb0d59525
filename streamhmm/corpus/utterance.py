"""What a corpus consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """A stretch of a recording, seconds, and what is spoken in it; ``end_s`` None: to the recording's end."""

    text: str
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording with its text: what becomes one result.

    Attributes:
        name: relative path of the results, without suffix; no two in a corpus have the same.
        audio: the recording's path.
        parts: in order of time, without overlap.
        speaker: whose results and adaptation go together.
        channel: of the recording, from 1; None takes what the command says.
    """

    name: str
    audio: str
    parts: tuple[Part, ...]
    speaker: str = ""
    channel: int | None = None


class Problem(NamedTuple):
    """An input that can't be used, and why; ``name`` is a relative path, or the place in a manifest."""

    name: str
    reason: str


class Listing(NamedTuple):
    """What was found."""

    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...]
