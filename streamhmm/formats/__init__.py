"""Results out and in again, one file a format, chosen by suffix or by name.

What each holds; the rest is dropped when it is written:

=================  ===============  =====  ======  =====================================  ================
name               suffix           words  phones  and                                    times
=================  ===============  =====  ======  =====================================  ================
textgrid           .TextGrid        yes    yes     off-script speech, duration            1 µs
textgrid-short     .TextGrid        yes    yes     the same, in Praat's short form        1 µs
json               .json            yes    yes     everything                             1 µs
csv                .csv             yes    yes     scores, deviations, takes, skipped,    1 µs
                                                   off-script speech
ctm                .ctm             yes    no      scores, the recording's name           1 µs
ctm-phones         .phones.ctm      no     yes     scores, the recording's name           1 µs
audacity           .labels.txt      yes    no                                             1 µs
audacity-phones    .phones.txt      no     yes                                            1 µs
srt                .srt             no     no      captions, the text with punctuation    1 ms
vtt                .vtt             yes    no      captions, the text with punctuation    1 ms
ass                .ass             yes    no      captions, the text with punctuation    1 cs
=================  ===============  =====  ======  =====================================  ================

Where the duration is not in a file, that of what is read is the last end; a file with nothing in it can't be read then.
White space within a label becomes one space, save in JSON and CSV. ELAN imports and exports TextGrids.

To add a format: copy a neighbour (``format_…(tiers) -> str`` and ``read_…(path) -> Tiers``), then add a line to
``FORMATS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from streamhmm.errors import OutputError
from streamhmm.formats.ass import format_ass, read_ass
from streamhmm.formats.atomic import atomic_write, make_folder_of, remove_leftovers
from streamhmm.formats.audacity import (
    format_audacity,
    format_audacity_phones,
    read_audacity,
    read_audacity_phones,
)
from streamhmm.formats.csv_format import format_csv, read_csv
from streamhmm.formats.ctm import format_ctm, format_ctm_phones, read_ctm, read_ctm_phones
from streamhmm.formats.json_format import format_json, read_json
from streamhmm.formats.srt import format_srt, read_srt
from streamhmm.formats.textgrid import format_short_textgrid, format_textgrid, read_textgrid
from streamhmm.formats.tiers import Tiers
from streamhmm.formats.vtt import format_vtt, read_vtt

__all__ = [
    "FORMATS",
    "Format",
    "Tiers",
    "atomic_write",
    "format_named",
    "format_of",
    "is_corpus_report",
    "load",
    "load_all",
    "make_folder_of",
    "remove_leftovers",
    "save",
    "stem_of",
]

FilePath = str | os.PathLike[str]


class Format(NamedTuple):
    """A way to write results as text and to read them again.

    ``read`` gives the results in a file, or those of each recording or speaker by name where a file may hold several.
    """

    name: str
    suffix: str
    format: Callable[[Tiers], str]
    read: Callable[[FilePath], Tiers | dict[str, Tiers]]


FORMATS = (
    Format("textgrid", ".TextGrid", format_textgrid, read_textgrid),
    Format("textgrid-short", ".TextGrid", format_short_textgrid, read_textgrid),
    Format("json", ".json", format_json, read_json),
    Format("csv", ".csv", format_csv, read_csv),
    Format("ctm", ".ctm", format_ctm, read_ctm),
    Format("ctm-phones", ".phones.ctm", format_ctm_phones, read_ctm_phones),
    Format("audacity", ".labels.txt", format_audacity, read_audacity),
    Format("audacity-phones", ".phones.txt", format_audacity_phones, read_audacity_phones),
    Format("srt", ".srt", format_srt, read_srt),
    Format("vtt", ".vtt", format_vtt, read_vtt),
    Format("ass", ".ass", format_ass, read_ass),
)


def format_of(path: FilePath) -> Format:
    """The format that the suffix names, in upper or lower case. Raises ValueError for an unknown one."""
    name = os.path.basename(os.fspath(path)).lower()
    fitting = [known for known in FORMATS if name.endswith(known.suffix.lower()) and len(name) > len(known.suffix)]
    if fitting:
        return max(fitting, key=lambda known: len(known.suffix))  # ".phones.ctm" before ".ctm"
    suffixes = ", ".join(dict.fromkeys(known.suffix for known in FORMATS))
    raise ValueError(
        f"the suffix of {os.fspath(path)!r} must be one of {suffixes}, got {os.path.splitext(os.fspath(path))[1]!r}"
    )


def format_named(name: str) -> Format:
    """The format of that name. Raises ValueError for an unknown one."""
    for known in FORMATS:
        if known.name == name:
            return known
    raise ValueError(f"format must be one of {', '.join(known.name for known in FORMATS)}, got {name!r}")


def is_corpus_report(path: FilePath) -> bool:
    """Whether a file is the table that ``streamhmm corpus`` leaves beside its results, and no result."""
    folder, name = os.path.split(os.fspath(path))
    return name == "report.csv" and os.path.isdir(os.path.join(folder, ".streamhmm"))


def stem_of(path: FilePath) -> str:
    """The name of a file without its folder and without the suffix of its format, or of any."""
    name = os.path.basename(os.fspath(path))
    try:
        return name[: -len(format_of(name).suffix)]
    except ValueError:
        return os.path.splitext(name)[0]


def save(path: FilePath, tiers: Tiers, format: str | None = None) -> None:
    """Write ``tiers`` to ``path``, whole or not at all, in the format of that name or, by default, of the suffix.

    Raises:
        ValueError: an unknown suffix or name.
        OutputError: the file can't be written, or the format has no room for times that late.
    """
    try:
        text = _format(path, format).format(tiers)
    except OutputError as error:
        raise OutputError(f"{os.fspath(path)}: {error}") from error
    with atomic_write(path) as file:
        file.write(text)


def load(path: FilePath, format: str | None = None, name: str | None = None) -> Tiers:
    """Read what ``save`` or another program wrote.

    Args:
        path: the file.
        format: the name of its format; by default that of its suffix.
        name: which utterance of a CTM file or speaker of a TextGrid, where there are several.

    Raises:
        ValueError: an unknown suffix or format.
        OutputError: a file that can't be read, that holds several utterances or speakers, or not the one named.
    """
    found = load_all(path, format)
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    if name is None:
        raise OutputError(f"{os.fspath(path)}: holds {len(found)} results, choose one by name: {_some(found)}")
    raise OutputError(f"{os.fspath(path)}: holds nothing named {name!r}; there is {_some(found)}")


def load_all(path: FilePath, format: str | None = None) -> dict[str, Tiers]:
    """Everything in a file by name: of utterances in a CTM file, of speakers in a TextGrid, else the file's stem.

    Raises:
        ValueError: an unknown suffix or format.
        OutputError: a file that can't be read.
    """
    found = _format(path, format).read(path)
    return {stem_of(path): found} if isinstance(found, Tiers) else found


def _format(path: FilePath, name: str | None) -> Format:
    return format_of(path) if name is None else format_named(name)


def _some(names: dict[str, Tiers]) -> str:
    listed = sorted(names)
    return ", ".join(map(repr, listed[:5])) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
