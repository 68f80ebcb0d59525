"""Stepwise EM: one M step a batch, on statistics that forget their past slowly.

s ← (1 − η) · s + η · s_batch with η_k = (k + offset)^−decay (Cappé & Moulines, "On-line expectation-maximization
algorithm for latent data models", 2009; Liang & Klein, "Online EM for unsupervised models", 2009). The statistics are
those of a mean frame; the M step sees them times the frames of all data, so that priors weigh what they weigh in EM.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self

from streamhmm.models.em import ConvergenceMonitor, iterate
from streamhmm.models.hmm import Expectation
from streamhmm.models.random_state import generator_from
from streamhmm.models.sequences import Sequences
from streamhmm.models.training import Training

Batches = Iterable[Any] | Callable[[], Iterable[Any]]


@dataclass(frozen=True)
class StepSize:
    """η_k = (k + offset)^−decay for batch k = 0, 1, …; η_0 = 1, as nothing came before.

    A decay above 0.5 and at most 1 converges; the smaller, the faster the past is forgotten. 0 forgets it at once:
    with one batch that is all the data, this is EM.

    Raises:
        ValueError: for a decay outside 0 … 1 or an offset below 1.
    """

    decay: float = 0.7
    offset: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay must be in 0 … 1, got {self.decay}")
        if not self.offset >= 1:
            raise ValueError(f"offset must be at least 1, got {self.offset}")

    def at(self, batch: int) -> float:
        """η of a batch."""
        return 1.0 if batch == 0 else float((batch + self.offset) ** -self.decay)


@dataclass
class RunningMean:
    """Statistics of a mean frame after some batches.

    Attributes:
        found: they themselves; None before the first batch.
        batches, frames: how many went in.
    """

    found: Expectation | None = None
    batches: int = 0
    frames: int = 0

    def take(self, found: Expectation, frames: int, step: StepSize) -> None:
        """One batch's, of so many frames."""
        one = scaled(found, 1 / frames)
        if self.found is not None:
            eta = step.at(self.batches)
            one = _added(scaled(self.found, 1 - eta), scaled(one, eta))
        self.found, self.batches, self.frames = one, self.batches + 1, self.frames + frames

    def times(self, frames: int) -> Expectation:
        """Those of so many frames. Raises ValueError before the first batch."""
        if self.found is None:
            raise ValueError("there must be at least one batch, got none")
        return scaled(self.found, frames)


def scaled(found: Expectation, factor: float) -> Expectation:
    """All sums times a number."""
    counts = type(found.counts)(*(each * factor for each in found.counts))
    return Expectation(found.log_likelihood * factor, counts, found.statistics * factor)


def _added(a: Expectation, b: Expectation) -> Expectation:
    counts = type(a.counts)(*(one + other for one, other in zip(a.counts, b.counts, strict=True)))
    return Expectation(a.log_likelihood + b.log_likelihood, counts, a.statistics + b.statistics)


def pairs(batches: Batches, n_passes: int) -> Iterator[tuple[Any, Any]]:
    """Each batch as X and lengths.

    Raises:
        TypeError: batches that can be gone through once only, for several passes.
    """
    again = batches() if callable(batches) else batches
    if n_passes > 1 and not callable(batches) and iter(again) is again:
        raise TypeError("batches can be gone through once only; for several passes give a list, or a function of them")
    for batch in again:
        if isinstance(batch, (tuple, list)):
            yield batch[0], batch[1] if len(batch) > 1 else None
        else:
            yield batch, None


class StepwiseTraining(Training):
    """Learning from batches, one after another."""

    _running: RunningMean | None = None

    def partial_fit(
        self, X: Any, lengths: Any = None, *, decay: float = 0.7, offset: float = 1.0, n_frames: int | None = None
    ) -> Self:
        """One step of stepwise EM on a batch; the first makes the first guess where there are no parameters yet.

        Args:
            X, lengths: as in :meth:`fit`.
            decay, offset: of the step size (batches before + offset)^−decay; see :class:`StepSize`.
            n_frames: frames of all data, which the priors are weighed against; by default those seen so far.

        Raises:
            ValueError: as :meth:`fit` and :class:`StepSize`.
        """
        step, sequences = StepSize(decay, offset), self._sequences(X, lengths)
        if "emission" not in self._modules or all(not bool(each.any()) for each in self.emission.parameters()):
            self._begin_anew(sequences)  # n_features alone makes states that are alike
        running = self._running = self._running or RunningMean()
        self._take(sequences, running, step)
        self._update(self._whole(running, n_frames or running.frames))
        return self

    def fit_batches(
        self,
        batches: Batches,
        n_passes: int = 1,
        *,
        decay: float = 0.7,
        offset: float = 1.0,
        burn_in: int = 0,
        n_frames: int | None = None,
    ) -> Self:
        """Stepwise EM over data that does not fit in memory: an M step after each batch.

        Starts like :meth:`fit`, with a first guess from the first batch; :meth:`partial_fit` may go on from there.
        ``monitor_.history`` has a log-likelihood for each pass, of each batch before its own M step.

        Args:
            batches: what yields ``X``, or ``(X, lengths)``: a list, a torch DataLoader, a generator; for several passes
                not a generator, but a function that makes one. No sequence is cut.
            n_passes: how often to go through all of them.
            decay, offset: of the step size (batches before + offset)^−decay; see :class:`StepSize`.
            burn_in: batches at the beginning that only gather statistics, where so few make a poor M step.
            n_frames: frames of all data, which the priors are weighed against; by default those of the first pass, and
                while that lasts those seen so far.

        Raises:
            ValueError: there is no batch; and as :meth:`fit` and :class:`StepSize`.
            TypeError: batches that can be gone through once only, for several passes.
        """
        step, running = StepSize(decay, offset), RunningMean()
        self._running = None
        whole = n_frames

        def one_pass() -> float:
            nonlocal whole
            total = 0.0
            for x, lengths in pairs(batches, n_passes):
                sequences = self._sequences(x, lengths)
                if running.batches == 0:
                    self._begin_anew(sequences)
                    self._running = running
                total += self._take(sequences, running, step)
                if running.batches > burn_in:
                    self._update(self._whole(running, whole or running.frames))
            whole = whole or running.frames
            return total

        self.monitor_ = ConvergenceMonitor(-math.inf, n_passes, self.verbose)
        iterate(one_pass, self.monitor_, "passes", rises=False)
        if running.batches == 0:
            raise ValueError("there must be at least one batch, got none")
        return self

    def _prepare(self, sequences: Sequences) -> set[str]:
        self._running = None  # what was gathered before tells nothing of where this begins
        return super()._prepare(sequences)

    def _begin_anew(self, sequences: Sequences) -> None:
        self._begin(sequences, self._prepare(sequences), generator_from(self.random_state))

    def _take(self, sequences: Sequences, running: RunningMean, step: StepSize) -> float:
        if not len(sequences.frames):
            raise ValueError("X must have rows to learn from, got none")
        found = self._expect(sequences)
        lasting = self.emission.about_zero(found.statistics)
        running.take(found._replace(statistics=lasting), len(sequences.frames), step)
        return found.log_likelihood

    def _whole(self, running: RunningMean, frames: int) -> Expectation:
        found = running.times(frames)
        return found._replace(statistics=self.emission.about_means(found.statistics))
