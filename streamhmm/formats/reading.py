"""Result files back as text, and text as what the formats have in common."""

from __future__ import annotations

import bisect
import codecs
import os
from collections.abc import Sequence

from streamhmm.errors import OutputError
from streamhmm.formats.tiers import Tiers
from streamhmm.segment import Segment


def read_result(path: str | os.PathLike[str]) -> str:
    """The text of a result file, UTF-8 or (as Praat may save it) UTF-16. Raises OutputError if it can't be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise OutputError(f"{os.fspath(path)}: can't be read ({error.strerror or error}); check the path") from error
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise damaged(path, f"byte {error.start} is not {error.encoding}") from error


def damaged(path: str | os.PathLike[str], reason: str) -> OutputError:
    """The error for a file that is there but is not what its suffix says."""
    return OutputError(f"{os.fspath(path)}: damaged, or not of the format that its suffix names: {reason}")


def one_line(label: str) -> str:
    """A label for a format whose labels are single lines: runs of white space become one space."""
    return " ".join(label.split())


def words_around(phones: Sequence[Segment], words: Sequence[Segment]) -> tuple[int, ...]:
    """For each phone the index of the word around its middle, −1 if there is none."""
    starts = [word.start for word in words]
    indices = []
    for phone in phones:
        middle = (phone.start + phone.end) / 2
        index = bisect.bisect_right(starts, middle) - 1
        indices.append(index if index >= 0 and middle < words[index].end else -1)
    return tuple(indices)


def without_duration(
    path: str | os.PathLike[str],
    *,
    words: Sequence[Segment] = (),
    phones: Sequence[Segment] = (),
    offscript: Sequence[Segment] = (),
    **others: object,
) -> Tiers:
    """What a file holds that does not tell how long the recording is; each phone belongs to the word around it.

    Raises:
        OutputError: there is nothing in it, or segments that can't be.
    """
    if not (words or phones or offscript):
        raise damaged(path, "there are no segments in it, and without them no duration")
    duration = max(tier[-1].end for tier in (words, phones, offscript) if tier)
    fields = {"phone_words": words_around(phones, words), **others}
    try:
        return Tiers(tuple(words), tuple(phones), duration=duration, offscript=tuple(offscript), **fields)  # type: ignore[arg-type]
    except ValueError as error:
        raise damaged(path, str(error)) from error
