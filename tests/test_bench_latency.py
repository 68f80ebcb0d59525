"""The live bench: its virtual clock, and what it says of speech with known times."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import live_replay  # noqa: E402
from chunking_simulation import Fixed  # noqa: E402
from latency_words import distribution  # noqa: E402
from live_replay import ASK_S, RATE, replay  # noqa: E402

from streamhmm.align.events import Event, Position  # noqa: E402

COMPUTE_S = 0.03


class Stream:
    """Tells of every chunk when it is pushed; computing a chunk takes COMPUTE_S on a made-up clock."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.pushed = 0
        self.asked: list[tuple[int, float]] = []

    def push(self, samples: np.ndarray) -> list[Event]:
        self.clock[0] += COMPUTE_S
        self.pushed += len(samples)
        return [Event("final", 0, 0, None, self.pushed / RATE, 0.0)]

    def position(self, ahead_s: float) -> Position:
        self.asked.append((self.pushed, ahead_s))
        return Position(0, 1.0)

    def close(self) -> list[Event]:
        self.clock[0] += COMPUTE_S
        return [Event("final", 1, 0, None, self.pushed / RATE, 0.0)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(live_replay.time, "perf_counter", lambda: now[0])
    return now


def test_events_come_when_their_audio_has_come_and_is_computed(clock: list[float]) -> None:
    heard = replay(Stream(clock), np.zeros(RATE // 2, np.float32), Fixed(0.1))
    assert [at for at, _ in heard.events] == pytest.approx([0.13, 0.23, 0.33, 0.43, 0.53, 0.56])
    assert heard.chunks_s == [0.1] * 5
    assert heard.compute_s == pytest.approx([COMPUTE_S] * 5)
    assert heard.factor() == pytest.approx(0.3)


def test_a_slow_machine_falls_behind(clock: list[float]) -> None:
    heard = replay(Stream(clock), np.zeros(RATE // 10, np.float32), Fixed(0.02))
    assert [at for at, _ in heard.events] == pytest.approx([0.05, 0.08, 0.11, 0.14, 0.17, 0.20])


def test_positions_are_asked_for_in_real_time(clock: list[float]) -> None:
    stream = Stream(clock)
    heard = replay(stream, np.zeros(RATE // 2, np.float32), Fixed(0.2), ask=True)
    assert [at for at, _ in heard.positions] == pytest.approx([ASK_S * k for k in range(10)])
    assert [at - ahead for (at, _), (_, ahead) in zip(heard.positions, stream.asked, strict=True)] == pytest.approx(
        [pushed / RATE for pushed, _ in stream.asked]
    )


def test_distributions_are_in_ms() -> None:
    assert distribution([0.001 * k for k in range(1, 102)]) == pytest.approx([51.0, 91.0, 100.0, 101.0])
    assert not any(math.isnan(value) for value in distribution([0.5]))
