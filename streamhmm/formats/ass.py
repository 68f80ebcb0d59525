r"""SubStation Alpha captions (ASS) as for karaoke: ``{\k25}word``, the length of each word in hundredths of a second.

A caption's words and the pauses between them follow one another from its start, so their lengths add up to the times on
the grid of the file and never drift. Punctuation has length 0. https://aegisub.org/docs/latest/ass_tags/#karaoke-effect
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from streamhmm.formats.captions import CAPTIONS_ONLY, Caption, captions, gap_after
from streamhmm.formats.reading import one_line, without_duration
from streamhmm.formats.subtitles import Event, format_subtitles, guarded, read_subtitles, unguarded
from streamhmm.formats.tiers import Tiers
from streamhmm.segment import Segment

INVISIBLE = "\u200b"
"""Zero-width space, where words touch: "well—known"."""
_TAGS = re.compile(r"\{([^{}]*)\}")
_KARAOKE = re.compile(r"\\(?:kf|ko|k|K)(\d+)")
_SPACES = re.compile(r"\\[Nnh]")


def format_ass(tiers: Tiers) -> str:
    """The captions as SubStation Alpha, version 4+. Raises OutputError from 10 hours on."""
    events = [Event(10 * shown.start, 10 * shown.end, _karaoke(shown)) for shown in captions(tiers, 100)]
    return format_subtitles(events, "ass")


def read_ass(path: str | os.PathLike[str]) -> Tiers:
    """Read captions: the words where they have karaoke tags, else a segment for each caption and a warning.

    Raises:
        OutputError: the file can't be read, is damaged, or has no captions.
    """
    segments: list[Segment] = []
    texts, timed = [], True
    for event in read_subtitles(path, "ass"):
        start, end = event.start / 1000, event.end / 1000
        text = _shown(_TAGS.sub("", event.text))
        if not text:
            continue
        words = list(_words(event.text, start)) if _KARAOKE.search(event.text) else [Segment(text, start, end)]
        timed = timed and (len(words) > 1 or " " not in text)
        segments += words
        texts.append(text)
    warnings = () if timed else (CAPTIONS_ONLY,)
    return without_duration(path, words=segments, text=" ".join(texts), warnings=warnings)


def _karaoke(caption: Caption) -> str:
    blocks: list[tuple[int, str]] = []
    time = caption.start
    for number, line in enumerate(caption.lines):
        for place, word in enumerate(line):
            before, label, after = (guarded(part, braces=True) for part in word.written[:3])
            if time > caption.start or blocks:
                space = r"\N" if number and not place else gap_after(line[place - 1]) or INVISIBLE
                blocks.append((word.start - time, space))
            blocks += [(0, before), (word.end - word.start, label), (0, after)]
            time = word.end
    return "".join(rf"{{\k{length}}}{text}" for length, text in _merged(blocks))


def _merged(blocks: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Neighbours without length are one, those without text are none."""
    found: list[tuple[int, str]] = []
    for length, text in blocks:
        if not length and found and not found[-1][0]:
            found[-1] = (0, found[-1][1] + text)
        elif length or text:
            found.append((length, text))
    return found


def _words(text: str, start: float) -> Iterator[Segment]:
    """Blocks up to a space at the edge of one; the text of blocks without length belongs to no word."""
    label, begin, end, time = "", 0, 0, 0
    untagged, *parts = _TAGS.split(text)
    for tags, after in zip(("", *parts[::2]), (untagged, *parts[1::2]), strict=True):
        shown = _SPACES.sub(" ", after).replace(INVISIBLE, " ")
        length = sum(int(ticks) for ticks in _KARAOKE.findall(tags))
        if label and (shown.startswith(" ") or (not length and " " in shown)):
            yield _segment(label, start, begin, end)
            label = ""
        if length and _shown(after):
            begin = begin if label else time
            label += shown.lstrip(" ")
            end = time + length
        time += length
        if label.endswith(" "):
            yield _segment(label, start, begin, end)
            label = ""
    if label:
        yield _segment(label, start, begin, end)


def _segment(label: str, start: float, begin: int, end: int) -> Segment:
    return Segment(_shown(label), round(start + begin / 100, 2), round(start + end / 100, 2))


def _shown(text: str) -> str:
    return one_line(unguarded(_SPACES.sub(" ", text).replace(INVISIBLE, "")))
