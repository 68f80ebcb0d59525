"""How a model of a chain and emissions learns from data, with hmmlearn's names."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from typing_extensions import Self

from streamhmm.models.chain import normalised
from streamhmm.models.chain_parameters import ChainParameters
from streamhmm.models.em import ConvergenceMonitor, Snapshot, iterate
from streamhmm.models.emission import Emission
from streamhmm.models.hmm import HMM, Expectation
from streamhmm.models.inference import Inference
from streamhmm.models.missing import check_observed, known_mode
from streamhmm.models.path_counts import path_expectation
from streamhmm.models.random_state import generator_from
from streamhmm.models.sequences import Sequences, with_states
from streamhmm.models.sums import Sums

METHODS = ("em", "viterbi")
"""All paths count, by their probabilities; the best one alone counts."""


class Training(ChainParameters, HMM, Inference):
    """First guess, E step and M step, and the loops that they make.

    Models of another kind (other emissions, durations) redefine the steps: ``_initialise``, ``expectation``,
    ``path_expectation`` and ``maximise``. What an expectation holds is all that ``maximise`` needs, and adds up.
    """

    startprob_prior: Any
    transmat_prior: Any
    random_state: Any
    n_iter: int
    n_init: int
    tol: float
    fit_method: str
    verbose: bool
    params: str
    init_params: str
    missing: str
    monitor_: ConvergenceMonitor

    @abstractmethod
    def _make_emission(self, n_features: int) -> Emission:
        """Emissions with parameters of the right shapes."""

    @abstractmethod
    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        """Set the emissions' parameters among ``letters`` from (N, D) frames, before EM.

        ``times``: (N,) where in its sequence each frame is, 0 … 1, if the states follow each other in time.
        """

    @abstractmethod
    def _maximise(self, sums: Sums) -> None:
        """The M step of the emissions' parameters among ``params``."""

    def fit(self, X: Any, lengths: Any = None) -> Self:
        """EM from the first guess, or from the parameters that ``init_params`` leaves as they are.

        With ``fit_method="em"`` Baum and Welch's; with "viterbi" on the best paths alone, which raises their score, not
        the likelihood (Juang & Rabiner, "The segmental K-means algorithm", 1990). What interrupts it, such as Ctrl-C,
        leaves the parameters of the last whole iteration.

        Raises:
            ValueError: observations that the emissions never give, or that don't fit their lengths.

        Warns:
            RuntimeWarning: the log-likelihood fell.
        """
        return self._learn(self._sequences(X, lengths))

    def fit_supervised(self, X: Any, y: Any, lengths: Any = None) -> Self:
        """Learn from frames whose states are known, all or some of them.

        Where all are known (and a state is not a mixture) the result is the closed form: counts with the priors. What
        is not known is filled in by EM, held to what is. A method of its own, since hmmlearn's ``fit`` has the lengths
        where scikit-learn's has ``y``.

        Args:
            X, lengths: as in :meth:`fit`.
            y: (N,), or (B, T) with padded ``X``: the state of each frame, as :meth:`predict` names it; −1: not known.

        Raises:
            ValueError: also for states that there are not, or that the topology does not allow in that order.
        """
        sequences = with_states(self._sequences(X, lengths), y, self.chain.topology.n_emissions)
        return self._learn(sequences)

    @torch.no_grad()
    def maximise(self, found: Expectation) -> None:
        """The M step of all parameters among ``params``."""
        states = self.chain.n_states
        priors = self._prior("startprob_prior", states), self._prior("transmat_prior", states, states)
        self.chain.maximise(found.counts, *priors, self.params)
        self._maximise(found.statistics)

    def path_expectation(self, sequences: Sequences) -> Expectation:
        """The E step of Viterbi training."""
        return path_expectation(self, sequences)

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

    def _learn(self, sequences: Sequences) -> Self:
        """The best of ``n_init`` starts."""
        letters, generator = self._prepare(sequences), generator_from(self.random_state)
        given, best = Snapshot(self), None
        for start in range(self.n_init):
            given.restore()
            self._begin(sequences, letters, generator)
            self.monitor_ = ConvergenceMonitor(self.tol, self.n_iter, self.verbose)
            label = "EM" if self.n_init == 1 else f"start {start + 1} of {self.n_init}"
            iterate(lambda: self._step(sequences), self.monitor_, label)
            if best is None or self.monitor_.history[-1:] > best[0].history[-1:]:
                best = self.monitor_, Snapshot(self)
        if best is not None:
            self.monitor_ = best[0]
            best[1].restore()
        return self

    def _step(self, sequences: Sequences) -> float:
        found = self._expect(sequences)
        self._update(found)
        return found.log_likelihood

    def _expect(self, sequences: Sequences) -> Expectation:
        """The E step that ``fit_method`` asks for."""
        known_method(self.fit_method)
        return self.expectation(sequences) if self.fit_method == "em" else self.path_expectation(sequences)

    def _update(self, found: Expectation) -> None:
        """The M step, whole or not at all."""
        before = Snapshot(self)
        try:
            self.maximise(found)
        except BaseException:
            before.restore()
            raise

    def _prepare(self, sequences: Sequences) -> set[str]:
        """Make the emissions if there are none; returns the letters of their parameters that want a first guess."""
        if not len(sequences.frames):
            raise ValueError("X must have rows to learn from, got none")
        fresh = "emission" not in self._modules
        self.become(self._features_of(sequences.frames))
        emission = self.require_emission()
        if fresh:  # which was not there to be asked when the frames came
            emission.check_frames(sequences.frames)
        if emission.marginal:
            check_observed(sequences.frames)
        return {each for each in self.emission.letters if fresh or each in self.init_params}

    @torch.no_grad()
    def _begin(self, sequences: Sequences, letters: set[str], generator: torch.Generator) -> None:
        """The first guess."""
        self._begin_chain(sequences)
        times = sequences.times() if self.chain.topology.goes_forward else None
        self._initialise(sequences.frames, letters, generator, times)
        if sequences.states is not None and letters >= set(self.emission.letters):
            self._begin_with_states(sequences.frames, sequences.states)

    def _begin_chain(self, sequences: Sequences) -> None:
        """The first guess of the chain: all is as likely."""
        if "s" in self.init_params:
            self.chain.set_initial(normalised(self.chain.topology.first.double()))
        if "t" in self.init_params:
            self.chain.set_transitions(normalised(self.chain.topology.allowed.double()))

    @torch.no_grad()
    def _begin_with_states(self, frames: Tensor, states: Tensor) -> None:
        """What the frames of known states tell of the emissions; those of no frame keep their first guess."""
        known = states >= 0
        weights = one_hot(states[known], self.emission.n_states).to(frames)
        self._maximise(self.emission.statistics(frames[known], weights))

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


def known_method(name: str) -> str:
    """The name. Raises ValueError unless it is one of ``METHODS``."""
    if name not in METHODS:
        raise ValueError(f"fit_method must be one of {', '.join(METHODS)}, got {name!r}")
    return name
