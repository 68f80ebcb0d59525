"""A process that aligns what it is sent."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NamedTuple

from streamhmm.align.adaptation import LEAST_UTTERANCES, Adaptation
from streamhmm.align.results import Alignment
from streamhmm.audio import Audio
from streamhmm.corpus.adapting import write_kept
from streamhmm.corpus.fingerprint import utterance_key
from streamhmm.corpus.joining import Placed, join
from streamhmm.corpus.journal import Entry, append, open_journal
from streamhmm.corpus.measures import measure
from streamhmm.corpus.messages import Adapted, Broken, Failed, Finished, Message, Ready, TaskDone
from streamhmm.corpus.recordings import Recording, Recordings, part_of
from streamhmm.corpus.settings import Settings
from streamhmm.corpus.tasks import AdaptTask
from streamhmm.corpus.utterance import Utterance
from streamhmm.errors import OutputError, StreamHMMError, why_not_written

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner

BATCH_S = 120.0
"""So much audio is held and goes through the network together, in batches of similar length."""
SAMPLE_S, LONGEST_SAMPLE_S = 40.0, 120.0
"""So much of a speaker is enough to adapt to if it is as many utterances as it takes; longer ones are left out."""
NOTHING_CAN_BE_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def work(connection: Connection, settings: Settings, digest: str, results: str) -> None:
    """Do tasks until nobody sends any more."""
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
            for message in connection.recv().run(worker):
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

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()

    def adapt(self, task: AdaptTask) -> Adapted | Failed:
        """Estimates what makes up for the speakers of a group, and keeps it."""
        pairs: list[tuple[Audio, str]] = []
        for utterance in task.utterances:
            try:
                item = self._read(utterance)
            except StreamHMMError:
                continue  # it will be told of where it is aligned
            parts = zip(item.parts, utterance.parts, strict=True)
            pairs += [(audio, part.text) for audio, part in parts if audio.duration <= LONGEST_SAMPLE_S]
            if len(pairs) >= LEAST_UTTERANCES and sum(audio.duration for audio, _ in pairs) >= SAMPLE_S:
                break
        adaptation = self._aligner.estimate_adaptation(pairs)
        try:
            write_kept(task.path, adaptation, self._digest)
        except OutputError as error:
            return Failed(task.group, str(error), _stops_all(error))
        return Adapted(task.group, adaptation)

    def align(self, utterances: Sequence[Utterance], adaptation: Adaptation | None = None) -> Iterator[Message]:
        """What becomes of each, in any order."""
        aligner = self._aligner if adaptation is None else self._aligner.adapted(adaptation)
        items: list[_Item] = []
        for utterance in utterances:
            try:
                items.append(self._read(utterance))
            except StreamHMMError as error:
                yield _failed(utterance, error)
            if sum(item.seconds for item in items) >= BATCH_S:
                yield from self._align(items, aligner, adaptation)
                items = []
        yield from self._align(items, aligner, adaptation)

    def _read(self, utterance: Utterance) -> _Item:
        channel = utterance.channel or self._settings.channel
        recording = self._recordings.read(utterance.audio, channel)
        return _Item(utterance, recording, [part_of(recording.audio, part, utterance) for part in utterance.parts])

    def _align(self, items: Sequence[_Item], aligner: Aligner, adaptation: Adaptation | None) -> Iterator[Message]:
        began = time.perf_counter()
        pairs = [
            (audio, part.text) for item in items for audio, part in zip(item.parts, item.utterance.parts, strict=True)
        ]
        found = iter(aligner.align_batch(pairs, follow=self._settings.follow, strict=self._settings.strict))
        aligned = [(item, [next(found) for _ in item.parts]) for item in items]
        each_s = (time.perf_counter() - began) / max(1e-9, sum(item.seconds for item in items))
        for item, results in aligned:
            try:
                yield self._finish(item, results, each_s * item.seconds, adaptation)
            except StreamHMMError as error:
                yield _failed(item.utterance, error)

    def _finish(
        self,
        item: _Item,
        found: Sequence[Alignment | StreamHMMError],
        compute_s: float,
        adaptation: Adaptation | None,
    ) -> Finished:
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
        kind = "" if adaptation is None else adaptation.kind
        row = measure(alignment, utterance.speaker, compute_s, kind).as_values()
        entry = Entry(utterance.name, utterance_key(utterance, recording.hash, self._digest, adaptation), row)
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
    return Failed(utterance.name, str(error).removeprefix(f"{utterance.audio}: "), _stops_all(error))


def _stops_all(error: StreamHMMError) -> bool:
    cause = error.__cause__
    return isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in NOTHING_CAN_BE_WRITTEN
