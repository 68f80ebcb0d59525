"""Alignment while somebody speaks: events, times, what chunks must not change, and what can go wrong."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from shipped import hints

import streamhmm as sh
from streamhmm.align.events import Event
from streamhmm.align.stream import AlignmentStream
from streamhmm.errors import AlignmentError, AudioError, TextError

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
TEXT = (EXAMPLE / "ferry.txt").read_text(encoding="utf-8")
RATE = 16000
CHUNK = 960
SAME_S = 1e-3
"""Networks round by the size of their chunks; the crossing of two scores moves by less than this."""


@pytest.fixture(scope="module")
def aligner() -> sh.Aligner:
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, rate = soundfile.read(EXAMPLE / "ferry.flac", dtype="float32")
    assert rate == RATE
    return samples


@pytest.fixture(scope="module")
def offline(aligner: sh.Aligner, speech: np.ndarray) -> sh.Alignment:
    return aligner.align((speech, RATE), TEXT)


def chunks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(samples), size):
        yield samples[first : first + size]


def listen(stream: AlignmentStream, samples: np.ndarray, size: int = CHUNK) -> list[Event]:
    return [event for chunk in chunks(samples, size) for event in stream.push(chunk)]


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def assert_same_times(found: sh.Alignment, expected: sh.Alignment, shift: float = 0.0) -> None:
    for tier in ("words", "phones"):
        ours, theirs = getattr(found, tier), getattr(expected, tier)
        assert [part.label for part in ours] == [part.label for part in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.start == pytest.approx(other.start + shift, abs=SAME_S)
            assert one.end == pytest.approx(other.end + shift, abs=SAME_S)


@pytest.mark.parametrize("size", [160, CHUNK, 7919, 10**6])
def test_with_nothing_forced_the_result_is_that_of_align(
    aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment, size: int
) -> None:
    stream = aligner.stream(TEXT, max_lag=None)
    listen(stream, speech, size)
    found = stream.finish()
    assert_same_times(found, offline)
    assert found.duration == offline.duration
    assert found.text == TEXT
    assert found.warnings == hints(aligner)


def test_chunks_change_no_final_event(aligner: sh.Aligner, speech: np.ndarray) -> None:
    told = []
    for size in (1600, 333, len(speech) - 1, len(speech), len(speech) + 1):
        stream = aligner.stream(TEXT)
        finals = of_kind([*listen(stream, speech, size), *stream.close()], "final")
        told.append(finals)
        assert [event.index for event in finals] == list(range(len(stream.words)))
    for finals in told[1:]:
        for one, other in zip(finals, told[0], strict=True):
            # Two pronunciations that share their first phones tie there; how the network rounds decides.
            assert one.segment.start == pytest.approx(other.segment.start, abs=0.03)
            assert one.segment.end == pytest.approx(other.segment.end, abs=0.03)
            assert one.segment.score == pytest.approx(other.segment.score, abs=0.05)


def test_events_come_in_order_and_in_time(aligner: sh.Aligner, speech: np.ndarray) -> None:
    stream = aligner.stream(TEXT)
    events = listen(stream, np.concatenate([speech, np.zeros(RATE, np.float32)]))
    words = stream.words
    finals, partials = of_kind(events, "final"), of_kind(events, "partial")
    assert [event.index for event in finals] == list(range(len(words)))  # the last one in the silence after it
    assert stream.close() == stream.close() == []
    for event in finals:
        assert event.segment.label == words[event.index]
        assert event.take == 0
        lag = event.audio_time - event.segment.end
        assert 0 < lag <= (0.3 if event.index > 1 else 0.6) + CHUNK / RATE + 0.01  # at first nobody is sure
        begun = next(partial for partial in partials if partial.index == event.index)
        assert begun.audio_time <= event.audio_time
        assert begun.segment.start == pytest.approx(event.segment.start, abs=0.05)
        assert begun.segment.label == event.segment.label
    assert all(early.emitted_at <= late.emitted_at for early, late in pairwise(events))


def test_finish_is_what_the_final_events_told(aligner: sh.Aligner, speech: np.ndarray) -> None:
    stream = aligner.stream(TEXT)
    events = listen(stream, speech) + stream.close()
    found = stream.finish()
    assert found.words == tuple(event.segment for event in of_kind(events, "final"))
    assert found.word_indices == tuple(event.index for event in of_kind(events, "final"))
    assert stream.finish() == found


def test_after_the_end_nothing_is_taken(aligner: sh.Aligner, speech: np.ndarray) -> None:
    stream = aligner.stream(TEXT)
    stream.push(speech)
    stream.finish()
    for call in (
        lambda: stream.push(speech),
        lambda: stream.lost(10),
        lambda: stream.seek(0),
        lambda: stream.extend("more"),
        stream.state_dict,
    ):
        with pytest.raises(ValueError, match="the stream has ended: finish was called"):
            call()


def test_a_stream_without_audio_has_no_alignment(aligner: sh.Aligner) -> None:
    stream = aligner.stream(TEXT)
    assert stream.push(np.zeros(0, np.float32)) == []
    assert stream.position() == sh.Position(-1, 1.0)
    with pytest.raises(AlignmentError, match="no audio was received; push samples before finish"):
        stream.finish()


def test_the_second_pass_is_align(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    listen(stream, speech)
    stream.finish()
    assert stream.realign().words == offline.words


# ---- where the reader is


def test_position_follows_the_reader(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    near = asked = 0
    for number, chunk in enumerate(chunks(speech, 800), 1):
        stream.push(chunk)
        now = min(number * 800, len(speech)) / RATE
        true = [index for index, word in enumerate(offline.words) if word.start <= now < word.end]
        if true:
            position = stream.position()
            assert 0 <= position.confidence <= 1.0 + 1e-9
            near += abs(position.index - true[0]) <= 1
            asked += 1
    assert asked > 80
    assert near >= 0.97 * asked


@pytest.mark.parametrize("sound", ["silence", "noise", "tones"])
def test_before_speech_the_position_stays_before_the_first_word(
    aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment, sound: str
) -> None:
    seconds = 10
    t = np.arange(seconds * RATE) / RATE
    before = {
        "silence": np.zeros(len(t)),
        "noise": np.random.default_rng(0).normal(0, 0.05, len(t)),
        "tones": 0.05 * np.sin(2 * np.pi * 440.0 * t) * (t % 0.5 < 0.25),
    }[sound].astype(np.float32)
    stream = aligner.stream(TEXT)
    for chunk in chunks(before, 4000):
        assert of_kind(stream.push(chunk), "partial") == []
        assert stream.position().index == -1
    listen(stream, speech)
    found = stream.finish()
    assert found.skipped == ()
    for word, other in zip(found.words[1:], offline.words[1:], strict=True):
        assert word.start == pytest.approx(other.start + seconds, abs=0.03)


def test_a_long_silence_costs_no_more_than_a_short_one(aligner: sh.Aligner) -> None:
    """The path through it is not looked at again and again, and is decided at last."""
    stream = aligner.stream(TEXT)
    undecided = []
    for _ in range(60):
        stream.push(np.zeros(RATE // 2, np.float32))
        undecided.append(len(stream._hearing.undecided()))
    assert max(undecided) <= 1000
    assert undecided[-1] < 100
    assert stream.position().index == -1


def test_silence_alone_is_told(aligner: sh.Aligner) -> None:
    stream = aligner.stream("one two three")
    assert listen(stream, np.zeros(3 * RATE, np.float32)) == []
    found = stream.finish()
    assert found.words == ()
    assert found.skipped == (0, 1, 2)
    assert any("nothing of the text is read" in warning for warning in found.warnings)


# ---- gaps, jumps, longer texts


def test_lost_samples_leave_the_times_after_them_right(
    aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment
) -> None:
    stream = aligner.stream(TEXT, max_lag=None)
    (gap,) = stream.lost(2 * RATE + 77)
    assert gap.kind == "gap"
    assert (gap.segment.start, gap.segment.end) == (0.0, 2 + 77 / RATE)
    assert gap.audio_time == stream.received_s == 2 + 77 / RATE
    listen(stream, speech)
    for word, other in zip(stream.finish().words[1:], offline.words[1:], strict=True):
        assert word.start == pytest.approx(other.start + gap.segment.end, abs=0.03)
    with pytest.raises(ValueError, match="samples must be at least 0, got -1"):
        stream.lost(-1)


def test_seek_goes_on_at_another_word(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    half = round(offline.words[9].end * RATE)
    events = listen(stream, speech[:half])
    events += stream.seek(0)
    told = len(of_kind(events, "final"))
    assert 9 <= told <= 11
    again = [*listen(stream, speech), *stream.close()]
    finals = of_kind(again, "final")
    assert [event.index for event in finals] == list(range(20))
    assert [event.take for event in finals] == [1] * told + [0] * (20 - told)
    for event, word in zip(finals[2:], offline.words[2:], strict=True):
        assert event.segment.start == pytest.approx(word.start + half / RATE, abs=0.03)
    found = stream.finish()
    assert found.takes == (0,) * told + tuple(event.take for event in finals)
    for index in (-1, 20):
        with pytest.raises(ValueError, match=rf"index must be in 0…19, got {index}"):
            aligner.stream(TEXT).seek(index)


def test_seek_forward_passes_over_words(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    stream.seek(12)
    rest = speech[round(offline.words[12].start * RATE) :]
    events = [*listen(stream, rest), *stream.close()]
    assert [event.index for event in of_kind(events, "final")] == list(range(12, 20))
    assert stream.finish().skipped == tuple(range(12))


def test_a_text_may_grow(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    words = [word.label for word in offline.words]
    stream = aligner.stream(words[:8], max_lag=None)
    half = round(offline.words[5].end * RATE)
    listen(stream, speech[:half])
    stream.extend(words[8:15])
    stream.extend(" ".join(words[15:]))
    assert list(stream.words) == words
    listen(stream, speech[half:])
    found = stream.finish()
    assert_same_times(found, offline)
    with pytest.raises(TextError):
        aligner.stream(TEXT).extend("")


def test_what_is_older_than_keep_is_given_up(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT, keep=2.0)
    events = listen(stream, speech) + stream.close()
    assert len(of_kind(events, "final")) == 20
    found = stream.finish()
    assert 0 < len(found.words) < 12
    assert found.words == tuple(event.segment for event in of_kind(events, "final"))[-len(found.words) :]
    assert found.skipped == ()
    assert any("words before 4 s were told and are not in this result; see keep" in w for w in found.warnings)
    again = stream.realign()
    assert again.duration == pytest.approx(stream.received_s)
    assert again.words[-1].label == "swim"
    assert again.words[-1].start == pytest.approx(offline.words[-1].start, abs=0.03)


def test_an_unfinished_text_is_told(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    listen(stream, speech[: round(offline.words[7].end * RATE)])
    found = stream.finish()
    assert 7 <= len(found.words) <= 9
    assert "the text was not read to its end" in found.warnings
    assert found.skipped == tuple(range(len(found.words), 20))


# ---- many streams, threads, other processes


def test_streams_of_one_aligner_are_independent(aligner: sh.Aligner, speech: np.ndarray) -> None:
    alone = aligner.stream(TEXT)
    listen(alone, speech)
    one, other = aligner.stream(TEXT), aligner.stream("Quite another text.")
    for chunk in chunks(speech, CHUNK):
        one.push(chunk)
        other.push(chunk[::-1].copy())
    assert one.finish().words == alone.finish().words


def test_any_thread_may_push(aligner: sh.Aligner, speech: np.ndarray) -> None:
    """Equal chunks of silence, whose order does not matter; every sample is counted."""
    stream = aligner.stream("one two")

    def work() -> None:
        for _ in range(10):
            stream.push(np.zeros(1000, np.float32))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.received_s == 40000 / RATE
    assert stream.finish().duration == 40000 / RATE


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.5])
def test_state_goes_on_in_another_stream(aligner: sh.Aligner, speech: np.ndarray, seconds: float) -> None:
    whole = aligner.stream(TEXT)
    expected = [*listen(whole, speech), *whole.close()]
    cut = round(seconds * RATE) // CHUNK * CHUNK
    one = aligner.stream(TEXT)
    events = listen(one, speech[:cut])
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other = aligner.stream(TEXT)
    other.load_state_dict(torch.load(file))
    assert other.received_s == cut / RATE
    events += [*listen(other, speech[cut:]), *other.close()]
    told = [(event.kind, event.index, event.take, event.segment, event.audio_time) for event in events]
    assert told == [(event.kind, event.index, event.take, event.segment, event.audio_time) for event in expected]
    assert other.finish() == whole.finish()
    assert other.realign().words == whole.realign().words


def test_state_keeps_what_was_added(aligner: sh.Aligner, speech: np.ndarray) -> None:
    one = aligner.stream("The last ferry")
    one.push(speech[:8000])
    one.extend("to the island")
    other = aligner.stream("The last ferry")
    other.load_state_dict(one.state_dict())
    assert other.words == one.words
    with pytest.raises(ValueError, match="state must be of a stream with the same text"):
        aligner.stream("The first ferry").load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="state must be loaded into a stream that has heard nothing yet"):
        other.load_state_dict(one.state_dict())


# ---- misuse


def test_samples_that_can_not_be_used(aligner: sh.Aligner, speech: np.ndarray) -> None:
    stream = aligner.stream(TEXT)
    with pytest.raises(TypeError, match=r"samples must be float32, got torch\.int16"):
        stream.push(np.zeros(10, np.int16))
    with pytest.raises(ValueError, match=r"samples must be \(n,\), mono, got shape \(10, 2\)"):
        stream.push(np.zeros((10, 2), np.float32))
    for value in (np.nan, np.inf):
        bad = np.array([0.0, value], np.float32)
        with pytest.raises(AudioError, match="samples are NaN or infinite; check what records or converts them"):
            stream.push(bad)
    assert stream.received_s == 0
    assert len(of_kind(listen(stream, speech) + stream.close(), "final")) == 20


def test_samples_of_any_layout(aligner: sh.Aligner, speech: np.ndarray) -> None:
    reference = aligner.stream(TEXT)
    expected = of_kind([*reference.push(speech), *reference.close()], "final")
    wide = np.zeros(2 * len(speech), np.float32)
    wide[::2] = speech
    for samples in (torch.from_numpy(speech), wide[::2], speech[::-1].copy()[::-1]):
        stream = aligner.stream(TEXT)
        found = of_kind([*stream.push(samples), *stream.close()], "final")
        assert [event.segment for event in found] == [event.segment for event in expected]


def test_samples_may_be_reused_by_the_caller(aligner: sh.Aligner, speech: np.ndarray, offline: sh.Alignment) -> None:
    stream = aligner.stream(TEXT)
    block = np.zeros(CHUNK, np.float32)
    for chunk in chunks(speech, CHUNK):
        block[:] = 0
        block[: len(chunk)] = chunk
        stream.push(block[: len(chunk)])
        block[:] = 9.0
    stream.finish()
    assert stream.realign().words == offline.words


def test_a_lag_below_the_look_ahead_is_refused(aligner: sh.Aligner) -> None:
    with pytest.raises(ValueError, match=r"max_lag must be at least 0\.0675 s, the model.s look-ahead, got 0\.05"):
        aligner.stream(TEXT, max_lag=0.05)
    assert aligner.stream(TEXT, max_lag=0.07).words[0] == "The"


def test_a_text_that_can_not_be_used(aligner: sh.Aligner) -> None:
    with pytest.raises(TextError):
        aligner.stream("")
    with pytest.raises(TextError):
        aligner.stream("Zzyzxq", strict=True)
