"""Results out and in again, one file a format, chosen by suffix.

To add a format: copy a neighbour (``format_…(tiers) -> str`` and ``read_…(path) -> Tiers``), then add a line to
``FORMATS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from streamhmm.formats.atomic import atomic_write, remove_leftovers
from streamhmm.formats.json_format import format_json, read_json
from streamhmm.formats.textgrid import format_textgrid, read_textgrid
from streamhmm.formats.tiers import Tiers

__all__ = ["FORMATS", "Format", "Tiers", "atomic_write", "format_of", "load", "remove_leftovers", "save"]


class Format(NamedTuple):
    """A way to write results as text and to read them again."""

    suffix: str
    format: Callable[[Tiers], str]
    read: Callable[[str | os.PathLike[str]], Tiers]


FORMATS = (
    Format(".TextGrid", format_textgrid, read_textgrid),
    Format(".json", format_json, read_json),
)


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format that the suffix names, in upper or lower case. Raises ValueError for an unknown one."""
    suffix = os.path.splitext(os.fspath(path))[1]
    for known in FORMATS:
        if known.suffix.lower() == suffix.lower():
            return known
    names = ", ".join(known.suffix for known in FORMATS)
    raise ValueError(f"the suffix of {os.fspath(path)!r} must be one of {names}, got {suffix!r}")


def save(path: str | os.PathLike[str], tiers: Tiers) -> None:
    """Write ``tiers`` to ``path``, whole or not at all. Raises ValueError for an unknown suffix, OutputError."""
    text = format_of(path).format(tiers)
    with atomic_write(path) as file:
        file.write(text)


def load(path: str | os.PathLike[str]) -> Tiers:
    """Read what ``save`` wrote. Raises ValueError for an unknown suffix, OutputError for a file that can't be read."""
    return format_of(path).read(path)
