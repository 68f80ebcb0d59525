"""What a controller of chunk lengths is held to: the best fixed length, found by search, and how soon it is there."""

from __future__ import annotations

import numpy as np
from chunking_simulation import Cost, Fixed, Run, simulate

QUANTUM_S = 0.01
LONGEST_S = 1.0
PRICE_S = 1.0
GRID = [round(step * QUANTUM_S, 2) for step in range(1, round(LONGEST_S / QUANTUM_S) + 1)]
TOLERANCE = 0.25
SETTLED = 0.95


def excess_s(cost: Cost, chunk_s: float, bound: float, factor: float = 1.0) -> float:
    """Price, in seconds of latency, of the utilisation that exceeds the bound: 1 s for each time the bound."""
    return PRICE_S * max(0.0, cost.mean(chunk_s, factor) / chunk_s / bound - 1)


def priced_p95_s(run: Run, cost: Cost, bound: float, factor: float) -> float:
    """p95 latency of a part of a run, and the price of what its chunks are expected to exceed the bound by."""
    lengths = run.column("length_s")
    prices = [excess_s(cost, length_s, bound, factor) for length_s in lengths]
    return run.latency(95) + float(np.average(prices, weights=lengths))


def expected_s(cost: Cost, chunk_s: float, bound: float, factor: float = 1.0) -> float:
    """Latency of a chunk, waiting and computing, without pauses and jitter, and the price."""
    return chunk_s + cost.mean(chunk_s, factor) + excess_s(cost, chunk_s, bound, factor)


def best_fixed(cost: Cost, bound: float, seconds: float, seed: int = 0, factor: float = 1.0) -> float:
    """The length of the grid with the lowest p95 latency, price included, of those whose backlog does not grow."""

    def latency_s(chunk_s: float) -> float:
        run = simulate(cost.slower(factor), Fixed(chunk_s), seconds, seed)
        half = len(run.chunks) // 2
        backlog = run.column("backlog_s")
        grows = np.median(backlog[half:]) > np.median(backlog[:half]) + chunk_s
        return float("inf") if grows else priced_p95_s(run, cost, bound, factor)

    steady = [chunk_s for chunk_s in GRID if cost.mean(chunk_s, factor) < chunk_s]
    return min(steady or GRID, key=latency_s)


def settling(run: Run, cost: Cost, bound: float, begin_s: float, end_s: float, best_s: float, factor: float) -> float:
    """How soon the part of a run in which the machine is ``factor`` times slower is near the best fixed length.

    Returns:
        time from the part's begin to the first chunk whose expected latency, price included, is within 25 % of the best
        one's, or whose length is within one quantum, if that holds for 95 % of the audio from there on; else infinity.
    """
    part = run.between(begin_s, end_s)
    allowed_s = (1 + TOLERANCE) * expected_s(cost, best_s, bound, factor)
    lengths = part.column("length_s")
    near = np.array(
        [
            expected_s(cost, length_s, bound, factor) <= allowed_s or abs(length_s - best_s) < 1.01 * QUANTUM_S
            for length_s in lengths
        ]
    )
    share = np.cumsum((lengths * near)[::-1])[::-1] / np.cumsum(lengths[::-1])[::-1]
    settled = np.flatnonzero(near & (share >= SETTLED))
    if not len(settled):
        return float("inf")
    first = part.chunks[settled[0]]
    return max(0.0, first.end_s - first.latency_s - begin_s)


def backlog_gone_s(run: Run, end_s: float) -> float:
    """Time after ``end_s`` until never again a whole chunk's length of audio waits behind a chunk."""
    behind = [chunk.end_s for chunk in run.chunks if chunk.end_s > end_s and chunk.backlog_s > chunk.length_s]
    return max(behind, default=end_s) - end_s


def turns_in_a_second(run: Run) -> int:
    """The most changes of direction within any second."""
    turns = np.array(run.turns())
    return max((int(((turns >= turn) & (turns < turn + 1 - 1e-9)).sum()) for turn in turns), default=0)
