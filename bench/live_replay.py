"""Speech pushed into a stream as if somebody spoke, on a virtual clock: audio comes at real-time pace, computing takes
the time that it takes on this machine.

Nothing is waited for, so an hour is replayed in minutes; what a microphone and its driver add is not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from chunking_simulation import Controller

from streamhmm.align.events import Event, Position
from streamhmm.align.stream import AlignmentStream

RATE = 16000
ASK_S = 0.05
"""How often the position is asked for."""


@dataclass
class Replay:
    """What happened: events with the time when each came out, positions with the time for which each was asked."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    positions: list[tuple[float, Position]] = field(default_factory=list)
    chunks_s: list[float] = field(default_factory=list)
    compute_s: list[float] = field(default_factory=list)

    def factor(self) -> float:
        """Compute time ÷ length of the audio."""
        return sum(self.compute_s) / sum(self.chunks_s)


def replay(
    stream: AlignmentStream,
    samples: np.ndarray,
    controller: Controller,
    *,
    ask: bool = False,
    timer: Callable[[], float] | None = None,
) -> Replay:
    """Push (n,) samples, then end the stream; ``timer`` (by default the wall's clock) tells what computing takes."""
    timer = timer or time.perf_counter
    result, clock, done, asked = Replay(), 0.0, 0, 0
    while done < len(samples):
        chunk = min(max(1, round(controller.chunk_s * RATE)), len(samples) - done)
        arrived = max(clock, (done + chunk) / RATE)
        if ask:
            due = list(_times(asked, arrived))
            result.positions += [(at, stream.position(at - done / RATE)) for at in due]
            asked += len(due)
        begin = timer()
        events = stream.push(samples[done : done + chunk])
        compute = timer() - begin
        clock, done = arrived + compute, done + chunk
        result.events += [(clock, event) for event in events]
        result.chunks_s.append(chunk / RATE)
        result.compute_s.append(compute)
        controller.observe(chunk / RATE, compute, max(0.0, min(clock, len(samples) / RATE) - done / RATE))
    begin = timer()
    events = stream.close()
    clock += timer() - begin
    result.events += [(clock, event) for event in events]
    return result


def _times(asked: int, until: float) -> Iterator[float]:
    while asked * ASK_S < until:
        yield asked * ASK_S
        asked += 1
