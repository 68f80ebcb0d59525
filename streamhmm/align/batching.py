"""Many live streams whose network runs in batches."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.acoustic.batching import LOST, BatchedScores
from streamhmm.align.collector import Collector
from streamhmm.align.events import Event
from streamhmm.align.follow import Follow
from streamhmm.align.stream import BEAM, CERTAINTY, KEEP_S, AlignmentStream, checked_samples
from streamhmm.errors import AudioError

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner


class BatchingStatus(NamedTuple):
    """What an engine has done.

    Attributes:
        streams: that are open now.
        batches: that ran.
        chunks: that were in them.
    """

    streams: int
    batches: int
    chunks: int


class BatchingEngine:
    """Computes the scores of many streams together, which costs a fraction of what it costs alone.

    ::

        with sh.BatchingEngine(aligner) as engine:
            stream = engine.stream(text)    # as aligner.stream(text), as often as there are speakers
            events = stream.push(samples)   # from a thread of its own
            results = engine.push([(stream, samples), (other, more)])    # or from one loop for all

    Streams join and leave at any time, and a stream that is dropped leaves. Each gets the events it would get alone, up
    to the rounding of the network. A ``push`` waits until its batch has run: when ``max_batch`` chunks wait, or a chunk
    of every open stream does, or the oldest has waited for ``deadline_s``.

    End it with ``with`` or :meth:`close`: its thread keeps an engine that is only dropped, and its memory, alive.

    Args:
        aligner: whose model and text processing all streams share.
        max_batch: chunks of a batch.
        deadline_s: how long a chunk waits for others.

    Raises:
        ValueError: ``max_batch`` below 1, a negative or infinite ``deadline_s``.
        ModelError: the model is a Hugging Face one.
    """

    def __init__(self, aligner: Aligner, max_batch: int = 64, deadline_s: float = 0.01) -> None:
        if not (0 <= deadline_s < math.inf):
            raise ValueError(f"deadline_s must be at least 0 and finite, got {deadline_s}")
        self._aligner = aligner
        self._scores = BatchedScores(aligner.own_model("stream"), max_batch)
        self._running = Lock()
        self._dropped: deque[int] = deque()  # slots of streams that are gone; a collector of garbage may take no lock
        self._collector = Collector(self._run, self._open_streams, max_batch, deadline_s, self._lost)
        self._closed = False
        self._batches = self._chunks = 0

    def stream(
        self,
        text: str | Sequence[str],
        max_lag: float | None = 0.3,
        follow: bool = False,
        *,
        beam: float | None = BEAM,
        certainty: float | None = CERTAINTY,
        keep: float = KEEP_S,
        strict: bool = False,
    ) -> AlignmentStream:
        """A stream whose scores this engine computes. For arguments and errors see :meth:`Aligner.stream`.

        Its ``push`` raises a RuntimeError once the engine is closed, also if it waits then; ``close`` and ``finish`` of
        the stream still work.

        Raises:
            RuntimeError: the engine is closed.
        """
        if self._closed:
            raise RuntimeError("the engine is closed; make a new one")
        return AlignmentStream(
            self._aligner,
            text,
            max_lag=max_lag,
            follow=Follow() if follow else None,
            beam=beam,
            certainty=certainty,
            keep=keep,
            strict=strict,
            source=_Source(self),
        )

    def push(
        self, chunks: Sequence[tuple[AlignmentStream, NDArray[np.float32] | Tensor]]
    ) -> list[list[Event] | AudioError | RuntimeError]:
        """The next samples of several streams, computed at once, in this thread. No other thread is needed.

        Args:
            chunks: streams of this engine, each at most once, with samples as :meth:`AlignmentStream.push` takes them.

        Returns:
            For each chunk its events; or the error of samples that are NaN or infinite, and nothing has changed for
            that stream; or the RuntimeError of a stream that has lost audio in a batch that failed, which can only be
            finished.

        Raises:
            ValueError, TypeError: samples of a wrong kind, a stream of another engine, one that has ended, one that
                comes twice. Nothing has changed then.
            RuntimeError: the engine is closed.
        """
        if self._closed:
            raise RuntimeError("the engine is closed; streams can only be finished now")
        streams = [stream for stream, _ in chunks]
        if len(set(map(id, streams))) < len(streams):
            raise ValueError("a stream comes twice; give each stream one chunk")
        slots = [self._slot(stream) for stream in streams]
        values: list[Tensor | AudioError | RuntimeError] = [_samples_or_error(samples) for _, samples in chunks]
        with ExitStack() as turns:
            for stream in sorted(streams, key=id):  # in one order, lest two threads wait for each other
                turns.enter_context(stream.turn())
            values = [self._value_or_error(slot, value) for slot, value in zip(slots, values, strict=True)]
            good = [(slot, samples) for slot, samples in zip(slots, values, strict=True) if isinstance(samples, Tensor)]
            scores = iter(self._run(good) if good else ())
            try:
                return [
                    self._advance(stream, slot, value, next(scores)) if isinstance(value, Tensor) else value
                    for stream, slot, value in zip(streams, slots, values, strict=True)
                ]
            except BaseException as interrupt:  # the events of all are lost
                self._scores.fail([slot for slot, _ in good], interrupt)
                raise

    @property
    def status(self) -> BatchingStatus:
        """What it has done so far."""
        return BatchingStatus(self._open_streams(), self._batches, self._chunks)

    def close(self) -> None:
        """Ends the engine: whoever waits in a ``push`` gets a RuntimeError, a batch that runs is waited for."""
        self._closed = True
        self._collector.close()

    def __enter__(self) -> BatchingEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, chunks: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        with self._running:
            self._batches += 1
            self._chunks += len(chunks)
            return self._scores.push([slot for slot, _ in chunks], [samples for _, samples in chunks])

    def _advance(
        self, stream: AlignmentStream, slot: int, samples: Tensor, scores: Tensor
    ) -> list[Event] | RuntimeError:
        """An error of one stream is its own; the others have their scores, and go on."""
        try:
            return stream.advance(samples, scores)
        except Exception as error:
            self._lost((slot, samples), error)
            failure = RuntimeError(LOST)
            failure.__cause__ = error
            return failure

    def _lost(self, chunk: tuple[int, Tensor], error: BaseException) -> None:
        """Its scores were computed, but its stream did not take them."""
        self._scores.fail([chunk[0]], error)

    def _value_or_error(
        self, slot: int, value: Tensor | AudioError | RuntimeError
    ) -> Tensor | AudioError | RuntimeError:
        """The error of a stream that has lost audio, which would be everybody's in a batch."""
        try:
            self._scores.check(slot)
        except RuntimeError as error:
            return error
        return value

    def _slot(self, stream: AlignmentStream) -> int:
        source = stream.source
        if not isinstance(source, _Source) or source.engine is not self:
            raise ValueError("the stream is not of this engine; make it with this engine's stream()")
        return source.slot

    def _open_streams(self) -> int:
        return self._scores.streams - len(self._dropped)


