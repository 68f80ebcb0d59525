"""A clock that only moves when it is told to."""

from __future__ import annotations


class Clock:
    """Wall and processor time, in seconds."""

    def __init__(self) -> None:
        self.wall_s, self.processor_s = 100.0, 10.0

    def wall(self) -> float:
        return self.wall_s

    def processor(self) -> float:
        return self.processor_s

    def work(self, seconds: float, processor_s: float | None = None) -> None:
        """Time passes; on the processor as much unless it is said."""
        self.wall_s += seconds
        self.processor_s += seconds if processor_s is None else processor_s
