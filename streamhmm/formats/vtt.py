"""WebVTT captions with the times of words: ``<c>Hello</c>, <00:00:01.000><c>world</c>``.

https://www.w3.org/TR/webvtt1/. A time stamp says that what follows begins; one after a word, that it has ended. A
caption begins with its first word, so that has none. ``<c>`` holds the word without its punctuation.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator

from streamhmm.formats.captions import CAPTIONS_ONLY, Caption, captions, gap_after
from streamhmm.formats.reading import damaged, one_line, read_result, without_duration
from streamhmm.formats.tiers import Tiers
from streamhmm.segment import Segment

_STAMP = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d\.\d{3})"
_TIMING = re.compile(rf"\s*{_STAMP}\s+-->\s+{_STAMP}(?:\s.*)?")
_INNER = re.compile(rf"<{_STAMP}>")
_WORD = re.compile(r"<c[^<>]*>([^<]*)</c>")
_TAG = re.compile(r"<[^<>]*>")


def format_vtt(tiers: Tiers) -> str:
    """The captions as WebVTT."""
    return "\n".join(["WEBVTT\n", *map(_cue, captions(tiers, 1000))])


def read_vtt(path: str | os.PathLike[str]) -> Tiers:
    """Read captions: the words where there are stamps between them, else a segment for each caption and a warning.

    Raises:
        OutputError: the file can't be read, is damaged, or has no captions.
    """
    text = read_result(path).replace("\r\n", "\n").replace("\r", "\n")
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise damaged(path, "its first line is not WEBVTT")
    segments: list[Segment] = []
    texts, timed = [], True
    for timing, payload in _cues(text):
        start, end = _seconds(*timing.groups()[:3]), _seconds(*timing.groups()[3:])
        shown = _shown(payload)
        if not shown:
            continue
        words = list(_words(payload, start, end))
        timed = timed and (len(words) > 1 or " " not in shown)
        segments += words
        texts.append(shown)
    warnings = () if timed else (CAPTIONS_ONLY,)
    return without_duration(path, words=segments, text=" ".join(texts), warnings=warnings)


def _cue(caption: Caption) -> str:
    words = [word for line in caption.lines for word in line]
    next_starts = iter((*(word.start for word in words[1:]), caption.end))
    lines = []
    for line in caption.lines:
        text = ""
        for word in line:
            begins = "" if word is words[0] else f"<{_stamp(word.start)}>"
            ends = f"<{_stamp(word.end)}>" if word.end < next(next_starts) else ""
            before, label, after = (html.escape(part, quote=False) for part in word.written[:3])
            text += f"{begins}{before}<c>{label}</c>{after}{ends}" + ("" if word is line[-1] else gap_after(word))
        lines.append(text)
    return f"{_stamp(caption.start)} --> {_stamp(caption.end)}\n" + "\n".join(lines) + "\n"


def _cues(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """The times and the text of each; comments, styles and regions have no times."""
    for block in re.split(r"\n{2,}", text):
        lines = block.split("\n")
        for place, line in enumerate(lines[:2]):  # the first may be the cue's name
            timing = _TIMING.fullmatch(line)
            if timing:
                yield timing, " ".join(lines[place + 1 :])
                break


def _words(payload: str, start: float, end: float) -> Iterator[Segment]:
    """What stands between stamps; punctuation alone is no word."""
    pieces = _INNER.split(payload)
    times = [start, *(_seconds(*pieces[place : place + 3]) for place in range(1, len(pieces), 4)), end]
    for piece, begin, until in zip(pieces[::4], times[:-1], times[1:], strict=True):
        inside = _WORD.findall(piece)
        outside = _shown(_WORD.sub(" ", piece))
        if re.search(r"\w", outside) or len(inside) > 1:
            yield Segment(_shown(piece), begin, until)
        elif inside and _shown(inside[0]):
            yield Segment(_shown(inside[0]), begin, until)


def _shown(piece: str) -> str:
    return one_line(html.unescape(_TAG.sub("", piece)))


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return round(3600 * int(hours or 0) + 60 * int(minutes) + float(seconds), 3)


def _stamp(ms: int) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
