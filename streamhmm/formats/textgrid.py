"""Praat's TextGrid, long format: interval tiers ``words`` and ``phones``, silence as empty intervals.

https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html. Scores, text and warnings have no place in it.
Praat reads every label; praatio, and so ``read_textgrid``, refuses a file with ``item[`` or ``intervals[`` in a label.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from streamhmm.errors import OutputError
from streamhmm.formats.reading import damaged, read_result
from streamhmm.formats.tiers import Tiers, to_decimals
from streamhmm.segment import Segment

_TINY_TIME = re.compile(r"^(\s*x(?:min|max) = )([\d.]+e-\d+)", re.MULTILINE)


def format_textgrid(tiers: Tiers) -> str:
    """The TextGrid as text."""
    from praatio.utilities import textgrid_io  # type: ignore[import-untyped]  # only this format needs it

    end = to_decimals(tiers.duration)
    tier_of = {"words": tiers.words, "phones": tiers.phones}
    grid = {
        "xmin": 0.0,
        "xmax": end,
        "tiers": [
            {"class": "IntervalTier", "name": name, "xmin": 0.0, "xmax": end, "entries": _intervals(segments)}
            for name, segments in tier_of.items()
        ],
    }
    text = textgrid_io.getTextgridAsStr(grid, "long_textgrid", includeBlankSpaces=True, minimumIntervalLength=None)
    # praatio writes 0.00005 as 5e-05, which it can't read.
    return _TINY_TIME.sub(lambda match: f"{match[1]}{float(match[2]):.6f}", str(text))


def read_textgrid(path: str | os.PathLike[str]) -> Tiers:
    """Read a TextGrid, long or short. A phone belongs to the word around its middle.

    Raises:
        OutputError: the file can't be read, is damaged, or has no tier ``words``.
    """
    from praatio.utilities import textgrid_io

    text = read_result(path)
    try:
        grid = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=False)
    except Exception as error:  # praatio raises whatever its parsing runs into
        raise damaged(path, f"not a TextGrid ({type(error).__name__}: {error})") from error
    segments = {tier["name"].lower(): tier for tier in grid["tiers"] if tier["class"] == "IntervalTier"}
    if "words" not in segments:
        raise OutputError(f"{os.fspath(path)}: has no interval tier 'words'; its tiers are {sorted(segments)}")
    words = _segments(segments["words"]["entries"])
    phones = _segments(segments["phones"]["entries"]) if "phones" in segments else ()
    try:
        return Tiers(words, phones, _words_around(phones, words), duration=float(grid["xmax"]))
    except ValueError as error:
        raise damaged(path, str(error)) from error


def _intervals(segments: Iterable[Segment]) -> list[tuple[float, float, str]]:
    # Praat's labels are single lines; runs of white space become one space.
    return [(to_decimals(s.start), to_decimals(s.end), " ".join(s.label.split())) for s in segments]


def _segments(entries: Iterable[Any]) -> tuple[Segment, ...]:
    return tuple(Segment(label, float(start), float(end)) for start, end, label in entries)


def _words_around(phones: Sequence[Segment], words: Sequence[Segment]) -> tuple[int, ...]:
    starts = [word.start for word in words]
    indices = []
    for phone in phones:
        middle = (phone.start + phone.end) / 2
        index = bisect.bisect_right(starts, middle) - 1
        indices.append(index if index >= 0 and middle < words[index].end else -1)
    return tuple(indices)
