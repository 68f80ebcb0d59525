"""A live session on a virtual clock: what computing costs, who chooses the chunks, what comes of it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np


class Controller(Protocol):
    """Who chooses the length of the next chunk."""

    @property
    def chunk_s(self) -> float:
        """The length of the next chunk."""

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        """Takes note of a chunk."""


@dataclass
class Fixed:
    """The same length, whatever happens."""

    chunk_s: float

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        """Takes note of nothing."""
        return self.chunk_s


@dataclass
class Shrinking:
    """The bad example: slow, so do less at once, as pytorch_hmm does, though with other numbers.

    It starts at ``longest_s``, takes shorter chunks when one needs twice what the bound allows, and longer ones again
    when one keeps the bound.
    """

    bound: float
    longest_s: float
    shortest_s: float = 0.01
    chunk_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.chunk_s = self.longest_s

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        """Shorter after a slow chunk, longer after a quick one."""
        if compute_s > 2 * self.bound * chunk_s:
            self.chunk_s = max(0.8 * self.chunk_s, self.shortest_s)
        elif compute_s < self.bound * chunk_s:
            self.chunk_s = min(1.1 * self.chunk_s, self.longest_s)
        return self.chunk_s


@dataclass(frozen=True)
class Load:
    """The machine is ``factor`` times slower from ``begin_s`` to ``end_s``."""

    factor: float
    begin_s: float
    end_s: float

    def at(self, time_s: float) -> float:
        """How many times slower it is at that time."""
        return self.factor if self.begin_s <= time_s < self.end_s else 1.0


@dataclass(frozen=True)
class Cost:
    """Overhead for every chunk and a rate for every second of audio; frames are computed in batches.

    Attributes:
        batch_s: so much audio is computed at once, and costs its whole rate however little of it there is.
        pauses_a_second: of the garbage collection, as a Poisson process, each ``pause_s`` long on average.
        jitter: relative standard deviation of compute times.
    """

    name: str
    overhead_s: float
    rate: float
    batch_s: float = 0.0
    load: Load | None = None
    pauses_a_second: float = 0.0
    pause_s: float = 0.1
    jitter: float = 0.1

    def mean(self, chunk_s: float, factor: float = 1.0) -> float:
        """Expected compute time of a chunk, without pauses, s."""
        computed = math.ceil(chunk_s / self.batch_s - 1e-6) * self.batch_s if self.batch_s else chunk_s
        return factor * (self.overhead_s + self.rate * computed)

    def slower(self, factor: float) -> Cost:
        """The same on a machine that is always that much slower."""
        return replace(self, overhead_s=factor * self.overhead_s, rate=factor * self.rate, load=None)

    def factor(self, time_s: float) -> float:
        """How many times slower the machine is then."""
        return self.load.at(time_s) if self.load else 1.0


class Chunk(NamedTuple):
    """What happened to one chunk; all in seconds.

    Attributes:
        end_s: when its computation ended.
        length_s: of its audio.
        compute_s: how long it was computed.
        latency_s: from the arrival of its first sample to ``end_s``.
        backlog_s: audio that waited then.
    """

    end_s: float
    length_s: float
    compute_s: float
    latency_s: float
    backlog_s: float


@dataclass
class Run:
    """All chunks of a simulated session."""

    chunks: list[Chunk] = field(default_factory=list)

    def column(self, name: str) -> np.ndarray:
        """One value of all chunks."""
        return np.array([getattr(chunk, name) for chunk in self.chunks])

    def between(self, begin_s: float, end_s: float) -> Run:
        """The chunks that were ready in that time."""
        return Run([chunk for chunk in self.chunks if begin_s <= chunk.end_s < end_s])

    @property
    def utilisation(self) -> float:
        """Compute time ÷ audio."""
        return float(self.column("compute_s").sum() / self.column("length_s").sum())

    @property
    def typical_length_s(self) -> float:
        """Half of the audio comes in chunks of at most this length."""
        lengths = np.sort(self.column("length_s"))
        taken = np.cumsum(lengths)
        return float(lengths[np.searchsorted(taken, taken[-1] / 2)])

    def latency(self, percent: float) -> float:
        """Percentile over the audio, not over the chunks: long chunks count for what they are."""
        order = np.argsort(self.column("latency_s"))
        weights = np.cumsum(self.column("length_s")[order])
        return float(self.column("latency_s")[order][np.searchsorted(weights, percent / 100 * weights[-1])])

    def turns(self) -> list[float]:
        """When the chunk's length changed its direction."""
        turns, last = [], 0.0
        for before, after in zip(self.chunks, self.chunks[1:], strict=False):
            change = after.length_s - before.length_s
            if abs(change) < 1e-9:
                continue
            if change * last < 0:
                turns.append(before.end_s)
            last = change
        return turns


def simulate(cost: Cost, controller: Controller, seconds: float, seed: int = 0) -> Run:
    """So many seconds of audio that arrive in real time, on a clock that only the arithmetic moves."""
    chance = random.Random(seed)
    next_pause_s = _wait(chance, cost.pauses_a_second)
    run, free_s, taken_s = Run(), 0.0, 0.0
    while taken_s < seconds:
        length_s = controller.chunk_s
        begin_s = max(free_s, taken_s + length_s)
        compute_s = cost.mean(length_s, cost.factor(begin_s)) * max(0.3, chance.gauss(1, cost.jitter))
        while next_pause_s < begin_s + compute_s:
            compute_s += chance.uniform(0.5, 1.5) * cost.pause_s if next_pause_s >= begin_s else 0.0
            next_pause_s += _wait(chance, cost.pauses_a_second)
        free_s = begin_s + compute_s
        latency_s, taken_s = free_s - taken_s, taken_s + length_s
        backlog_s = free_s - taken_s
        run.chunks.append(Chunk(free_s, length_s, compute_s, latency_s, backlog_s))
        controller.observe(length_s, compute_s, backlog_s)
    return run


def _wait(chance: random.Random, a_second: float) -> float:
    return chance.expovariate(a_second) if a_second else math.inf
