"""Praat's TextGrid, long or short: interval tiers ``words`` and ``phones``, silence as empty intervals.

https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html. Where there was off-script speech, a third tier
``offscript`` has it. Scores, text and warnings have no place in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from streamhmm.errors import OutputError
from streamhmm.formats.reading import damaged, one_line, read_result, words_around
from streamhmm.formats.textgrid_text import IntervalTier, parse_textgrid
from streamhmm.formats.tiers import Tiers, to_decimals
from streamhmm.segment import Segment

_TINY_TIME = re.compile(r"^(\s*x(?:min|max) = |)([\d.]+e-\d+)(?=\s*$)", re.MULTILINE)
_TIER = re.compile(
    r"(?:(?P<before>.+?)\s*[-_:]\s*)?(?P<kind>word|phone|phoneme|offscript)s?(?:@(?P<after>.+))?", re.IGNORECASE
)


def format_textgrid(tiers: Tiers) -> str:
    """The TextGrid as text, in the long format."""
    return _format(tiers, "long_textgrid")


def format_short_textgrid(tiers: Tiers) -> str:
    """The TextGrid as text, in the short format."""
    return _format(tiers, "short_textgrid")


def _format(tiers: Tiers, layout: str) -> str:
    from praatio.utilities import textgrid_io  # type: ignore[import-untyped]  # only this format needs it

    end = to_decimals(tiers.duration)
    tier_of = {"words": tiers.words, "phones": tiers.phones}
    if tiers.offscript:
        tier_of["offscript"] = tiers.offscript
    grid = {
        "xmin": 0.0,
        "xmax": end,
        "tiers": [
            {"class": "IntervalTier", "name": name, "xmin": 0.0, "xmax": end, "entries": _intervals(segments)}
            for name, segments in tier_of.items()
        ],
    }
    text = textgrid_io.getTextgridAsStr(grid, layout, includeBlankSpaces=True, minimumIntervalLength=None)
    # praatio writes 0.00005 as 5e-05, which it can't read.
    return _TINY_TIME.sub(lambda match: f"{match[1]}{float(match[2]):.6f}", str(text))


def read_textgrid(
    path: str | os.PathLike[str], *, words: str | None = None, phones: str | None = None
) -> Tiers | dict[str, Tiers]:
    """Read a TextGrid, long or short; where the tiers name several speakers, for each of them.

    The tiers are ``words``, ``phones`` and ``offscript``, also ``word`` and the like in upper or lower case, with the
    speaker before them as the Montreal Forced Aligner writes (``anna - words``) or as in ELAN (``anna_words``,
    ``words@anna``). Where a plain one and those of speakers are there, the plain one counts. A phone belongs to the
    word around its middle.

    Args:
        path: the file.
        words, phones: other names of the two tiers ("ORT-MAU", "MAU"); in a file that has them these count.

    Raises:
        OutputError: the file can't be read, is damaged, or has no tier of words or phones.
    """
    grid = parse_textgrid(path, read_result(path))
    speakers: dict[str, dict[str, IntervalTier]] = {}
    chosen = {words: _Name("", "word"), phones: _Name("", "phone")}
    for tier in sorted(grid.tiers, key=lambda tier: tier.name not in chosen):
        tier_name = chosen.get(tier.name) or _name_of(tier.name)
        if tier_name is not None:
            speakers.setdefault(tier_name.speaker, {}).setdefault(tier_name.kind, tier)
    speakers = {speaker: tiers for speaker, tiers in speakers.items() if "word" in tiers or "phone" in tiers}
    if not speakers:
        names = sorted(tier.name for tier in grid.tiers)
        raise OutputError(f"{os.fspath(path)}: has no interval tier 'words' or 'phones'; its tiers are {names}")
    found = {speaker: _tiers(path, tiers, grid.end) for speaker, tiers in speakers.items()}
    return found.get("") or (next(iter(found.values())) if len(found) == 1 else found)


def is_aligned_tier(name: str) -> bool:
    """Whether a tier of that name holds words, phones or other speech of an alignment."""
    return _name_of(name) is not None


class _Name(NamedTuple):
    speaker: str
    kind: str


def _name_of(name: str) -> _Name | None:
    match = _TIER.fullmatch(name.strip())
    if match is None:
        return None
    kind = match["kind"].lower().replace("phoneme", "phone")
    return _Name(match["before"] or match["after"] or "", kind)


def _tiers(path: str | os.PathLike[str], tiers: dict[str, IntervalTier], duration: float) -> Tiers:
    words, phones, offscript = (
        tiers[kind].segments if kind in tiers else () for kind in ("word", "phone", "offscript")
    )
    try:
        return Tiers(words, phones, words_around(phones, words), duration, offscript=offscript)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def _intervals(segments: Iterable[Segment]) -> list[tuple[float, float, str]]:
    return [(to_decimals(s.start), to_decimals(s.end), one_line(s.label)) for s in segments]
