"""How much audio to take at once: small chunks answer sooner, large ones cost less."""

from __future__ import annotations

import math
from typing import NamedTuple

from streamhmm.align.chunk_cost import ChunkCost

PRICE_S = 1.0
OVER, GAIN = 1.1, 0.87
TURN_S = 1.0
DRAIN_S = 0.5
KAPPA = 0.3


class _Plan(NamedTuple):
    chunk_s: float
    used: float
    price_s: float


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
        """The length to have now, or the present one if the difference is not worth a change."""
        sd = KAPPA * self._cost.rate_sd(self._chunk_s)
        plans = [self._plan(shift) for shift in (-sd, 0.0, sd)]
        plan = min(plans, key=lambda plan: plan.price_s)
        steady_s, used = plan.chunk_s, plan.used
        late_s = backlog_s - steady_s * used
        if backlog_s > 2 * self.max_chunk_s or late_s * used > DRAIN_S * (1 - used):
            return max(steady_s, self._allowed(backlog_s))
        now = self._cost.utilisation(self._chunk_s)
        if steady_s > self._chunk_s:
            return steady_s if now > OVER * used else self._chunk_s
        return steady_s if steady_s * (1 + used) < GAIN * self._chunk_s * (1 + now) else self._chunk_s

    def _plan(self, shift: float) -> _Plan:
        """The length without a backlog if the rate is by ``shift`` higher than believed, and the overhead lower."""
        now = self._cost.utilisation(self._chunk_s)
        rate = min(max(self._cost.rate + shift, 0.0), now)
        overhead_s = (now - rate) * self._chunk_s
        price_s = PRICE_S / self.max_utilisation
        bounded_s = _ratio(overhead_s, self.max_utilisation - rate)
        paid_s = math.sqrt(price_s * overhead_s / (1 + rate))
        stable_s = _ratio(overhead_s, (1 - rate) / 2)
        chunk_s = self._allowed(max(min(bounded_s, paid_s), stable_s))
        used = overhead_s / chunk_s + rate
        return _Plan(chunk_s, used, chunk_s * (1 + used) + price_s * max(0.0, used - self.max_utilisation))

    def _allowed(self, chunk_s: float) -> float:
        if chunk_s >= self.max_chunk_s:
            return self.max_chunk_s
        steps = math.ceil(chunk_s / self.quantum_s - 1e-6)
        return min(max(steps * self.quantum_s, self.min_chunk_s), self.max_chunk_s)

    def _move(self, wanted_s: float, now_s: float) -> None:
        if wanted_s == self._chunk_s:
            return
        direction = 1 if wanted_s > self._chunk_s else -1
        if direction == -self._direction:
            if now_s - self._turned_s < TURN_S:
                return
            self._turned_s = now_s
        self._direction = direction
        self._chunk_s = wanted_s


def _ratio(overhead_s: float, room: float) -> float:
    """The chunk over which the overhead takes that much of the time."""
    return overhead_s / room if room > 0 else math.inf
