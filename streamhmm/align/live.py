"""A live session: a source fills a ring, a worker takes chunks from it and aligns them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from streamhmm.align.chunking import ChunkController
from streamhmm.align.events import Event, Position
from streamhmm.align.feed import Feed, Stream
from streamhmm.align.results import Alignment
from streamhmm.audio.ring import AudioRing, Taken
from streamhmm.audio.source import Recorder, Source
from streamhmm.errors import StreamHMMError

LOOK_S = 0.05  # how often a worker without audio looks whether the source has ended
LOAD_SPAN_S = 1.0  # of audio, over which the load is averaged


class LiveStatus(NamedTuple):
    """How a session is doing, after its newest chunk.

    Attributes:
        latency_s: from the arrival of the chunk's first sample to the end of its computation.
        chunk_s: length of the next chunk.
        load: compute time ÷ length of audio over about the last second.
        backlog_s: audio that waits.
        overruns: gaps so far, which are the times that audio was dropped because nothing more could wait.
        lost_s: length of all gaps.
        position: of the reader.
    """

    latency_s: float
    chunk_s: float
    load: float
    backlog_s: float
    overruns: int
    lost_s: float
    position: Position


class LiveSession:
    """Aligns what a source brings, in a thread of its own, in chunks whose length a controller chooses.

    ::

        with LiveSession(stream, source, on_events=show) as session:
            session.wait()
        alignment = session.finish()

    Args:
        stream: from ``Aligner.stream``; the session is its only user until it has ended.
        source: where the audio comes from.
        controller: of the chunk's length; by default ``ChunkController()``.
        on_events: called in the worker's thread with the events of each chunk that has any. An error raised in it ends
            the session, and ``finish`` raises it again. Its time counts as the chunk's compute time.
        ring_s: seconds of audio that can wait, at least twice the controller's longest chunk; what comes beyond is
            lost and becomes a "gap" event of the same length.
        recorder: also gets the audio. If it fails the session goes on without it; see ``error``.
        clock: seconds, for compute times.

    Raises:
        ValueError: for a ring that is too short.
    """

    def __init__(
        self,
        stream: Stream,
        source: Source,
        controller: ChunkController | None = None,
        on_events: Callable[[list[Event]], None] | None = None,
        *,
        ring_s: float = 30.0,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._controller = controller or ChunkController()
        longest_s = self._controller.max_chunk_s
        if ring_s < 2 * longest_s:
            raise ValueError(f"ring_s must be at least twice max_chunk_s ({longest_s:g}), got {ring_s:g}")
        self._stream = stream
        self._source = source
        self._on_events = on_events
        self._recorder = recorder
        self._recorder_error: StreamHMMError | None = None
        self._clock = clock
        self._feed = Feed(stream, source)
        self._ring = AudioRing(round(ring_s * source.sample_rate), source.channels)
        self._worker = threading.Thread(target=self._run, name="streamhmm-live", daemon=True)
        self._started = False
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._finishing = threading.Lock()
        self._alignment: Alignment | None = None
        self._status = LiveStatus(0.0, self._controller.chunk_s, 0.0, 0.0, 0, 0.0, Position(-1, 1.0))

    @property
    def status(self) -> LiveStatus:
        """How it goes; from any thread."""
        return self._status

    @property
    def error(self) -> StreamHMMError | None:
        """What made the source or the recorder stop, while the transcript so far is kept."""
        return self._source.error or self._recorder_error

    @property
    def ended(self) -> bool:
        """Whether the source's audio has all been aligned, or the session has failed."""
        return self._ended.is_set()

    def start(self) -> None:
        """Starts source and worker; once. Raises what the source raises, such as ``AudioError``."""
        if self._started:
            raise RuntimeError("the session has been started already; make a new one")
        self._started = True
        self._source.start(self._ring)
        self._worker.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Blocks until the session has ended by itself; False if the time ran out first."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """Ends the source; what has arrived is still aligned. From any thread, ``on_events`` included."""
        self._source.stop()
        self._ring.close()

    def finish(self) -> Alignment:
        """Stops the source, aligns what has arrived and gives all final events as an alignment.

        It may be called again and then gives, or raises, the same. A source that failed gives the transcript so far;
        ``error`` says what happened.

        Raises:
            RuntimeError: when called in ``on_events``; call ``stop`` there.
            Exception: what ``on_events`` or the stream raised.
        """
        if threading.current_thread() is self._worker:
            raise RuntimeError("finish() waits for the thread that calls on_events; call stop() there")
        with self._finishing:
            self.close()
            if self._failure is not None:
                raise self._failure
            if self._alignment is None:
                self._alignment = self._stream.finish()
            return self._alignment

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()  # the body's error is the one to see

    def close(self) -> None:
        """Stops the source and waits until what has arrived is aligned. Not in ``on_events``."""
        self.stop()
        if self._worker.is_alive():
            self._worker.join()
        elif not self._ended.is_set():
            self._run()  # never started: there is nothing to align, but streams and recorders are closed all the same

    def _run(self) -> None:
        try:
            while self._step():
                pass
            self._tell(self._feed.close())
        except BaseException as error:
            self._failure = error
        finally:
            self._ring.close()
            self._record(None)
            self._ended.set()

    def _step(self) -> bool:
        """Aligns the next chunk if it has arrived; False when there will be none."""
        frames = max(1, round(self._controller.chunk_s * self._source.sample_rate))
        if not self._ring.wait(frames, LOOK_S):
            if self._source.ended or self._source.error:
                self._ring.close()
            return True
        closed, waiting = self._ring.closed, self._ring.fill
        taken = self._ring.read(frames)
        if taken.lost or len(taken.samples):
            self._align(taken, waiting)
            return True
        return not closed

    def _align(self, taken: Taken, waiting: int) -> None:
        begin = self._clock()
        self._record(taken)
        self._tell(self._feed.take(taken))
        compute_s = self._clock() - begin
        rate, old = self._source.sample_rate, self._status
        chunk_s, backlog_s = len(taken.samples) / rate, self._ring.fill / rate
        load = old.load
        if chunk_s:
            self._controller.observe(chunk_s, compute_s, backlog_s)
            load += (1 - math.exp(-chunk_s / LOAD_SPAN_S)) * (compute_s / chunk_s - load)
        self._status = LiveStatus(
            latency_s=waiting / rate + compute_s,
            chunk_s=self._controller.chunk_s,
            load=load,
            backlog_s=backlog_s,
            overruns=old.overruns + (taken.lost > 0),
            lost_s=old.lost_s + taken.lost / rate,
            position=self._stream.position(),
        )

    def _tell(self, events: list[Event]) -> None:
        if events and self._on_events is not None:
            self._on_events(events)

    def _record(self, taken: Taken | None) -> None:
        """Keeps what was taken; None completes the recording."""
        if self._recorder is None or self._recorder_error is not None:
            return
        try:
            if taken is None:
                self._recorder.close()
            else:
                self._recorder.write(taken.samples, taken.lost)
        except StreamHMMError as error:
            self._recorder_error = error
