"""Symbols as emissions, and the model of that name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamhmm.models.chain import check_probabilities, normalised
from streamhmm.models.emission import Emission, check_counts
from streamhmm.models.estimator import Estimator
from streamhmm.models.missing import zeroed
from streamhmm.models.parameters import as_numpy
from streamhmm.models.sums import Sums


class Categorical(Emission):
    """One of V symbols; a frame is its number, (N, 1)."""

    letters = "e"

    def __init__(self, n_states: int, n_symbols: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_states, self.n_features = n_states, 1
        self.logits = nn.Parameter(torch.zeros(n_states, n_symbols, dtype=dtype))

    @property
    def n_symbols(self) -> int:
        """V."""
        return self.logits.shape[1]

    @property
    def size(self) -> int:
        return self.n_symbols

    def scores(self, frames: Tensor) -> Tensor:
        table = self.logits.log_softmax(-1).mT
        if self.has_missing(frames):
            symbols, seen = zeroed(frames)
            return torch.where(seen > 0, table[symbols[:, 0].long()], 0.0)
        return table[frames[:, 0].long()]

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each state "obs" (S, V): how often it gave each symbol; what is missing counts as its probabilities."""
        if self.has_missing(frames):
            seen = ~frames[:, 0].isnan()
            unseen = weights[~seen].sum(0)[:, None] * self.logits.detach().softmax(-1)
            return Sums(obs=self.statistics(frames[seen], weights[seen])["obs"] + unseen)
        counts = weights.new_zeros(self.n_symbols, self.n_states)
        return Sums(obs=counts.index_add_(0, frames[:, 0].long(), weights).mT)

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        chances = self.logits.detach().softmax(-1).cpu()[states]
        return torch.multinomial(chances, 1, generator=generator)

    def free_parameters(self) -> int:
        return self.n_states * (self.n_symbols - 1)

    def check_frames(self, frames: Tensor) -> None:
        largest = largest_symbol(frames)
        super().check_frames(frames)
        if largest >= self.n_symbols:
            hint = "n_features tells how many there are where the first data do not have all"
            raise ValueError(f"X must hold symbols below {self.n_symbols}, got {largest}; {hint}")


def largest_symbol(frames: Tensor) -> int:
    """−1 where there is none. Raises ValueError unless frames are (N, 1) whole numbers from 0 on, or NaN."""
    if frames.shape[1] != 1:
        raise ValueError(f"X must be (N, 1) symbols, got shape {tuple(frames.shape)}")
    check_counts(frames)
    return int(frames.nan_to_num(-1).max()) if len(frames) else -1


@dataclass(eq=False, repr=False, kw_only=True)
class CategoricalHMM(Estimator):
    """An HMM whose states emit symbols, as ``hmmlearn.hmm.CategoricalHMM``.

    Args:
        emissionprob_prior: concentration of the Dirichlet prior of the rows of ``emissionprob_``.
        n_features: V symbols, 0 … V − 1; by default as many as the data have.

    For the rest see :class:`streamhmm.models.estimator.Estimator`. Letters of ``params``: "s", "t", "e" emissions.

    Attributes:
        emissionprob_: (S, V) probabilities.
    """

    emissionprob_prior: Any = 1.0
    params: str = "ste"
    init_params: str = "ste"

    @property
    def emissionprob_(self) -> NDArray[np.floating[Any]]:
        """(S, V)."""
        return as_numpy(self._categorical.logits.softmax(-1))

    @emissionprob_.setter
    def emissionprob_(self, value: Any) -> None:
        chances = self._tensor(value)
        self.become(chances.shape[-1])
        logits = self._categorical.logits
        with torch.no_grad():
            logits.copy_(check_probabilities(chances, tuple(logits.shape), "emissionprob_").log())

    @property
    def _categorical(self) -> Categorical:
        emission = self.require_emission()
        assert isinstance(emission, Categorical)
        return emission

    def _make_emission(self, n_features: int) -> Categorical:
        return Categorical(self.n_components, n_features, self.dtype)

    def _features_of(self, frames: Tensor) -> int:
        return max(largest_symbol(frames) + 1, 1)

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        if "e" in letters:
            shape = self._categorical.logits.shape
            self.emissionprob_ = normalised(torch.rand(shape, dtype=torch.float64, generator=generator))

    def _maximise(self, sums: Sums) -> None:
        if "e" in self.params:
            weights = (self._prior("emissionprob_prior", *sums["obs"].shape) - 1 + sums["obs"]).clamp(min=0)
            unseen = weights.sum(-1, keepdim=True) == 0
            self.emissionprob_ = torch.where(unseen, self._categorical.logits.softmax(-1), normalised(weights))
