"""A live session with a stream, a source and a clock that are made up: what arrives, when, and what of it is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from streamhmm.align.chunking import ChunkController
from streamhmm.align.events import Event, Position
from streamhmm.align.feed import Feed
from streamhmm.align.live import LiveSession
from streamhmm.audio.ring import AudioRing, Taken
from streamhmm.errors import AudioError, OutputError

RATE = 1000


class FakeStream:
    """Notes what it is given; an event for each push, gap and the end, at the stream's time so far."""

    def __init__(self, sample_rate: int = RATE) -> None:
        self.sample_rate = sample_rate
        self.heard: list[float | None] = []
        self.pushes: list[int] = []
        self.closed = 0
        self.during_push = lambda: None

    def _event(self, kind: str) -> list[Event]:
        return [Event(kind, None, 0, None, len(self.heard) / self.sample_rate, 0.0)]

    def push(self, samples: np.ndarray) -> list[Event]:
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        self.during_push()
        self.heard += samples.tolist()
        self.pushes.append(len(samples))
        return self._event("partial")

    def lost(self, samples: int) -> list[Event]:
        self.heard += [None] * samples
        return self._event("gap")

    def position(self) -> Position:
        return Position(len(self.pushes), 0.5)

    def close(self) -> list[Event]:
        self.closed += 1
        return self._event("final")

    def finish(self):
        return ("alignment", len(self.heard))


class FakeSource:
    """A device at the stream's rate; ``convert`` takes the first channel and holds one sample back until ``last``."""

    def __init__(self, sample_rate: int = RATE, channels: int = 1) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self.ended, self.error = False, None
        self.stops = 0
        self.held = np.zeros(0, np.float32)

    def start(self, ring: AudioRing) -> None:
        self.ring = ring

    def stop(self) -> None:
        self.stops += 1

    def convert(self, block: np.ndarray, last: bool = False) -> np.ndarray:
        samples = np.concatenate([self.held, block[:, 0]])
        self.held = samples[:0] if last else samples[-1:]
        return samples if last else samples[:-1]


class FileSource(FakeSource):
    """Writes everything from a thread, waiting for room, as a file played as fast as possible."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def start(self, ring: AudioRing) -> None:
        self.thread = threading.Thread(target=self._play, args=(ring,))
        self.thread.start()

    def _play(self, ring: AudioRing) -> None:
        for start in range(0, self.frames, 100):
            block = numbered(start, min(100, self.frames - start))
            if not ring.wait_for_room(len(block)):
                return
            ring.write(block)
        self.ended = True


class Clock:
    """Seconds that pass only when something says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def numbered(start: int, frames: int) -> np.ndarray:
    return np.arange(start, start + frames, dtype=np.float32)[:, None]


