"""Result files appear whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO, TypeVar

from streamhmm.errors import OutputError, why_not_written

File = TypeVar("File", TextIO, BinaryIO)

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open ``path`` for writing UTF-8 text; it takes its new content when the block ends without an error.

    The text goes to a hidden temporary file in the same folder, which is synchronised and renamed. After any error the
    temporary file is gone and what was at ``path`` is untouched. A link is followed, an existing file keeps its
    permissions. A device or a pipe is written to directly.

    Raises:
        OutputError: no permission, no such folder, a full device and the like; the cause is the ``OSError``.
    """
    with _replaced(path, _text_file) as file:
        yield file


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Give ``path`` this content in the same way. Raises OutputError."""
    with _replaced(path, _binary_file) as file:
        file.write(data)


@contextmanager
def _replaced(path: str | os.PathLike[str], opened: Callable[[str | int], File]) -> Iterator[File]:
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with opened(target) as file:
                yield file
        else:
            with _replacement(target, opened) as file:
                yield file
    except OSError as error:
        raise OutputError(f"{os.fspath(path)}: {why_not_written(error, target)}") from error


def make_folder_of(path: str) -> None:
    """Make the folder that a file is to be written into, where it is not there. Raises OutputError."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {why_not_written(error, path)}") from error


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of processes that were killed, below a folder in which nobody else writes."""
    for home, _, names in os.walk(folder):
        for name in filter(_TEMPORARY.fullmatch, names):
            with suppress(OSError):
                os.unlink(os.path.join(home, name))


@contextmanager
def _replacement(target: str, opened: Callable[[str | int], File]) -> Iterator[File]:
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    mode = _mode_of(target)
    # Made by hand, because tempfile's files ignore the umask.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with opened(descriptor) as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _text_file(file: str | int) -> TextIO:
    # Undecodable bytes of file names are the only characters that UTF-8 can't hold.
    return open(file, "w", encoding="utf-8", errors="backslashreplace", newline="\n")


def _binary_file(file: str | int) -> BinaryIO:
    return open(file, "wb")


def _mode_of(target: str) -> int | None:
    """The permissions of a file that is there, None if there is none. Raises OSError if it may not be written."""
    if not os.path.exists(target):
        return None
    os.close(os.open(target, os.O_WRONLY))
    return stat.S_IMODE(os.stat(target).st_mode)
