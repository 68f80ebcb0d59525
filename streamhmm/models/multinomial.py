"""How often each symbol occurs in a number of trials, as emissions, and the model of that name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamhmm.models.categorical import Categorical, CategoricalHMM
from streamhmm.models.emission import Emission, check_counts
from streamhmm.models.missing import zeroed
from streamhmm.models.sums import Sums


class Multinomial(Categorical):
    """Counts of V symbols in independent trials; a frame is the V counts.

    ``n_trials`` is what the counts of a frame add up to: a number, one a frame, or None for any.
    """

    n_trials: Any = None

    def __init__(self, n_states: int, n_symbols: int, dtype: torch.dtype) -> None:
        super().__init__(n_states, n_symbols, dtype)
        self.n_features = n_symbols

    def scores(self, frames: Tensor) -> Tensor:
        """log n! + Σ_v x_v log p_v − log x_v!; 0 of a frame that is missing."""
        counts = self._counts(frames)
        constant = (counts.sum(1) + 1).lgamma() - (counts + 1).lgamma().sum(1)
        chances = self.logits.log_softmax(-1).mT
        never = chances == -torch.inf  # 0 of these tells nothing
        found = counts @ chances.masked_fill(never, 0.0) + constant[:, None]
        return found.masked_fill(counts @ never.to(counts) > 0, -torch.inf)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each state "obs" (S, V): how often it gave each symbol, in the frames that are there."""
        return Sums(obs=weights.mT @ self._counts(frames))

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        trials = np.unique([] if self.n_trials is None else self.n_trials)
        if len(trials) != 1:
            raise ValueError(f"n_trials must be one number to draw samples, got {self.n_trials!r}")
        chances = self.logits.detach().softmax(-1).cpu()[states]
        found = torch.multinomial(chances, int(trials[0]), replacement=True, generator=generator)
        return torch.zeros(chances.shape, dtype=torch.int64).scatter_add_(1, found, torch.ones_like(found))

    def check_frames(self, frames: Tensor) -> None:
        Emission.check_frames(self, frames)
        check_counts(frames)
        seen = ~frames.isnan()
        if not bool((seen.all(1) == seen.any(1)).all()):
            raise ValueError("X must have all counts of a frame or none: their sum would tell what is missing")
        if self.n_trials is not None:
            self._check_trials(frames)

    def _check_trials(self, frames: Tensor) -> None:
        trials = torch.as_tensor(np.asarray(self.n_trials)).to(frames)
        if trials.dim() and trials.shape != frames.shape[:1]:
            raise ValueError(f"n_trials must be one number, or one for each of {len(frames)} rows, got {len(trials)}")
        wrong = ~frames.isnan().any(1) & (frames.sum(1) != trials)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0, 0])
            text = f"got {frames[row].tolist()} in row {row}"
            raise ValueError(
                f"X must have rows that add up to n_trials, {int(trials.expand(len(frames))[row])}, {text}"
            )

    def _counts(self, frames: Tensor) -> Tensor:
        return zeroed(frames)[0] if self.has_missing(frames) else frames


@dataclass(eq=False, repr=False, kw_only=True)
class MultinomialHMM(CategoricalHMM):
    """An HMM whose states emit counts of V symbols in a number of trials, as ``hmmlearn.hmm.MultinomialHMM``.

    Args:
        n_trials: what the counts of each frame add up to: a number, an array of one a frame, or None for any. One
            number is needed for :meth:`sample`.
        emissionprob_prior: concentration of the Dirichlet prior of the rows of ``emissionprob_``.

    For the rest see :class:`Estimator`. Letters of ``params``: "s", "t", "e" emissions.

    Attributes:
        emissionprob_: (S, V) probabilities of the symbols in one trial.
    """

    n_trials: Any = None

    def require_emission(self) -> Emission:
        emission = super().require_emission()
        emission.n_trials = self.n_trials
        return emission

    def _make_emission(self, n_features: int) -> Multinomial:
        return Multinomial(self.n_components, n_features, self.dtype)

    def _features_of(self, frames: Tensor) -> int:
        return frames.shape[1]
