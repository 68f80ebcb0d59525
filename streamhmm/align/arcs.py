"""Arcs of a graph while it is being built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product


@dataclass
class Arcs:
    """Three lists, one entry an arc."""

    sources: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, source: int, target: int, weight: float = 0.0) -> None:
        """One arc."""
        self.sources.append(source)
        self.targets.append(target)
        self.weights.append(weight)

    def add_chain(self, states: range) -> None:
        """From each of ``states`` to the next; the last one repeats."""
        last = states[-1]
        self.sources += states
        self.targets += states[1:]
        self.targets.append(last)
        self.weights += [0.0] * len(states)

    def add_all(self, sources: Iterable[int], targets: Sequence[int], weight: float = 0.0) -> None:
        """From each of ``sources`` to each of ``targets``."""
        for source, target in product(sources, targets):
            self.add(source, target, weight)
