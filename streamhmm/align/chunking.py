"""How much audio to take at once: small chunks answer sooner, large ones cost less."""

from __future__ import annotations

import math

from streamhmm.align.chunk_cost import ChunkCost

OVERHEAD_SHARE = 0.25
DEAD_BAND = 0.1
TURN_S = 1.0
KAPPA = 0.7
DRAIN_S = 0.5


class ChunkController:
    def __init__(
        self,
        max_utilisation: float = 0.25,
        *,
        min_chunk_s: float = 0.01,
        max_chunk_s: float = 1.0,
        quantum_s: float = 0.01,
        first_chunk_s: float = 0.1,
    ) -> None:
        self.max_utilisation = max_utilisation
        self.max_chunk_s = max_chunk_s
        self.min_chunk_s = min_chunk_s
        self.quantum_s = quantum_s
        self._cost = ChunkCost()
        self._chunk_s = self._allowed(first_chunk_s)
        self._direction = 0
        self._turned_s = -math.inf
        self._taken_s = 0.0

    @property
    def chunk_s(self) -> float:
        return self._chunk_s

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        self._taken_s += chunk_s
        self._cost.learn(chunk_s, compute_s)
        if self._cost.known:
            self._move(self._wanted(backlog_s), self._taken_s + backlog_s)
        return self._chunk_s

    def _wanted(self, backlog_s: float) -> float:
        steady_s = min(max(self._steady(), self.min_chunk_s), self.max_chunk_s)
        used = self._cost.utilisation(steady_s)
        late_s = backlog_s - steady_s * used
        if backlog_s > 2 * self.max_chunk_s or late_s * used > DRAIN_S * (1 - used):
            return max(steady_s, min(backlog_s, self.max_chunk_s))
        return steady_s

    def _steady(self) -> float:
        """The length without a backlog."""
        overhead_s, rate = self._cost.overhead_s, self._cost.rate
        bounded_s = _ratio(overhead_s, self.max_utilisation - rate)
        shift = (
            min(KAPPA * self._cost.rate_sd(self._chunk_s), 0.8 * overhead_s / self._chunk_s)
            if rate > self.max_utilisation
            else 0.0
        )
        overhead_s, rate = overhead_s - shift * self._chunk_s, rate + shift
        return min(bounded_s, _ratio(overhead_s, min(OVERHEAD_SHARE * rate, (1 - rate) / 2)))

    def _allowed(self, chunk_s: float) -> float:
        if chunk_s >= self.max_chunk_s:
            return self.max_chunk_s
        steps = math.ceil(chunk_s / self.quantum_s - 1e-6)
        return min(max(steps * self.quantum_s, self.min_chunk_s), self.max_chunk_s)

    def _move(self, wanted_s: float, now_s: float) -> None:
        change = self._allowed(wanted_s) - self._chunk_s
        band_s = DEAD_BAND * self._chunk_s
        if (
            abs(change) < self.quantum_s / 2
            or self._chunk_s - self.quantum_s - band_s < wanted_s < self._chunk_s + band_s
        ):
            return
        direction = 1 if change > 0 else -1
        if direction == -self._direction:
            if now_s - self._turned_s < TURN_S:
                return
            self._turned_s = now_s
        self._direction = direction
        self._chunk_s += change


def _ratio(overhead_s: float, room: float) -> float:
    """The chunk over which the overhead takes that much of the time."""
    return overhead_s / room if room > 0 else math.inf
