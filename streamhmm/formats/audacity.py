"""Audacity's labels: ``start<tab>end<tab>label``, a line each.

https://manual.audacityteam.org/man/importing_and_exporting_labels.html. A label track is one tier, so words and phones
are two files. Their suffixes are ``.labels.txt`` and ``.phones.txt``, for ``.txt`` alone is what transcripts have; what
Audacity exported under another name is read with the format's name given.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from streamhmm.formats.reading import damaged, one_line, read_result, without_duration
from streamhmm.formats.tiers import DECIMALS, Tiers, to_decimals
from streamhmm.segment import Segment


def format_audacity(tiers: Tiers) -> str:
    """The words as labels."""
    return _format(tiers.words)


def format_audacity_phones(tiers: Tiers) -> str:
    """The phones as labels."""
    return _format(tiers.phones)


def read_audacity(path: str | os.PathLike[str]) -> Tiers:
    """Read words; labels without text or without length, and ranges of frequencies, are left out.

    Raises:
        OutputError: the file can't be read, is damaged or empty.
    """
    return without_duration(path, words=_segments(path))


def read_audacity_phones(path: str | os.PathLike[str]) -> Tiers:
    """Read phones as :func:`read_audacity` does words."""
    return without_duration(path, phones=_segments(path))


def _format(segments: Sequence[Segment]) -> str:
    return "".join(
        f"{to_decimals(s.start):.{DECIMALS}f}\t{to_decimals(s.end):.{DECIMALS}f}\t{one_line(s.label)}\n"
        for s in segments
    )


def _segments(path: str | os.PathLike[str]) -> list[Segment]:
    segments = []
    for number, line in enumerate(read_result(path).split("\n"), 1):
        if not line.strip() or line.startswith("\\"):  # the frequencies of the label above
            continue
        start, *rest = line.rstrip("\r").split("\t", 2)
        if not rest:
            raise damaged(path, f"line {number} is not start, end and label with tabs between")
        label = rest[1].strip() if len(rest) > 1 else ""
        try:
            segment = Segment(label, float(start), float(rest[0]))
        except ValueError as error:
            raise damaged(path, f"line {number}: {error}") from error
        if label and segment.start != segment.end:
            segments.append(segment)
    return segments