class Recorder:
    """Keeps all, and fails when it is told to."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, int]] = []
        self.closed = 0
        self.fails = False

    def write(self, samples: np.ndarray, lost: int) -> None:
        if self.fails:
            raise OutputError("the disk is full; make room and start again")
        self.kept.append((len(samples), lost))

    def close(self) -> None:
        self.closed += 1


def test_a_file_played_as_fast_as_possible_is_aligned_whole_in_the_longest_chunks():
    stream, source = FakeStream(), FileSource(20_345)
    stream.during_push = lambda: source.thread.join(60)  # so that all of the file waits
    with LiveSession(stream, source, ChunkController(max_chunk_s=0.9)) as session:
        assert session.wait(60)
    assert session.ended
    assert session.finish() == ("alignment", 20_345)
    assert stream.heard == list(range(20_345))
    assert stream.pushes[4:20] == [900] * 16  # the controller waits for three blocks of 0.1 s
    assert stream.closed == 1


def test_a_file_longer_than_the_ring_waits_for_room():
    stream, source = FakeStream(), FileSource(20_345)
    with LiveSession(stream, source, ring_s=2.0) as session:
        assert session.wait(60)
    assert stream.heard == list(range(20_345))


def stepped(source: FakeSource, stream: FakeStream, events: list[Event], **options) -> LiveSession:
    """A session without its thread: the test calls ``_step`` when audio is there."""
    session = LiveSession(stream, source, on_events=events.extend, **options)
    source.start(session._ring)
    return session


def test_status_and_controller_are_told_the_times_on_the_clock():
    clock, stream, source, events = Clock(), FakeStream(), FakeSource(), []
    told = []

    class Noted(ChunkController):
        def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
            told.append((round(chunk_s, 6), round(compute_s, 6), round(backlog_s, 6)))
            return super().observe(chunk_s, compute_s, backlog_s)

    session = stepped(source, stream, events, controller=Noted(), clock=clock)

    def compute() -> None:
        clock.now_s += 0.02
        source.ring.write(numbered(0, 20))  # arrives meanwhile

    stream.during_push = compute
    source.ring.write(numbered(0, 130))
    assert session._step()
    status = session.status
    assert told == [(0.1, 0.02, 0.05)]
    assert status.latency_s == pytest.approx(0.13 + 0.02)
    assert (status.chunk_s, status.backlog_s) == (0.1, 0.05)
    assert status.load == pytest.approx(0.2 * (1 - np.exp(-0.1)))
    assert (status.overruns, status.lost_s, status.position) == (0, 0.0, Position(1, 0.5))


def test_too_much_audio_becomes_a_gap_of_equal_length_at_its_place():
    stream, source, events = FakeStream(), FakeSource(), []
    recorder = Recorder()
    session = stepped(source, stream, events, ring_s=2.0, recorder=recorder)
    source.ring.write(numbered(0, 2_300))
    while source.ring.fill:
        session._step()
    source.ring.write(numbered(2_300, 50))
    source.ended = True
    assert session.finish() == ("alignment", 2_350)
    assert stream.heard == [*range(2_000), *[None] * 300, *range(2_300, 2_350)]
    assert [event.audio_time for event in events if event.kind == "gap"] == [2.3]
    assert [event.audio_time for event in events if event.kind == "final"] == [2.35]
    assert (session.status.overruns, session.status.lost_s) == (1, 0.3)
    assert sum(samples + lost for samples, lost in recorder.kept) == 2_350
    assert recorder.closed == 1


@pytest.mark.parametrize(("source_rate", "stream_rate"), [(44_100, 16_000), (8_000, 16_000), (16_000, 16_000)])
def test_times_after_many_gaps_are_right_to_half_a_sample(source_rate, stream_rate):
    class Rounding(FakeSource):
        """Loses a fraction of a sample in each stretch, as resamplers do."""

        def convert(self, block: np.ndarray, last: bool = False) -> np.ndarray:
            return np.zeros(len(block) * stream_rate // source_rate, np.float32)

    stream = FakeStream(stream_rate)
    feed = Feed(stream, Rounding(source_rate))
    random, frames = np.random.default_rng(0), 0
    for _ in range(200):
        samples, lost = random.integers(1, 500, 2).tolist()
        feed.take(Taken(np.zeros((0, 1), np.float32), lost))
        frames += lost
        assert abs(len(stream.heard) - frames * stream_rate / source_rate) <= 0.5
        feed.take(Taken(np.zeros((samples, 1), np.float32), 0))
        frames += samples


def test_a_gap_shorter_than_a_sample_is_carried_to_the_next():
    stream = FakeStream(1)
    feed = Feed(stream, FakeSource(4))
    nothing = np.zeros((0, 1), np.float32)
    assert [len(feed.take(Taken(nothing, 1))) for _ in range(8)] == [0, 1, 0, 0, 0, 1, 0, 0]
    assert stream.heard == [None, None]


def test_an_error_in_on_events_ends_the_session_and_is_raised_by_finish_each_time():
    def fail(events: list[Event]) -> None:
        raise KeyError("of the caller")

    stream, source, recorder = FakeStream(), FileSource(50_000), Recorder()
    session = LiveSession(stream, source, on_events=fail, recorder=recorder)
    session.start()
    assert session.wait(60)
    for _ in range(2):
        with pytest.raises(KeyError, match="of the caller"):
            session.finish()
    source.thread.join(60)
    assert not source.thread.is_alive()
    assert (recorder.closed, len(stream.pushes)) == (1, 1)
    assert stream.finish() == ("alignment", len(stream.heard))  # what the stream knows is still there


def test_a_failing_source_keeps_the_transcript_so_far():
    stream, source = FakeStream(), FakeSource()
    with LiveSession(stream, source) as session:
        source.ring.write(numbered(0, 777))
        source.error = AudioError("the microphone was unplugged; plug it in again")
        assert session.wait(60)
    assert session.error is source.error
    assert session.finish() == ("alignment", 777)


def test_a_failing_recorder_does_not_end_the_session():
    stream, source, recorder = FakeStream(), FileSource(3_000), Recorder()
    recorder.fails = True
    with LiveSession(stream, source, recorder=recorder) as session:
        assert session.wait(60)
    assert session.finish() == ("alignment", 3_000)
    assert isinstance(session.error, OutputError)
    assert recorder.kept == []


def test_finish_stops_the_source_and_aligns_what_has_arrived():
    stream, source, events = FakeStream(), FakeSource(), []
    session = LiveSession(stream, source, on_events=events.extend)
    session.start()
    source.ring.write(numbered(0, 1_234))
    assert session.finish() == session.finish() == ("alignment", 1_234)
    assert stream.heard == list(range(1_234))
    assert source.stops >= 1
    assert source.ring.write(numbered(0, 5)) == source.ring.fill == 0
    assert (events[-1].kind, stream.closed, session.error) == ("final", 1, None)


def test_a_session_that_never_started_finishes_all_the_same():
    stream, recorder = FakeStream(), Recorder()
    session = LiveSession(stream, FakeSource(), recorder=recorder)
    assert session.finish() == ("alignment", 0)
    assert (stream.closed, recorder.closed, session.ended) == (1, 1, True)


def test_on_events_may_stop_the_session_but_not_finish_it():
    stream, source, said = FakeStream(), FakeSource(), []

    def on_events(events: list[Event]) -> None:
        if not said:
            with pytest.raises(RuntimeError, match=r"call stop\(\) there"):
                session.finish()
            said.append(events)
            session.stop()

    with LiveSession(stream, source, on_events=on_events) as session:
        source.ring.write(numbered(0, 500))
        assert session.wait(60)
    assert session.finish() == ("alignment", 500)


def test_an_error_in_the_body_is_the_one_that_is_seen():
    stream, source = FakeStream(), FakeSource()
    with pytest.raises(ZeroDivisionError), LiveSession(stream, source) as session:
        raise ZeroDivisionError
    assert session.ended
    assert stream.closed == 1


def test_a_source_that_cannot_start_says_so():
    class Missing(FakeSource):
        def start(self, ring: AudioRing) -> None:
            raise AudioError("no microphone; plug one in")

    session = LiveSession(FakeStream(), Missing())
    with pytest.raises(AudioError, match="no microphone"):
        session.start()
    assert session.finish() == ("alignment", 0)


def test_wrong_calls_say_what_was_expected():
    with pytest.raises(ValueError, match=r"ring_s must be at least twice max_chunk_s \(1\), got 1.5"):
        LiveSession(FakeStream(), FakeSource(), ring_s=1.5)
    session = LiveSession(FakeStream(), FakeSource())
    session.start()
    with pytest.raises(RuntimeError, match="started already; make a new one"):
        session.start()
    session.finish()
    assert not LiveSession(FakeStream(), FakeSource()).wait(0)
