"""What is finished, one line each, so that a run that ended anywhere can be gone on with."""

from __future__ import annotations

import fcntl
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from streamhmm.errors import CorpusError, OutputError, why_not_written

FOLDER = ".streamhmm"
"""Where a results folder keeps what belongs to no single file."""


class Entry(NamedTuple):
    """A finished utterance.

    Attributes:
        name: the utterance's.
        key: what its results were made from (fingerprint.py).
        row: its line of the report as plain values.
        files: by format the hash of the file that was written.
    """

    name: str
    key: str
    row: dict[str, Any]
    files: dict[str, str]


class Journal:
    """The finished utterances of a results folder. One process at a time may hold it; its workers add to it.

    Attributes:
        finished: the entries that were there, by name; of several of one name the last.
        written: hashes of all files that these, and those before them, tell of.

    Raises:
        OutputError: the folder can't be made or written to.
        CorpusError: another process is at work in it.
    """

    def __init__(self, results: str) -> None:
        self._file = open_journal(results)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise CorpusError(f"{results}: another streamhmm is at work in it; wait for it, or stop it") from error
        except OSError:
            pass  # a file system without locks
        entries = list(_read(self._file))
        self.finished = {entry.name: entry for entry in entries}
        self.written = {known for entry in entries for known in entry.files.values()}

    def close(self) -> None:
        """Lets another process have it."""
        self._file.close()


def open_journal(results: str) -> io.FileIO:
    """For reading and for appending. Raises OutputError: it can't be made or written to."""
    path = os.path.join(results, FOLDER, "journal.jsonl")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "ab+", buffering=0)
    except OSError as error:
        raise OutputError(f"{path}: {why_not_written(error, path)}") from error


def append(file: io.FileIO, entry: Entry) -> None:
    """One more entry, by one write, so that those of several processes do not mix; a cut one ends where it begins.

    Raises:
        OutputError: the device is full and the like.
    """
    try:
        file.write(b"\n" + json.dumps(entry._asdict()).encode())
    except OSError as error:
        raise OutputError(f"{file.name}: {why_not_written(error, str(file.name))}") from error


def finished_entries(results: str) -> dict[str, Entry]:
    """The finished utterances of a results folder, by name; none where there is no journal."""
    try:
        with open(os.path.join(results, FOLDER, "journal.jsonl"), "rb", buffering=0) as file:
            return {entry.name: entry for entry in _read(file)}
    except OSError:
        return {}


def _read(file: io.FileIO) -> Iterator[Entry]:
    file.seek(0)
    for line in file.read().split(b"\n"):
        with suppress(ValueError, TypeError):  # empty, or cut when its process ended
            yield Entry(**json.loads(line))
