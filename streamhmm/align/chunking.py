"""How much audio to take at once: short chunks answer sooner, long ones cost less."""

from __future__ import annotations

import math
from typing import NamedTuple

from streamhmm.align.chunk_cost import ChunkCost

PRICE_S = 1.0  # of latency, that twice the bound is worth
TOO_MUCH = 1.1  # of the utilisation that another chunk promises, before it is worth a change
WORTH = 0.87  # of the latency, likewise
PLAUSIBLE = 0.3  # standard deviations by which the rate may be off in a plan
DRAIN_S = 0.5
TURN_S = 1.0


class _Plan(NamedTuple):
    """A length, the utilisation expected of it, and its latency with the price of what exceeds the bound."""

    chunk_s: float
    utilisation: float
    cost_s: float


class ChunkController:
    """Chooses the length of each chunk from what the last ones cost. It has no clock: what it is told is all it knows.

    Computing a chunk of c seconds takes o + r · c seconds, overhead and rate, which :class:`ChunkCost` learns. With the
    utilisation y(c) = (o + r · c) / c and the bound u the length is the one of least expected latency, where breaking
    the bound has a price, since on a machine that is too slow no length keeps it::

        c* = argmin  c + o + r · c  +  (1 s / u) · max(0, y(c) − u)      so that  y(c) ≤ (1 + r) / 2
           = max( min( o / (u − r),  √((1 s / u) · o / (1 + r)) ),  2 · o / (1 − r) )        o / (u − r) = ∞ for r ≥ u

    in whole quanta, rounded up, and within the limits. The first term keeps the bound, exactly; the second is as near
    to it as its price allows; the third leaves half of the time that the rate leaves. All grow with o: a machine that
    gets slower gets longer chunks.

    * Of three plausible pairs (o, r) that explain the present chunk equally well, the one with the least cost is
      followed: what is believed wrongly is then tried, and known.
    * A backlog of B seconds that the chunks of that length would not clear within 0.5 s, B · y / (1 − y) > 0.5, or one
      of more than two of the longest chunks, is taken in chunks of all that waits.
    * A chunk gets longer only if it uses 1.1 times as much as the longer one would, shorter only if that saves 13 % of
      the latency, and a change of direction comes at the earliest one second after the last, on the clock of arriving
      audio: audio taken + backlog.

    Args:
        max_utilisation: u, compute time ÷ length of audio, above 0 and below 1.
        min_chunk_s, max_chunk_s: limits of the length.
        quantum_s: the length is a multiple of this, or one of the limits.
        first_chunk_s: the length until three blocks of 0.1 s are known.

    Raises:
        ValueError: for values outside these ranges.
    """

    def __init__(
        self,
        max_utilisation: float = 0.028,
        *,
        min_chunk_s: float = 0.01,
        max_chunk_s: float = 1.0,
        quantum_s: float = 0.01,
        first_chunk_s: float = 0.1,
    ) -> None:
        if not 0 < max_utilisation < 1:
            raise ValueError(f"max_utilisation must lie between 0 and 1, got {max_utilisation}")
        if not 0 < min_chunk_s <= max_chunk_s < math.inf:
            raise ValueError(f"limits must satisfy 0 < min_chunk_s <= max_chunk_s, got {min_chunk_s} and {max_chunk_s}")
        if quantum_s <= 0:
            raise ValueError(f"quantum_s must be positive, got {quantum_s}")
        self.max_utilisation = max_utilisation
        self.min_chunk_s = min_chunk_s
        self.max_chunk_s = max_chunk_s
        self.quantum_s = quantum_s
        self._cost = ChunkCost()
        self._chunk_s = self._allowed(first_chunk_s)
        self._taken_s = 0.0
        self._direction = 0
        self._turned_s = -math.inf

    @property
    def chunk_s(self) -> float:
        """The length of the next chunk."""
        return self._chunk_s

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        """Takes note of a chunk; the length of the next one.

        Args:
            chunk_s: its length, whether or not it is the one that was asked for.
            compute_s: how long computing it took.
            backlog_s: the audio that has come meanwhile and waits.

        Raises:
            ValueError: for a chunk without length, or a negative time.
        """
        if not (chunk_s > 0 and compute_s >= 0 and backlog_s >= 0):
            raise ValueError(
                f"chunk_s must be positive, times not negative, got {chunk_s=:g}, {compute_s=:g}, {backlog_s=:g}"
            )
        self._taken_s += chunk_s
        self._cost.learn(chunk_s, compute_s)
        if self._cost.known:
            self._move(self._wanted(backlog_s), self._taken_s + backlog_s)
        return self._chunk_s

    def _wanted(self, backlog_s: float) -> float:
        """The length to have now; the present one if another is not worth the change."""
        shift = PLAUSIBLE * self._cost.rate_sd(self._chunk_s)
        plan = min((self._plan(by) for by in (-shift, 0.0, shift)), key=lambda plan: plan.cost_s)
        used = plan.utilisation
        late_s = backlog_s - plan.chunk_s * used
        if backlog_s > 2 * self.max_chunk_s or late_s * used > DRAIN_S * (1 - used):
            return max(plan.chunk_s, self._allowed(backlog_s))
        now = self._cost.utilisation(self._chunk_s)
        if plan.chunk_s > self._chunk_s:
            worth = now > TOO_MUCH * used
        else:
            worth = plan.chunk_s * (1 + used) < WORTH * self._chunk_s * (1 + now)
        return plan.chunk_s if worth else self._chunk_s

    def _plan(self, shift: float) -> _Plan:
        """The best length without a backlog if the rate is by ``shift`` above the believed one, the overhead below."""
        now = self._cost.utilisation(self._chunk_s)
        rate = min(max(self._cost.rate + shift, 0.0), now)
        overhead_s = (now - rate) * self._chunk_s
        price_s = PRICE_S / self.max_utilisation
        bounded_s = _ratio(overhead_s, self.max_utilisation - rate)
        priced_s = math.sqrt(price_s * overhead_s / (1 + rate))
        stable_s = _ratio(overhead_s, (1 - rate) / 2)
        chunk_s = self._allowed(max(min(bounded_s, priced_s), stable_s))
        used = overhead_s / chunk_s + rate
        return _Plan(chunk_s, used, chunk_s * (1 + used) + price_s * max(0.0, used - self.max_utilisation))

    def _allowed(self, chunk_s: float) -> float:
        """In whole quanta, rounded up, within the limits."""
        if chunk_s >= self.max_chunk_s:
            return self.max_chunk_s
        quanta = math.ceil(chunk_s / self.quantum_s - 1e-6)
        return min(max(quanta * self.quantum_s, self.min_chunk_s), self.max_chunk_s)

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
    """The chunk in which the overhead takes up that much."""
    return overhead_s / room if room > 0 else math.inf
