"""How a model of a chain and emissions learns from data, with hmmlearn's names."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from streamhmm.models.chain import normalised
from streamhmm.models.em import ConvergenceMonitor, iterate
from streamhmm.models.emission import Emission
from streamhmm.models.hmm import HMM, Expectation
from streamhmm.models.inference import Inference
from streamhmm.models.missing import check_observed, known_mode
from streamhmm.models.random_state import generator_from
from streamhmm.models.sequences import Sequences
from streamhmm.models.sums import Sums


class Training(HMM, Inference):
    """First guess, E step and M step, and the loops that they make.

    Models of another kind (other emissions, durations) redefine the steps: ``_initialise``, ``expectation`` and
    ``maximise``. What ``expectation`` returns is all that ``maximise`` needs.
    """

    startprob_prior: Any
    transmat_prior: Any
    random_state: Any
    n_iter: int
    tol: float
    verbose: bool
    params: str
    init_params: str
    missing: str
    monitor_: ConvergenceMonitor

    @abstractmethod
    def _make_emission(self, n_features: int) -> Emission:
        """Emissions with parameters of the right shapes."""

    @abstractmethod
    def _initialise(self, frames: Tensor, letters: set[str], generator: torch.Generator) -> None:
        """Set the emissions' parameters among ``letters`` from (N, D) frames, before EM."""

    @abstractmethod
    def _maximise(self, sums: Sums) -> None:
        """The M step of the emissions' parameters among ``params``."""

    def fit(self, X: Any, lengths: Any = None) -> Self:
        """Baum and Welch's EM from the first guess, or from the parameters that ``init_params`` leaves as they are.

        Raises:
            ValueError: observations that the emissions never give, or that don't fit their lengths.

        Warns:
            RuntimeWarning: the log-likelihood fell.
        """
        sequences = self._sequences(X, lengths)
        self._begin(sequences)
        self.monitor_ = ConvergenceMonitor(self.tol, self.n_iter, self.verbose)
        iterate(lambda: self._em_step(sequences), self.monitor_)
        return self

    @torch.no_grad()
    def maximise(self, found: Expectation) -> None:
        """The M step of all parameters among ``params``."""
        states = self.chain.n_states
        priors = self._prior("startprob_prior", states), self._prior("transmat_prior", states, states)
        self.chain.maximise(found.counts, *priors, self.params)
        self._maximise(found.statistics)

    def become(self, n_features: int) -> None:
        """Make the emissions, if there are none yet, of D features (of symbols: their number)."""
        if "emission" not in self._modules:
            self.emission = self._make_emission(n_features).to(self.chain.initial_logits.device)

    def check_frames(self, frames: Tensor) -> None:
        if "emission" in self._modules:
            self.require_emission().check_frames(frames)

    def require_emission(self) -> Emission:
        """The emissions, told the settings as these are now. Raises ValueError where there are none yet."""
        self.emission.marginal = known_mode(self.missing) == "marginal"
        return self.emission

    def _em_step(self, sequences: Sequences) -> float:
        found = self.expectation(sequences)
        self.maximise(found)
        return found.log_likelihood

    @torch.no_grad()
    def _begin(self, sequences: Sequences) -> None:
        if not len(sequences.frames):
            raise ValueError("X must have rows to learn from, got none")
        fresh = "emission" not in self._modules
        self.become(self._features_of(sequences.frames))
        self.require_emission().check_frames(sequences.frames)
        check_observed(sequences.frames)
        generator = generator_from(self.random_state)
        if "s" in self.init_params:
            self.chain.set_initial(normalised(self.chain.topology.first.double()))
        if "t" in self.init_params:
            self.chain.set_transitions(normalised(self.chain.topology.allowed.double()))
        letters = {each for each in self.emission.letters if fresh or each in self.init_params}
        self._initialise(sequences.frames, letters, generator)

    def _features_of(self, frames: Tensor) -> int:
        return frames.shape[1]

    def _prior(self, name: str, *shape: int) -> Tensor:
        """What the constructor was given. Raises ValueError unless it is a number, or can take this shape."""
        given = getattr(self, name)
        try:
            value = self._tensor(given)
            value.expand(shape)
        except (TypeError, ValueError, RuntimeError) as error:
            found = f"shape {tuple(np.shape(given))}" if np.ndim(given) else repr(given)
            raise ValueError(f"{name} must be a number, or of shape {shape}, got {found}") from error
        return value

    def _tensor(self, value: Any) -> Tensor:
        given = np.asarray(value) if isinstance(value, (list, tuple)) else value
        return torch.as_tensor(given).to(self.chain.initial_logits.device, torch.float64)
