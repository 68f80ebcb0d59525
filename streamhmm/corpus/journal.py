"""What is finished, one line each, so that a run that ended anywhere can be gone on with."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any, NamedTuple

from streamhmm.errors import CorpusError, OutputError, why_not_written

FOLDER = ".streamhmm"
"""Where a results folder keeps what belongs to no single file."""


class Entry(NamedTuple):
    """A finished utterance: its name, its key (fingerprint.py), its line of the report as plain values."""

    name: str
    key: str
    row: dict[str, Any]


class Journal:
    """The finished utterances of a results folder; one process at a time may hold it.

    A line is appended with one write after the files of its utterance are there. A line that was cut by the end of the
    process is passed over.

    Raises:
        OutputError: the folder can't be made or written to.
        CorpusError: another process is at work in it.
    """

    def __init__(self, results: str) -> None:
        folder = os.path.join(results, FOLDER)
        self._path = os.path.join(folder, "journal.jsonl")
        try:
            os.makedirs(folder, exist_ok=True)
            self._file = open(self._path, "ab+", buffering=0)  # noqa: SIM115  # open as long as the journal
        except OSError as error:
            raise self._unwritten(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise CorpusError(f"{results}: another streamhmm is at work in it; wait for it, or stop it") from error
        self.finished = self._read()

    def add(self, entry: Entry) -> None:
        """One more. Raises OutputError: the device is full and the like."""
        self.finished[entry.name] = entry
        try:
            self._file.write(json.dumps(entry._asdict()).encode() + b"\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Lets another process have it."""
        self._file.close()

    def _read(self) -> dict[str, Entry]:
        self._file.seek(0)
        finished = {}
        content = self._file.read()
        for line in content.split(b"\n"):
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue  # cut, or empty
            finished[entry.name] = entry
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")  # so that the next line is not glued to a cut one
        return finished

    def _unwritten(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: {why_not_written(error, self._path)}")