class _Source:
    """Scores of one stream, in place of :class:`~streamhmm.acoustic.ScoreStream`. Its slot is free when it is gone."""

    def __init__(self, engine: BatchingEngine) -> None:
        self.engine = engine
        with engine._running:
            while engine._dropped:
                engine._scores.close(engine._dropped.popleft())
            self.slot = engine._scores.open()
        self._leave = weakref.finalize(self, engine._dropped.append, self.slot)

    def push(self, samples: Tensor) -> Tensor:
        """Scores of the frames that (N,) samples complete, when a batch with them has run."""
        self._check_here()
        self.engine._scores.check(self.slot)
        return self.engine._collector.ask((self.slot, samples))

    def finish(self) -> Tensor:
        """The remaining scores. The stream has left the engine then."""
        self._check_here()
        with self.engine._running:
            rest = self.engine._scores.finish(self.slot)
        self._leave()
        self.engine._collector.look()
        return rest

    def state_dict(self) -> dict[str, Any]:
        self._check_here()
        with self.engine._running:
            return self.engine._scores.state_dict(self.slot)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._check_here()
        with self.engine._running:
            self.engine._scores.load_state_dict(self.slot, state)

    def _check_here(self) -> None:
        """The slot of a stream that has left may be another's by now."""
        if not self._leave.alive:
            raise ValueError("the stream has left its engine")


def _samples_or_error(samples: NDArray[np.float32] | Tensor) -> Tensor | AudioError:
    try:
        return checked_samples(samples)
    except AudioError as error:
        return error
