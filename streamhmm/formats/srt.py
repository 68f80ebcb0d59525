"""SubRip captions: numbered, with times to the millisecond, in plain text.

There are no times of words in it: what is read has one segment for each caption, and says so in a warning.
"""

from __future__ import annotations

import os
import re

from streamhmm.formats.captions import CAPTIONS_ONLY, captions, plain_text
from streamhmm.formats.reading import one_line, without_duration
from streamhmm.formats.subtitles import Event, format_subtitles, guarded, read_subtitles, unguarded
from streamhmm.formats.tiers import Tiers
from streamhmm.segment import Segment

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")


def format_srt(tiers: Tiers) -> str:
    """The captions as SubRip. Raises OutputError from 100 hours on."""
    events = [
        Event(shown.start, shown.end, r"\N".join(guarded(plain_text(line)) for line in shown.lines))
        for shown in captions(tiers, 1000)
    ]
    return format_subtitles(events, "srt")


def read_srt(path: str | os.PathLike[str]) -> Tiers:
    """Read SubRip captions: a segment each, without markup.

    Raises:
        OutputError: the file can't be read, is damaged, or has no captions.
    """
    shown = [
        Segment(one_line(unguarded(_TAG.sub("", event.text.replace(r"\N", " ")))), event.start / 1000, event.end / 1000)
        for event in read_subtitles(path, "srt")
    ]
    shown = [segment for segment in shown if segment.label]
    text = " ".join(segment.label for segment in shown)
    return without_duration(path, words=shown, text=text, warnings=(CAPTIONS_ONLY,))
