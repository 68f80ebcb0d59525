"""Variational Bayes for hidden Markov models: distributions over parameters in place of parameters.

q(states) q(parameters) comes nearest to the posterior of both where each is the best for the other (Beal, "Variational
algorithms for approximate Bayesian inference", 2003, ch. 3). In the E step every log-probability is its mean under
q(parameters), in the M step the counts are added to the priors. What rises is
  log Z − KL(q(parameters) || prior)  ≤  log p(X),
with Z the sum over paths in the E step.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.chain import ChainCounts, normalised
from streamhmm.models.dirichlet_chain import DirichletChain
from streamhmm.models.estimator import Estimator
from streamhmm.models.expected import ExpectedHMM, PosteriorEmission
from streamhmm.models.hmm import Expectation
from streamhmm.models.parameters import as_numpy
from streamhmm.models.path_counts import path_expectation
from streamhmm.models.sequences import Sequences
from streamhmm.models.topology import Topology

_OF_CHAIN = ("startprob_prior", "transmat_prior")
_ABOVE_ZERO = (*_OF_CHAIN, "emissionprob_prior", "beta_prior")


@dataclass(eq=False, repr=False, kw_only=True)
class Variational(Estimator):
    """What the variational models have in common, with the names of hmmlearn's.

    ``monitor_.history`` has the lower bound of log p(X) before each M step. It weighs how well a model fits against
    how much it takes to say it: of models with more or fewer states the one of the highest bound is to be taken
    (see :class:`VariationalGaussianHMM`). With ``fit_method="viterbi"`` it is the bound with the best path alone as
    q(states). Batches (``partial_fit``, ``fit_batches``) make it stochastic variational inference (Hoffman et al.
    2013), with log Z alone in the history.

    Likelihoods, paths, posteriors of states, samples and streams are those of the mean of the posterior, as
    hmmlearn's: ``startprob_``, ``transmat_`` and what the emissions have are that mean, and are not set.

    Args:
        startprob_prior, transmat_prior: concentrations of the Dirichlet priors, above 0; by default 1 / S.

    For the rest see :class:`Estimator`. A topology with ties is refused.

    Attributes:
        startprob_posterior_, transmat_posterior_: (S,) and (S, S) concentrations of the Dirichlet posteriors.
    """

    startprob_prior: Any = None
    transmat_prior: Any = None
    n_iter: int = 100
    tol: float = 1e-6

    @property
    def startprob_posterior_(self) -> NDArray[np.floating[Any]]:
        """(S,)."""
        return as_numpy(self._dirichlet.initial_posterior)

    @startprob_posterior_.setter
    def startprob_posterior_(self, value: Any) -> None:
        self._dirichlet.set_initial_posterior(self._tensor(value))

    @property
    def transmat_posterior_(self) -> NDArray[np.floating[Any]]:
        """(S, S)."""
        return as_numpy(self._dirichlet.transitions_posterior)

    @transmat_posterior_.setter
    def transmat_posterior_(self, value: Any) -> None:
        self._dirichlet.set_transitions_posterior(self._tensor(value))

    @property
    def startprob_(self) -> NDArray[np.floating[Any]]:
        """(S,) mean of the posterior."""
        return as_numpy(self.chain.initial)

    @startprob_.setter
    def startprob_(self, value: Any) -> None:
        raise AttributeError("startprob_ is the mean of a posterior; set startprob_posterior_")

    @property
    def transmat_(self) -> NDArray[np.floating[Any]]:
        """(S, S) mean of the posterior."""
        return as_numpy(self.chain.transitions)

    @transmat_.setter
    def transmat_(self, value: Any) -> None:
        raise AttributeError("transmat_ is the mean of a posterior; set transmat_posterior_")

    def lower_bound(self, X: Any, lengths: Any = None) -> float:
        """That of log p(X), nats, for the data that the posterior was learned from."""
        return self.expectation(self._sequences(X, lengths)).log_likelihood - self.divergence()

    @torch.no_grad()
    def divergence(self) -> float:
        """Kullback and Leibler's, from the posterior of all parameters to their prior, nats."""
        return float(self._dirichlet.divergence(*self._chain_priors()) + self._emission_divergence())

    def expectation(self, sequences: Sequences) -> Expectation:
        """The E step; log Z in place of the log-likelihood. Raises ValueError as that of any model."""
        return self._expected().expectation(sequences)

    def path_expectation(self, sequences: Sequences) -> Expectation:
        return path_expectation(self._expected(), sequences)

    @property
    def _dirichlet(self) -> DirichletChain:
        assert isinstance(self.chain, DirichletChain)
        return self.chain

    @abstractmethod
    def _emission_divergence(self) -> Tensor:
        """() from the posterior of the emissions to their prior, nats."""

    @abstractmethod
    def _default_prior(self, name: str) -> Any:
        """What an argument is where it was not given."""

    def _step(self, sequences: Sequences) -> float:
        divergence, found = self.divergence(), self._expect(sequences)
        self._update(found)
        return found.log_likelihood - divergence

    def _expected(self) -> ExpectedHMM:
        emission = self.require_emission()
        assert isinstance(emission, PosteriorEmission)
        return ExpectedHMM(self._dirichlet, emission)

    def _make_chain(self, topology: Topology) -> DirichletChain:
        return DirichletChain(topology, self.dtype)

    def _begin_chain(self, sequences: Sequences) -> None:
        """As if all had been seen as often, in so many frames."""
        topology, device = self.chain.topology, self.chain.source.device
        first = normalised(topology.first.double()) * len(sequences.lengths)
        passed = normalised(topology.allowed.double()) * (len(sequences.frames) / topology.n_states)
        counts = ChainCounts(first.to(device), passed.to(device))
        self._dirichlet.maximise(counts, *self._chain_priors(), self.init_params)

    def _chain_priors(self) -> tuple[Tensor, Tensor]:
        states = self.chain.n_states
        return self._prior("startprob_prior", states), self._prior("transmat_prior", states, states)

    def _prior(self, name: str, *shape: int) -> Tensor:
        """What the constructor was given, or the default. Raises ValueError also for a concentration of 0 or less."""
        if getattr(self, name) is None:
            return self._tensor(1 / self.chain.n_states if name in _OF_CHAIN else self._default_prior(name))
        value = super()._prior(name, *shape)
        if name in _ABOVE_ZERO and not bool(((value > 0) & value.isfinite()).all()):
            raise ValueError(f"{name} must be above 0 and finite, got {float(value.min())}")
        return value
