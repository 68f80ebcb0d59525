"""What a row of bench/gpu.py is: a call of ours, the limits of the card, and the peers that it is held against."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gpu_device import Device, Rates, Stopwatch, median_of
from measure import median

Call = Callable[[], Any]


@dataclass(frozen=True)
class Work:
    """What no way of computing a row can do without: each of it takes the card some time, the longest is the limit."""

    bytes: float = 0.0  # each input read once, each result written once
    add_max: float = 0.0
    multiply_add: float = 0.0
    steps: float = 0.0  # frames of which none can begin before the one before it has ended

    def limits(self, rates: Rates) -> dict[str, float]:
        """Seconds by what sets the limit."""
        seconds = {
            f"{self.bytes / 1e6:.3g} MB": self.bytes / rates.bytes_a_second,
            f"{self.add_max / 1e6:.3g} M add-max": self.add_max / rates.add_max_a_second,
            f"{self.multiply_add / 1e6:.3g} M multiply-add": self.multiply_add / rates.multiply_add_a_second,
            f"{self.steps:.0f} steps": self.steps * rates.step_s,
        }
        return {name: value for name, value in seconds.items() if value > 0}


@dataclass(frozen=True)
class Peer:
    """Another way to the same result; ``bar`` is the least that its time ÷ ours must be.

    ``value()`` is what it computes, to be compared with ours: ``tolerance`` is the most by which they may differ,
    relative to the largest.
    """

    name: str
    call: Call
    bar: float | None = None
    value: Call | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Row:
    """A call of ours. ``least_share`` is the bar of the limit's time ÷ ours."""

    ours: Call
    work: Work = Work()
    least_share: float | None = None
    peers: Sequence[Peer] = ()
    value: Call | None = None


@dataclass(frozen=True)
class Latency:
    """Calls that are timed one by one with a clock of the host's, each until its results are there."""

    step: Callable[[], float]  # the seconds of one step
    steps: int
    most_s: float | None = None  # the bar of the 99th percentile
    warm_up: int = 20


def measure(row: Row | Latency, device: Device, rates: Rates, rounds: int) -> dict[str, Any]:
    """All figures of one row."""
    return _measure_latency(row) if isinstance(row, Latency) else _measure_row(row, device, rates, rounds)


def attempt(prepare: Callable[[], Row | Latency], device: Device, rates: Rates, rounds: int) -> dict[str, Any]:
    """All figures, or what went wrong: the other rows are measured all the same."""
    try:
        with torch.no_grad():
            row = prepare()
        return measure(row, device, rates, rounds)
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}


def _measure_row(row: Row, device: Device, rates: Rates, rounds: int) -> dict[str, Any]:
    watches = [Stopwatch(device, call) for call in (row.ours, *(peer.call for peer in row.peers))]
    times = [[watch() for watch in watches] for _ in range(rounds)]
    ours, *theirs = (median(each) for each in zip(*times, strict=True))
    limits = [_limit(name, seconds, ours) for name, seconds in row.work.limits(rates).items()]
    if limits:
        longest = max(limits, key=lambda each: each["seconds"])
        longest["bar"] = row.least_share
        longest["met"] = None if row.least_share is None else longest["ratio"] >= row.least_share
    peers = [_compared(row, peer, seconds, ours) for peer, seconds in zip(row.peers, theirs, strict=True)]
    return {"seconds": ours, "compared": [*limits, *peers], **_replayed(row, device, rounds)}


def _limit(name: str, seconds: float, ours: float) -> dict[str, Any]:
    return {"with": f"limit: {name}", "is_limit": True, "seconds": seconds, "ratio": seconds / ours, "bar": None}


def _compared(row: Row, peer: Peer, seconds: float, ours: float) -> dict[str, Any]:
    found: dict[str, Any] = {"with": peer.name, "is_limit": False, "seconds": seconds, "ratio": seconds / ours}
    found["bar"] = peer.bar
    met = [] if peer.bar is None else [found["ratio"] >= peer.bar]
    if peer.value is not None and row.value is not None:
        found["difference"] = difference(row.value(), peer.value())
        found["tolerance"] = peer.tolerance
        met += [] if peer.tolerance is None else [found["difference"] <= peer.tolerance]
    found["met"] = all(met) if met else None
    return found


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest entry."""
    a, b = (np.asarray(torch.as_tensor(each).detach().cpu().double()) for each in (ours, theirs))
    return float(np.abs(a - b).max() / np.abs(b).max())


def _replayed(row: Row, device: Device, rounds: int) -> dict[str, Any]:
    """Ours as a CUDA graph: without what the host takes to launch it."""
    try:
        replay = device.recorded(row.ours)
    except RuntimeError as error:
        return {"not_replayed": str(error)}
    return {} if replay is None else {"replayed_seconds": median_of(Stopwatch(device, replay), rounds)}


def _measure_latency(row: Latency) -> dict[str, Any]:
    for _ in range(row.warm_up):
        row.step()
    seconds = [row.step() for _ in range(row.steps)]
    middle, late = np.percentile(seconds, [50, 99]).tolist()
    met = None if row.most_s is None else late <= row.most_s
    return {"seconds": middle, "p99_s": late, "most_s": row.most_s, "met": met}
