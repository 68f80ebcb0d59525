"""What SubRip and SubStation files have in common: pysubs2, and text that is no markup.

Neither format has escapes, so what would be markup gets a word joiner (U+2060, which has no width) put into it, braces
in SubStation files their wide forms before one; reading takes them out again.
"""

from __future__ import annotations

import os
import re
import warnings
from typing import TYPE_CHECKING

from streamhmm.errors import OutputError
from streamhmm.formats.reading import damaged, read_result

if TYPE_CHECKING:
    from pysubs2 import SSAEvent, SSAFile

JOINER = "\u2060"
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


def subtitles(events: list[SSAEvent], latest_ms: int) -> SSAFile:
    """The events as a file of pysubs2. Raises OutputError if one ends after ``latest_ms``, its last time."""
    from pysubs2 import SSAFile

    if events and events[-1].end > latest_ms:
        hours = round(latest_ms / 3_600_000)
        raise OutputError(f"subtitles of this format end at {hours} hours; write .vtt, or split the recording")
    file = SSAFile()
    file.events = events
    return file


def read_subtitles(path: str | os.PathLike[str], kind: str) -> list[SSAEvent]:
    """What is shown, in order of time. Raises OutputError for a file that can't be read or is damaged."""
    from pysubs2 import SSAFile

    text = read_result(path).replace("\r\n", "\n").replace("\r", "\n")
    if kind == "srt":
        text += "\n\n0\n"  # pysubs2 takes a number at the end of the last caption for that of the next
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about margins and colours
            file = SSAFile.from_string(text, format_=kind, **({"keep_html_tags": True} if kind == "srt" else {}))
    except Exception as error:  # pysubs2 raises whatever its parsing runs into
        raise damaged(path, f"not subtitles ({type(error).__name__}: {error})") from error
    return sorted((event for event in file.events if not event.is_comment), key=lambda event: event.start)
