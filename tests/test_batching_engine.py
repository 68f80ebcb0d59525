"""Streams that share an engine: the events that each gets alone, and what can go wrong."""

from __future__ import annotations

import copy
import gc
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import streamhmm as sh
from streamhmm.acoustic.ctc_model import CtcModel
from streamhmm.align.events import Event
from streamhmm.align.stream import AlignmentStream
from streamhmm.errors import AudioError, ModelError

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
TEXT = (EXAMPLE / "ferry.txt").read_text(encoding="utf-8")
RATE = 16000
SAME_S = 0.03
"""Two pronunciations that share their first phones tie there; how the network rounds decides."""


@pytest.fixture(scope="module")
def aligner() -> sh.Aligner:
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return np.asarray(soundfile.read(EXAMPLE / "ferry.flac", dtype="float32")[0])


def assert_same(found: list[Event], expected: list[Event]) -> None:
    """The same events, at the same samples."""
    assert [(one.kind, one.index, one.take) for one in found] == [(one.kind, one.index, one.take) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.audio_time == other.audio_time
        if one.segment is not None and other.segment is not None:
            assert one.segment.label == other.segment.label
            assert one.segment.start == pytest.approx(other.segment.start, abs=SAME_S)
            assert one.segment.end == pytest.approx(other.segment.end, abs=SAME_S)


def cuts(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    """Chunks of one length, or of random ones."""
    chance = random.Random(seed)
    sizes = [1280] * 100 if seed % 2 else [chance.randint(1, 5000) for _ in range(500)]
    places = [place for place in np.cumsum(sizes) if place < len(samples)]
    return list(np.split(samples, places))


def alone(aligner: sh.Aligner, chunks: list[np.ndarray]) -> list[Event]:
    stream = aligner.stream(TEXT)
    return [*(event for chunk in chunks for event in stream.push(chunk)), *stream.close()]


def test_a_loop_gives_every_stream_its_own_events(aligner: sh.Aligner, speech: np.ndarray) -> None:
    plans = [cuts(speech, seed) for seed in range(5)]
    told: list[list[Event]] = [[] for _ in plans]
    with sh.BatchingEngine(aligner, max_batch=3) as engine:
        to_come = [(number, iter(chunks)) for number, chunks in enumerate(plans)]
        here: list[tuple[AlignmentStream, Iterator[np.ndarray], list[Event]]] = []
        for turn in range(1000):
            if turn % 7 == 0 and to_come:
                number, chunks = to_come.pop()
                here.append((engine.stream(TEXT), chunks, told[number]))
            now = [(stream, chunk, events) for stream, chunks, events in here for chunk in islice(chunks, 1)]
            for (_, _, events), new in zip(now, engine.push([each[:2] for each in now]), strict=True):
                assert isinstance(new, list)
                events += new
            if not now and not to_come:
                break
        for stream, _, events in here:
            events += stream.close()
        assert engine.status.streams == 0
        assert engine.status.chunks == sum(map(len, plans))
    for chunks, events in zip(plans, told, strict=True):
        assert_same(events, alone(aligner, list(chunks)))


def test_threads_give_every_stream_its_own_events(aligner: sh.Aligner, speech: np.ndarray) -> None:
    plans = [cuts(speech, seed) for seed in range(6)]
    with sh.BatchingEngine(aligner, deadline_s=0.002) as engine:

        def serve(chunks: list[np.ndarray]) -> list[Event]:
            stream = engine.stream(TEXT)
            return [*(event for chunk in chunks for event in stream.push(chunk)), *stream.close()]

        with ThreadPoolExecutor(len(plans)) as pool:
            told = list(pool.map(serve, plans))
        assert engine.status.streams == 0
        assert engine.status.chunks == sum(map(len, plans)) > engine.status.batches
    for chunks, events in zip(plans, told, strict=True):
        assert_same(events, alone(aligner, chunks))


def test_everything_else_of_a_stream_works(aligner: sh.Aligner, speech: np.ndarray) -> None:
    def read(stream: AlignmentStream) -> list[Event]:
        events = [*stream.push(speech[:30_000]), *stream.lost(3000), *stream.push(speech[33_000:60_000])]
        events += stream.seek(4)
        stream.extend("and more")
        return [*events, *stream.push(speech[60_000:]), *stream.close()]

    with sh.BatchingEngine(aligner) as engine:
        stream, other = engine.stream(TEXT), aligner.stream(TEXT)
        assert_same(read(stream), read(other))
        found, expected = stream.finish(), other.finish()
    assert [word.label for word in found.words] == [word.label for word in expected.words]
    with pytest.raises(ValueError, match="the stream has ended: finish was called"):
        stream.push(speech[:100])


@pytest.mark.parametrize("into_engine", [False, True])
def test_a_stream_moves_into_an_engine_and_out(aligner: sh.Aligner, speech: np.ndarray, into_engine: bool) -> None:
    with sh.BatchingEngine(aligner) as engine:
        makers = (aligner.stream, engine.stream) if into_engine else (engine.stream, aligner.stream)
        one, other = makers[0](TEXT), makers[1](TEXT)
        events = one.push(speech[:40_000])
        other.load_state_dict(one.state_dict())
        events += [*other.push(speech[40_000:]), *other.close()]
    assert_same(events, alone(aligner, [speech[:40_000], speech[40_000:]]))


def test_a_stream_that_has_left_touches_no_slot(aligner: sh.Aligner, speech: np.ndarray) -> None:
    with sh.BatchingEngine(aligner) as engine:
        gone, state = engine.stream(TEXT), aligner.stream(TEXT).state_dict()
        source = gone.source
        gone.close()
        here = engine.stream(TEXT)
        assert here.source.slot == source.slot
        events = here.push(speech[:50_000])
        with pytest.raises(ValueError, match="the stream has ended: finish was called"):
            gone.load_state_dict(state)
        for call in (
            lambda: source.push(torch.zeros(100)),
            lambda: source.load_state_dict(state["hearing"]["source"]),
            source.state_dict,
            source.finish,
        ):
            with pytest.raises(ValueError, match="the stream has left its engine"):
                call()
        events += [*here.push(speech[50_000:]), *here.close()]
    assert_same(events, alone(aligner, [speech[:50_000], speech[50_000:]]))


def test_bad_samples_hurt_nobody_else(aligner: sh.Aligner, speech: np.ndarray) -> None:
    with sh.BatchingEngine(aligner) as engine:
        good, bad = engine.stream(TEXT), engine.stream(TEXT)
        told: list[list[Event]] = [[], []]
        for chunk in np.split(speech, range(8000, len(speech), 8000)):
            nothing = np.full(100, np.nan, np.float32)
            error, events = engine.push([(bad, nothing), (good, chunk)])
            assert isinstance(error, AudioError)
            assert str(error).startswith("samples are NaN or infinite")
            assert isinstance(events, list)
            told[0] += events
            with pytest.raises(AudioError, match="samples are NaN or infinite"):
                bad.push(nothing)
            told[1] += bad.push(chunk)
        expected = alone(aligner, list(np.split(speech, range(8000, len(speech), 8000))))
        assert_same([*told[0], *good.close()], expected)
        assert_same([*told[1], *bad.close()], expected)


def test_wrong_calls_change_nothing(aligner: sh.Aligner, speech: np.ndarray) -> None:
    with sh.BatchingEngine(aligner) as engine, sh.BatchingEngine(aligner) as another:
        stream, other, ended = (engine.stream(TEXT) for _ in range(3))
        foreign = another.stream(TEXT)
        ended.close()
        own = (stream, speech[:1000])
        for chunks, error, message in [
            ([own, own], ValueError, "a stream comes twice; give each stream one chunk"),
            ([own, (ended, speech)], ValueError, "the stream has ended: finish was called"),
            ([own, (foreign, speech)], ValueError, "the stream is not of this engine; make it with this engine's"),
            ([own, (aligner.stream(TEXT), speech)], ValueError, "the stream is not of this engine"),
            ([own, (other, speech.astype(np.float64))], TypeError, "samples must be float32, got torch.float64"),
        ]:
            with pytest.raises(error, match=message):
                engine.push(chunks)
        assert stream.received_s == 0.0
        assert engine.push([]) == []
        assert engine.push([(stream, speech[:1000])]) == [[]]
        assert stream.received_s == 1000 / RATE
    for options, message in [
        ({"max_batch": 0}, "max_batch must be at least 1, got 0"),
        ({"deadline_s": -0.1}, r"deadline_s must be at least 0 and finite, got -0\.1"),
        ({"deadline_s": float("inf")}, "deadline_s must be at least 0 and finite, got inf"),
    ]:
        with pytest.raises(ValueError, match=message):
            sh.BatchingEngine(aligner, **options)


def test_a_stream_that_is_dropped_leaves(aligner: sh.Aligner, speech: np.ndarray) -> None:
    with sh.BatchingEngine(aligner) as engine:
        dropped, kept = engine.stream(TEXT), engine.stream(TEXT)
        engine.push([(dropped, speech[:5000]), (kept, speech[:5000])])
        assert engine.status.streams == 2
        slot = dropped.source.slot
        del dropped
        gc.collect()
        assert engine.status.streams == 1
        assert engine.stream(TEXT).source.slot == slot
        assert kept.push(speech[5000:6000]) == []


def test_more_streams_than_there_was_memory_for(aligner: sh.Aligner, speech: np.ndarray) -> None:
    expected = alone(aligner, [speech[:50_000], speech[50_000:]])
    with sh.BatchingEngine(aligner, max_batch=1) as engine:
        streams = [engine.stream(TEXT)]
        told = [engine.push([(streams[0], speech[:50_000])])[0]]
        streams += [engine.stream(TEXT) for _ in range(4)]
        told += engine.push([(stream, speech[:50_000]) for stream in streams[1:]])
        rest = engine.push([(stream, speech[50_000:]) for stream in streams])
        for stream, first, second in zip(streams, told, rest, strict=True):
            assert isinstance(first, list)
            assert isinstance(second, list)
            assert_same([*first, *second, *stream.close()], expected)


def test_closing_the_engine_wakes_a_push_and_leaves_streams_to_be_finished(
    aligner: sh.Aligner, speech: np.ndarray
) -> None:
    engine = sh.BatchingEngine(aligner, deadline_s=60.0)
    stream, _ = engine.stream(TEXT), engine.stream(TEXT)  # the other one would have to push, too
    engine.push([(stream, speech[:50_000])])
    errors: list[BaseException] = []

    def push() -> None:
        try:
            stream.push(speech[50_000:])
        except RuntimeError as error:
            errors.append(error)

    waiter = threading.Thread(target=push)
    waiter.start()
    while not engine._collector._waiting:
        waiter.join(0.001)
    engine.close()
    waiter.join(60.0)
    assert [str(error) for error in errors] == ["the engine is closed; streams can only be finished now"]
    assert stream.received_s == 50_000 / RATE
    with pytest.raises(RuntimeError, match="the engine is closed; streams can only be finished now"):
        engine.push([(stream, speech[:100])])
    with pytest.raises(RuntimeError, match="the engine is closed; make a new one"):
        engine.stream(TEXT)
    alone_stream = aligner.stream(TEXT)
    alone_stream.push(speech[:50_000])
    assert [word.label for word in stream.finish().words] == [word.label for word in alone_stream.finish().words]


def _fail(frames: torch.Tensor, states: torch.Tensor) -> None:
    raise MemoryError("no room")


def test_a_batch_that_fails_ends_its_streams_and_no_others(
    aligner: sh.Aligner, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = aligner.model.backend.runtime
    with sh.BatchingEngine(aligner) as engine:
        lost, kept = engine.stream(TEXT), engine.stream(TEXT)
        _, events = engine.push([(lost, speech[:50_000]), (kept, speech[:50_000])])
        assert isinstance(events, list)
        with monkeypatch.context() as patch:
            patch.setattr(runtime, "step", _fail)
            with pytest.raises(MemoryError, match="no room"):
                lost.push(speech[50_000:60_000])
        assert lost.received_s == 50_000 / RATE
        with pytest.raises(RuntimeError, match="the stream has lost audio in a batch that failed"):
            lost.push(speech[50_000:60_000])
        error, more = engine.push([(lost, speech[60_000:61_000]), (kept, speech[50_000:60_000])])
        assert isinstance(error, RuntimeError)
        assert str(error).startswith("the stream has lost audio in a batch that failed; finish it")
        assert isinstance(error.__cause__, MemoryError)
        assert isinstance(more, list)
        events += [*more, *kept.push(speech[60_000:]), *kept.close()]
        assert_same(events, alone(aligner, list(np.split(speech, [50_000, 60_000]))))
        assert len(lost.finish().words) > 3


def test_a_stream_that_has_lost_audio_joins_no_batch(
    aligner: sh.Aligner, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sh.BatchingEngine(aligner, deadline_s=60.0) as engine:
        lost, kept = engine.stream(TEXT), engine.stream(TEXT)
        with monkeypatch.context() as patch:
            patch.setattr(aligner.model.backend.runtime, "step", _fail)
            with pytest.raises(MemoryError, match="no room"):
                engine.push([(lost, speech[:50_000])])
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(kept.push, speech[:50_000])  # until the other one has pushed or left
            while not engine._collector._waiting:
                assert not waiting.done()
            with pytest.raises(RuntimeError, match="the stream has lost audio in a batch that failed"):
                lost.push(speech[50_000:60_000])
            lost.close()
            assert_same([*waiting.result(60.0), *kept.close()], alone(aligner, [speech[:50_000]]))


def test_a_stream_that_can_not_go_on_keeps_no_other_from_it(
    aligner: sh.Aligner, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(samples: torch.Tensor, scores: torch.Tensor) -> list[Event]:
        raise MemoryError("no room")

    def interrupt(samples: torch.Tensor, scores: torch.Tensor) -> list[Event]:
        raise KeyboardInterrupt

    with sh.BatchingEngine(aligner) as engine:
        bad, kept = engine.stream(TEXT), engine.stream(TEXT)
        monkeypatch.setattr(bad, "advance", fail)
        error, events = engine.push([(bad, speech[:50_000]), (kept, speech[:50_000])])
        monkeypatch.undo()
        assert isinstance(error, RuntimeError)
        assert str(error).startswith("the stream has lost audio in a batch that failed; finish it")
        assert isinstance(error.__cause__, MemoryError)
        assert isinstance(events, list)
        with pytest.raises(RuntimeError, match="the stream has lost audio"):
            bad.push(speech[:100])
        events += kept.push(speech[50_000:])
        other = engine.stream(TEXT)
        monkeypatch.setattr(other, "advance", interrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.push([(other, speech[:100]), (kept, speech[:100])])
        for stream in (other, kept):
            with pytest.raises(RuntimeError, match="the stream has lost audio"):
                stream.push(speech[:100])
        assert_same(events, alone(aligner, [speech[:50_000], speech[50_000:]])[: len(events)])


def test_an_interrupted_push_marks_its_stream_if_the_batch_ran(
    aligner: sh.Aligner, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sh.BatchingEngine(aligner) as engine:
        stream = engine.stream(TEXT)
        wait, waits = threading.Event.wait, iter(range(9))

        def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
            result = wait(event, timeout)
            if threading.current_thread() is threading.main_thread() and next(waits) == 1:
                raise KeyboardInterrupt  # after that for the start of the engine's thread
            return result

        monkeypatch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.push(speech[:5000])
        assert stream.received_s == 0.0
        with pytest.raises(RuntimeError, match="the stream has lost audio") as raised:
            stream.push(speech[:5000])
        assert isinstance(raised.value.__cause__, KeyboardInterrupt)


def test_loops_and_threads_go_together(aligner: sh.Aligner, speech: np.ndarray) -> None:
    chunks = cuts(speech, 1)
    expected = alone(aligner, chunks)
    with sh.BatchingEngine(aligner, deadline_s=0.001) as engine:
        streams = [engine.stream(TEXT) for _ in range(3)]

        def serve(stream: AlignmentStream) -> list[Event]:
            return [event for chunk in chunks for event in stream.push(chunk)]

        def loop(pair: list[AlignmentStream]) -> list[list[Event]]:
            told: list[list[Event]] = [[], []]
            for chunk in chunks:
                for one, events in zip(told, engine.push([(stream, chunk) for stream in pair]), strict=True):
                    assert isinstance(events, list)
                    one += events
            return told

        with ThreadPoolExecutor(2) as pool:
            served, looped = pool.submit(serve, streams[0]), pool.submit(loop, streams[1:])
            told = [served.result(), *looped.result()]
        for stream, events in zip(streams, told, strict=True):
            assert_same([*events, *stream.close()], expected)


def test_models_of_others_are_refused(aligner: sh.Aligner) -> None:
    other = copy.copy(aligner)
    other.model = CtcModel.__new__(CtcModel)
    with pytest.raises(ModelError, match="a Hugging Face model can't stream"):
        sh.BatchingEngine(other)
