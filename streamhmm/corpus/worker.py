"""A process that aligns what it is sent."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

from streamhmm.align.results import Alignment
from streamhmm.audio import Audio
from streamhmm.corpus.fingerprint import utterance_key
from streamhmm.corpus.joining import Placed, join
from streamhmm.corpus.journal import Entry, append, open_journal
from streamhmm.corpus.measures import measure
from streamhmm.corpus.messages import Broken, Failed, Finished, Message, Ready, TaskDone
from streamhmm.corpus.recordings import Recording, Recordings, part_of
from streamhmm.corpus.settings import Settings
from streamhmm.corpus.utterance import Utterance
from streamhmm.errors import OutputError, StreamHMMError, why_not_written

BATCH_S = 120.0
"""So much audio is held and goes through the network together, in batches of similar length."""
WRITERS = 8
"""A disk takes milliseconds to confirm a file, and several at once."""
NOTHING_CAN_BE_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def work(connection: Connection, settings: Settings, digest: str, results: str) -> None:
    """Take lists of utterances until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the terminal's processes; the first decides
    signal.signal(signal.SIGTERM, _leave)
    try:
        worker = Worker(settings, digest, results)
    except StreamHMMError as error:
        connection.send(Broken(error))
        return
    with closing(worker), suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody is there any more
        connection.send(Ready())
        while True:
            for message in worker.align(connection.recv()):
                connection.send(message)
            connection.send(TaskDone())


def _leave(number: int, frame: object) -> None:
    """Ends the process as an error does, so that no half-written file stays."""
    raise SystemExit(128 + number)


class _Item(NamedTuple):
    """An utterance with its recording, cut into parts."""

    utterance: Utterance
    recording: Recording
    parts: list[Audio]

    @property
    def seconds(self) -> float:
        """How much is aligned."""
        return sum(part.duration for part in self.parts)


class Worker:
    """Aligns and writes.

    Args:
        settings: how.
        digest: what the settings mean, for the keys.
        results: the folder for results.

    Raises:
        ModelError, TextError, BackendUnavailable: as :class:`~streamhmm.Aligner`.
        OutputError: the journal can't be written to.
    """

    def __init__(self, settings: Settings, digest: str, results: str) -> None:
        import torch

        from streamhmm.align.aligner import Aligner

        torch.set_num_threads(settings.threads)
        self._settings, self._digest, self._results = settings, digest, results
        self._aligner = Aligner(
            settings.model, settings.backend, settings.precision, settings.device, lexicon=settings.lexicon
        )
        self._recordings = Recordings(self._aligner.model.sample_rate)
        self._journal = open_journal(results)
        self._writers = ThreadPoolExecutor(WRITERS)

    def close(self) -> None:
        """Ends the threads that write, and closes the journal."""
        self._writers.shutdown()
        self._journal.close()

    def align(self, utterances: Sequence[Utterance]) -> Iterator[Message]:
        """What becomes of each, in any order."""
        items: list[_Item] = []
        for utterance in utterances:
            try:
                items.append(self._read(utterance))
            except StreamHMMError as error:
                yield _failed(utterance, error)
            if sum(item.seconds for item in items) >= BATCH_S:
                yield from self._align(items)
                items = []
        yield from self._align(items)

    def _read(self, utterance: Utterance) -> _Item:
        channel = utterance.channel or self._settings.channel
        recording = self._recordings.read(utterance.audio, channel)
        return _Item(utterance, recording, [part_of(recording.audio, part, utterance) for part in utterance.parts])

    def _align(self, items: Sequence[_Item]) -> Iterator[Message]:
        began = time.perf_counter()
        pairs = [
            (audio, part.text) for item in items for audio, part in zip(item.parts, item.utterance.parts, strict=True)
        ]
        found = iter(self._aligner.align_batch(pairs, follow=self._settings.follow, strict=self._settings.strict))
        results = [[next(found) for _ in item.parts] for item in items]
        each_s = (time.perf_counter() - began) / max(1e-9, sum(item.seconds for item in items))
        yield from self._writers.map(self._outcome, items, results, [each_s * item.seconds for item in items])

    def _outcome(self, item: _Item, found: Sequence[Alignment | StreamHMMError], compute_s: float) -> Finished | Failed:
        try:
            return self._finish(item, found, compute_s)
        except StreamHMMError as error:
            return _failed(item.utterance, error)

    def _finish(self, item: _Item, found: Sequence[Alignment | StreamHMMError], compute_s: float) -> Finished:
        utterance, recording = item.utterance, item.recording
        placed = [
            Placed(part.start_s, one)
            for part, one in zip(utterance.parts, found, strict=True)
            if isinstance(one, Alignment)
        ]
        errors = [
            (part, one) for part, one in zip(utterance.parts, found, strict=True) if isinstance(one, StreamHMMError)
        ]
        if not placed:
            raise errors[0][1]
        warnings = [f"from {part.start_s:.2f} s on: not aligned: {error}" for part, error in errors]
        alignment = join(placed, recording.audio.duration, warnings)
        self._write(utterance.name, alignment)
        row = measure(alignment, utterance.speaker, compute_s).as_values()
        entry = Entry(utterance.name, utterance_key(utterance, recording.hash, self._digest), row)
        append(self._journal, entry)  # here, and not where it is sent to: whoever that is may be killed meanwhile
        return Finished(entry)

    def _write(self, name: str, alignment: Alignment) -> None:
        for known, path in self._settings.files(self._results, name).items():
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except OSError as error:
                raise OutputError(f"{path}: {why_not_written(error, path)}") from error
            alignment.save(path, known)


def _failed(utterance: Utterance, error: StreamHMMError) -> Failed:
    cause = error.__cause__
    stops_all = isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in NOTHING_CAN_BE_WRITTEN
    return Failed(utterance.name, str(error).removeprefix(f"{utterance.audio}: "), stops_all)
