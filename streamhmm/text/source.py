"""Text files in."""

from __future__ import annotations

import os
from typing import BinaryIO

from streamhmm.errors import TextError


def read_text(source: str | os.PathLike[str] | BinaryIO) -> str:
    """The content of a UTF-8 text file, with or without a byte order mark.

    Args:
        source: a path or a binary file; of a file, ``name`` is what messages call it.

    Raises:
        TextError: the file is missing, a directory, unreadable, empty, binary, or not UTF-8 (the first wrong byte is
            named).
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        try:
            with open(source, "rb") as file:
                data = file.read()
        except OSError as error:
            raise TextError(_unreadable(name, error)) from error
    else:
        given = getattr(source, "name", None)
        name = given if isinstance(given, str) else "<text>"
        data = source.read()
    return _decode(data, name)


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TextError(f"{name}: this is UTF-16 text; save it as UTF-8")
    if b"\0" in data:
        raise TextError(f"{name}: this is a binary file (byte {data.index(0)} is zero); name a text file")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{name}: byte {error.start} (0x{data[error.start]:02x}) is not UTF-8 text; save the file as UTF-8"
        ) from error
    if not text.strip():
        raise TextError(f"{name}: the file is empty; write the words that are spoken into it")
    return text


def _unreadable(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name}: there is no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return f"{name}: this is a directory; name one text file in it"
    if isinstance(error, PermissionError):
        return f"{name}: no permission to read it; change the file's permissions or copy it"
    return f"{name}: can't be read ({error.strerror or error}); check the path"
