"""What a process of the pool does with its tasks."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from streamhmm.acoustic import AcousticModel
from streamhmm.align.adaptation import LEAST_UTTERANCES, Adaptation
from streamhmm.align.results import Alignment
from streamhmm.audio import Audio
from streamhmm.corpus.adapting import write_kept
from streamhmm.corpus.fingerprint import utterance_key
from streamhmm.corpus.joining import Placed, join
from streamhmm.corpus.measures import measure
from streamhmm.corpus.messages import Adapted, Failed, Finished, Message
from streamhmm.corpus.recordings import Recording, Recordings, part_of
from streamhmm.corpus.settings import Settings
from streamhmm.corpus.tasks import AdaptTask
from streamhmm.corpus.utterance import Utterance
from streamhmm.corpus.writer import ResultWriter
from streamhmm.errors import OutputError, StreamHMMError

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner

BATCH_S = 120.0
"""So much audio is held, or what is two batches, and goes through the network in batches of similar length."""
WRITERS = 8
"""A disk takes milliseconds to confirm a file, and several at once."""
SAMPLE_S, LONGEST_SAMPLE_S = 40.0, 120.0
"""So much of a speaker is enough to adapt to if it is as many utterances as it takes; longer ones are left out."""
NOTHING_CAN_BE_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


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
        aligner: what the settings name.
        settings: how to align.
        digest: what the settings mean, for the keys.
        results: the folder for results.

    Raises:
        OutputError: the journal can't be written to.
    """

    def __init__(self, aligner: Aligner, settings: Settings, digest: str, results: str) -> None:
        self._aligner, self._settings, self._digest = aligner, settings, digest
        self._batch_size = aligner.model.batch_size if isinstance(aligner.model, AcousticModel) else None
        if self._batch_size is not None:
            self._batch_size.limit(settings.batch_s)
        self._recordings = Recordings(aligner.model.sample_rate)
        self._writer = ResultWriter(results, settings.formats)
        self._threads = ThreadPoolExecutor(WRITERS)

    def close(self) -> None:
        """Ends the threads that write, and closes the journal."""
        self._threads.shutdown()
        self._writer.close()

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
            if sum(item.seconds for item in items) >= self._held_s:
                yield from self._align(items, aligner, adaptation)
                items = []
        yield from self._align(items, aligner, adaptation)

    @property
    def _held_s(self) -> float:
        return BATCH_S if self._batch_size is None else max(BATCH_S, 2 * self._batch_size.seconds)

    def _read(self, utterance: Utterance) -> _Item:
        channel = utterance.channel or self._settings.channel
        recording = self._recordings.read(utterance.audio, channel)
        return _Item(utterance, recording, [part_of(recording.audio, part, utterance) for part in utterance.parts])

    def _align(self, items: Sequence[_Item], aligner: Aligner, adaptation: Adaptation | None) -> Iterator[Message]:
        began = time.perf_counter()
        pairs = [
            (audio, part.text) for item in items for audio, part in zip(item.parts, item.utterance.parts, strict=True)
        ]
        wanted = self._settings
        found = iter(aligner.align_batch(pairs, follow=wanted.follow, imperfect=wanted.imperfect, strict=wanted.strict))
        results = [[next(found) for _ in item.parts] for item in items]
        each_s = (time.perf_counter() - began) / max(1e-9, sum(item.seconds for item in items))
        finish = partial(self._outcome, each_s=each_s, adaptation=adaptation)
        yield from self._threads.map(finish, items, results)

    def _outcome(
        self,
        item: _Item,
        found: Sequence[Alignment | StreamHMMError],
        each_s: float,
        adaptation: Adaptation | None,
    ) -> Finished | Failed:
        try:
            alignment = _joined(item, found)
            kind = "" if adaptation is None else adaptation.kind
            row = measure(alignment, item.utterance, item.seconds, each_s * item.seconds, kind)
            key = utterance_key(item.utterance, item.recording.hash, self._digest, adaptation)
            return Finished(self._writer.write(item.utterance.name, key, alignment, row))
        except StreamHMMError as error:
            return _failed(item.utterance, error)


def _joined(item: _Item, found: Sequence[Alignment | StreamHMMError]) -> Alignment:
    """The parts as one; those with an error become warnings. Raises the first error if there is nothing else."""
    starts = [part.start_s for part in item.utterance.parts]
    placed = [Placed(start, one) for start, one in zip(starts, found, strict=True) if isinstance(one, Alignment)]
    errors = [(start, one) for start, one in zip(starts, found, strict=True) if isinstance(one, StreamHMMError)]
    if not placed:
        raise errors[0][1]
    warnings = [f"from {start:.2f} s on: not aligned: {error}" for start, error in errors]
    return join(placed, item.recording.audio.duration, warnings)


def _failed(utterance: Utterance, error: StreamHMMError) -> Failed:
    return Failed(utterance.name, str(error).removeprefix(f"{utterance.audio}: "), _stops_all(error))


def _stops_all(error: StreamHMMError) -> bool:
    cause = error.__cause__
    return isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in NOTHING_CAN_BE_WRITTEN
