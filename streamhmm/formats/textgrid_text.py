"""The text of a TextGrid as Praat reads it: quoted strings, free-standing numbers and flags count, all else is comment.

So long and short files are one. https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html, section 4.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from streamhmm.formats.reading import damaged, one_line
from streamhmm.segment import Segment

_TOKEN = re.compile(r'"(?P<string>(?:[^"]|"")*)"|!.*|(?P<other>\S+)')
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


class IntervalTier(NamedTuple):
    """A tier's name and its intervals that have a label."""

    name: str
    segments: tuple[Segment, ...]


class Grid(NamedTuple):
    """The interval tiers of a TextGrid and the end of its time, in seconds."""

    end: float
    tiers: tuple[IntervalTier, ...]


def parse_textgrid(path: str | os.PathLike[str], text: str) -> Grid:
    """The content of a TextGrid; point tiers are left out. Raises OutputError, which names ``path``."""
    tokens = _tokens(text)
    try:
        if not _string(tokens).startswith("ooTextFile") or _string(tokens) != "TextGrid":
            raise ValueError("its first lines are not those of one")
        _number(tokens)
        end = _number(tokens)
        if next(tokens) != "<exists>":
            raise ValueError("it has no tiers")
        tiers = [_tier(tokens) for _ in range(int(_number(tokens)))]
    except StopIteration:
        raise damaged(path, "not a TextGrid, or not all of it: it ends too early") from None
    except (ValueError, OverflowError) as error:
        raise damaged(path, f"not a TextGrid: {error}") from error
    return Grid(end, tuple(tier for tier in tiers if tier is not None))


def _tier(tokens: Iterator[str | float]) -> IntervalTier | None:
    kind, name = _string(tokens), _string(tokens)
    _number(tokens), _number(tokens)
    count = int(_number(tokens))
    if kind == "TextTier":
        for _ in range(count):
            _number(tokens), _string(tokens)
        return None
    if kind != "IntervalTier":
        raise ValueError(f"there is no kind of tier {kind!r}")
    intervals = [(_number(tokens), _number(tokens), one_line(_string(tokens))) for _ in range(count)]
    return IntervalTier(name, tuple(Segment(label, start, end) for start, end, label in intervals if label))


def _tokens(text: str) -> Iterator[str | float]:
    """Strings with their opening quote, flags, and numbers."""
    for match in _TOKEN.finditer(text):
        string, other = match["string"], match["other"]
        if string is not None:
            yield '"' + string.replace('""', '"')
        elif other is not None and other.startswith("<") and other.endswith(">"):
            yield other
        elif other is not None and _NUMBER.fullmatch(other):
            yield float(other)


def _string(tokens: Iterator[str | float]) -> str:
    token = next(tokens)
    if not isinstance(token, str) or not token.startswith('"'):
        raise ValueError(f"there is {token} where a quoted text belongs")
    return token[1:]


def _number(tokens: Iterator[str | float]) -> float:
    token = next(tokens)
    if not isinstance(token, float):
        raise ValueError(f"there is {token[:40]!r} where a number belongs")
    return token
