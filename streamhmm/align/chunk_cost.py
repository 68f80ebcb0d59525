"""What a chunk costs to compute, learnt while it goes, from chunks that may all be equal and may have had bad luck."""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK_S = 0.1
FIRST_BLOCKS = 3
NOISE_AT_FIRST, NOISE_LEAST, NOISE_GAIN = 0.1, 0.03, 0.1  # of a block's cost, relative
LEVEL_DRIFT = 0.02  # of the machine's pace from block to block, relative
SPLIT_DRIFT = 0.002  # of the share of the overhead, likewise
SPLIT_UNKNOWN = 0.5  # of that share at the start
JUMP_ACROSS = 0.2  # how much of a sudden change of pace may be one of the share
STRANGE = 3.0  # standard deviations
BELIEVED_S = 0.3  # of strange audio in a row


class _Block(NamedTuple):
    """Some chunks together: ``chunks`` a second of audio, compute time ÷ audio, and how much audio, s."""

    chunks: float
    utilisation: float
    span_s: float


class ChunkCost:
    """Fits compute time = overhead + rate · chunk, as a Kalman filter of two states that distrusts single blocks.

    Chunks are taken together into blocks of at least 0.1 s of audio, because a network works in steps of its own, so
    that single short chunks cost now nothing, now much. A block of n chunks, C seconds of audio and T seconds of
    computation tells one number, its utilisation, about overhead o and rate r::

        y = T / C = o · x + r + noise        x = n / C, chunks a second;  noise ~ N(0, (σ · y)²), σ from the residuals

    * When all chunks are equal, o and r can't be told apart. What changes then is taken for the machine's pace, which
      multiplies both: the drift has covariance 0.02² · z zᵀ, z = (o, r), and only 0.002² · y² · d dᵀ across it, where
      d = (−1/x, 1) is the direction that y does not see. So the split stays as it is until chunks of another length
      tell about it. At the start everything is taken for overhead, with a deviation of half of y.
    * A block further than 3 standard deviations off is set aside, as a garbage collection's. If the next ones are off
      to the same side, over 0.3 s of audio and two blocks or more, the pace has changed: the covariance grows by
      (ȳ/ŷ − 1)² · (z zᵀ + 0.2² · min(ȳ, ŷ)² · d dᵀ) and all count. Nothing makes a computation shorter by accident, so
      that one block of 0.3 s suffices to the lower side.
    * Where the filter gives a negative cost, the likeliest pair with that cost zero takes its place.
    """

    def __init__(self) -> None:
        self._first: list[_Block] = []
        self._strange: list[_Block] = []
        self._open = (0, 0.0, 0.0)  # chunks, audio, compute time of the block being filled
        self._state = np.zeros(2)
        self._covariance = np.zeros((2, 2))
        self._noise = NOISE_AT_FIRST

    @property
    def known(self) -> bool:
        """Whether enough has been seen to say anything."""
        return len(self._first) == FIRST_BLOCKS

    @property
    def overhead_s(self) -> float:
        """Compute time of a chunk however short."""
        return float(self._state[0])

    @property
    def rate(self) -> float:
        """Compute time a second of audio, beside the overhead."""
        return float(self._state[1])

    def rate_sd(self, chunk_s: float) -> float:
        """Standard deviation of the rate when the cost of chunks of this length is known."""
        block = _Block(1 / chunk_s, 0.0, 0.0)
        level = (self._variance(block) / self._expected(block) ** 2 - self._noise**2) * self.rate**2
        return math.sqrt(max(float(self._covariance[1, 1]) - level, 0.0))

    def utilisation(self, chunk_s: float) -> float:
        """Compute time ÷ length that is to be expected of chunks of this length."""
        return self.overhead_s / chunk_s + self.rate

    def learn(self, chunk_s: float, compute_s: float) -> None:
        """Takes note of one chunk."""
        chunks, audio_s, total_s = self._open
        self._open = chunks + 1, audio_s + chunk_s, total_s + compute_s
        if self._open[1] < BLOCK_S * (1 - 1e-6):
            return
        chunks, audio_s, total_s = self._open
        self._open = (0, 0.0, 0.0)
        block = _Block(chunks / audio_s, max(total_s / audio_s, 1e-9), audio_s)
        if self.known:
            self._see(block)
        else:
            self._begin(block)

    def _begin(self, block: _Block) -> None:
        self._first.append(block)
        if not self.known:
            return
        middle = statistics.median_low(block.utilisation for block in self._first)
        block = next(block for block in self._first if block.utilisation == middle)
        self._state = np.array([block.utilisation / block.chunks, 0.0])
        across = _across(block) * (SPLIT_UNKNOWN * block.utilisation)
        self._covariance = NOISE_AT_FIRST**2 * np.outer(self._state, self._state) + np.outer(across, across)

    def _see(self, block: _Block) -> None:
        across = _across(block) * (SPLIT_DRIFT * self._expected(block))
        self._covariance += LEVEL_DRIFT**2 * np.outer(self._state, self._state) + np.outer(across, across)
        error = block.utilisation - self._expected(block)
        if error**2 <= STRANGE**2 * self._variance(block):
            self._strange = []
            squared = min(error / self._expected(block), 1.0) ** 2
            self._noise = max(math.sqrt((1 - NOISE_GAIN) * self._noise**2 + NOISE_GAIN * squared), NOISE_LEAST)
            self._update(block)
        elif self._believed(block):
            blocks, self._strange = self._strange, []
            before, after = self._expected(block), statistics.fmean(block.utilisation for block in blocks)
            jump = after / before - 1
            across = _across(block) * (JUMP_ACROSS * jump * min(before, after))
            self._covariance += jump**2 * np.outer(self._state, self._state) + np.outer(across, across)
            for one in blocks:
                self._update(one)

    def _believed(self, block: _Block) -> bool:
        """Whether strange blocks have come long enough; sets this one aside with those before it."""
        above = block.utilisation > self._expected(block)
        if self._strange and (self._strange[-1].utilisation > self._expected(self._strange[-1])) != above:
            self._strange = []
        self._strange.append(block)
        enough = sum(one.span_s for one in self._strange) >= BELIEVED_S * (1 - 1e-6)
        return enough and (len(self._strange) > 1 or not above)

    def _update(self, block: _Block) -> None:
        seen = np.array([block.chunks, 1.0])
        gain = self._covariance @ seen / self._variance(block)
        error = block.utilisation - self._expected(block)
        self._covariance -= np.outer(gain, seen @ self._covariance)
        self._state = self._state + gain * error
        for index in (0, 1):
            if self._state[index] < 0:  # the likeliest state without a negative cost
                towards = self._covariance[:, index] / self._covariance[index, index]
                self._state = self._state - towards * self._state[index]
        self._state = np.maximum(self._state, 0.0)

    def _expected(self, block: _Block) -> float:
        return max(self.overhead_s * block.chunks + self.rate, 1e-9)

    def _variance(self, block: _Block) -> float:
        seen = np.array([block.chunks, 1.0])
        return float(seen @ self._covariance @ seen) + (self._noise * self._expected(block)) ** 2


def _across(block: _Block) -> NDArray[np.float64]:
    """The change of (overhead, rate) that leaves a block's utilisation as it is."""
    return np.array([-1 / block.chunks, 1.0])
