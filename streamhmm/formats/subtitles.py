"""What SubRip and SubStation files have in common: pysubs2, and text that is no markup.

Neither format has escapes, so what would be markup gets a word joiner (U+2060, which has no width) put into it, braces
in SubStation files their wide forms before one; reading takes them out again.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

from streamhmm.errors import OutputError
from streamhmm.formats.reading import damaged, read_result

JOINER = "\u2060"
LAST_HOURS = {"srt": 100, "ass": 10}
_MARKUP = re.compile(r"\\|<(?=[A-Za-z/])|--(?=>)")
_BRACES = {"{": "｛" + JOINER, "}": "｝" + JOINER}
_JOINED = {joined: brace for brace, joined in _BRACES.items()}


def guarded(text: str, *, braces: bool = False) -> str:
    """The text, so that players and readers show it and find no tag in it; ``braces``: they are markup, too."""
    text = _MARKUP.sub(lambda match: match[0] + JOINER, text)
    return re.sub("[{}]", lambda match: _BRACES[match[0]], text) if braces else text


def unguarded(text: str) -> str:
    """The text that was guarded."""
    for joined, brace in _JOINED.items():
        text = text.replace(joined, brace)
    return text.replace(JOINER, "")


class Event(NamedTuple):
    """What is shown and when, in milliseconds; the text has the markup of the format, ``\\N`` breaks a line."""

    start: int
    end: int
    text: str


def format_subtitles(events: Sequence[Event], kind: Literal["srt", "ass"]) -> str:
    """The events as a file. Raises OutputError if one ends later than such a file can tell."""
    from pysubs2 import Color, SSAEvent, SSAFile  # only these formats need it

    hours = LAST_HOURS[kind]
    if events and events[-1].end > 3_600_000 * hours - 10:
        raise OutputError(f"subtitles of this format end at {hours} hours; write .vtt, or split the recording")
    if kind == "srt" and not events:
        return ""
    file = SSAFile()
    file.events = [SSAEvent(*event) for event in events]
    if kind == "srt":
        return str(file.to_string("srt", keep_ssa_tags=True))  # it would drop what stands in braces
    file.styles["Default"].secondarycolor = Color(160, 160, 160)  # of words that are yet to come
    return str(file.to_string("ass", header_notice="Written by streamhmm"))


def read_subtitles(path: str | os.PathLike[str], kind: Literal["srt", "ass"]) -> list[Event]:
    """What is shown, in order of time. Raises OutputError for a file that can't be read or is damaged."""
    from pysubs2 import SSAFile

    text = read_result(path).replace("\r\n", "\n").replace("\r", "\n")
    if kind == "srt":
        text += "\n\n0\n"  # pysubs2 takes a number at the end of the last caption for that of the next
    tags = {"keep_html_tags": True} if kind == "srt" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about margins and colours
            file = SSAFile.from_string(text, format_=kind, **tags)
    except Exception as error:  # pysubs2 raises whatever its parsing runs into
        raise damaged(path, f"not subtitles ({type(error).__name__}: {error})") from error
    return sorted(Event(event.start, event.end, event.text) for event in file.events if not event.is_comment)
