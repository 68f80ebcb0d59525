"""Result files back as text."""

from __future__ import annotations

import codecs
import os

from streamhmm.errors import OutputError


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
