"""What every kind of emission offers a model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from streamhmm.models.sums import Sums


class Emission(nn.Module):
    """The distribution of a frame's D features in each of S states.

    ``letters`` names its parameters as hmmlearn's ``params`` does. ``marginal`` tells whether frames may have NaN:
    features that were not observed, and are integrated out.
    """

    letters: str
    marginal: bool = False
    n_states: int
    n_features: int | None

    @property
    def size(self) -> int:
        """What its parameters' shapes follow from: D, or the number of symbols."""
        return int(self.n_features or 0)

    @abstractmethod
    def scores(self, frames: Tensor) -> Tensor:
        """(N, S) log-densities of (N, D) frames."""

    @property
    def n_cells(self) -> int:
        """Numbers that are held for a frame while it is scored."""
        return self.n_states

    def evaluate(self, frames: Tensor) -> tuple[Tensor, Callable[[Tensor], Sums]]:
        """The scores without gradients, and what makes :meth:`statistics` of weights: both may share work."""
        return self.scores(frames), lambda weights: self.statistics(frames, weights)

    @abstractmethod
    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """What the M step needs of (N, D) frames, (N, S) ``weights`` of them for each state."""

    def about_zero(self, sums: Sums) -> Sums:
        """Statistics that do not depend on the parameters of the moment, so that those of several moments add up."""
        return sums

    def about_means(self, sums: Sums) -> Sums:
        """Such ones as :meth:`statistics` gives them: what :meth:`about_zero` undoes."""
        return sums

    @abstractmethod
    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        """(N, D) frames of (N,) states."""

    @abstractmethod
    def free_parameters(self) -> int:
        """How many numbers it takes to describe it."""

    def check_frames(self, frames: Tensor) -> None:
        """Raises ValueError for frames that such an emission never gives."""
        if self.n_features is not None and frames.shape[1] != self.n_features:
            raise ValueError(f"X must have {self.n_features} features, got {frames.shape[1]}")
        if bool(frames.sum().isfinite()):  # one pass over them: NaN or an infinity would be in it
            return
        wrong = ~frames.isfinite().all(1)
        if self.marginal:
            wrong = frames.isinf().any(1)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0, 0])
            hint = "; missing='marginal' takes NaN as not observed" if bool(frames[row].isnan().any()) else ""
            raise ValueError(f"X must be finite, got {frames[row].tolist()} in row {row}{hint}")

    def has_missing(self, frames: Tensor) -> bool:
        """There is NaN, and it may be there. Costs nothing where it may not."""
        return self.marginal and bool(frames.isnan().any())


def check_counts(frames: Tensor) -> None:
    """Raises ValueError unless frames are whole numbers from 0 on, or NaN."""
    whole = (frames >= 0) & (frames == frames.round()) & ~frames.isinf()
    wrong = ~(whole | frames.isnan()).all(1)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0, 0])
        raise ValueError(f"X must be whole numbers from 0 on, got {frames[row].tolist()} in row {row}")
