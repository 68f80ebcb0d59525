"""A Markov chain of which distributions are known, not probabilities, and the weights that its E step takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamhmm.models.chain import Chain, ChainCounts
from streamhmm.models.dirichlet import check_concentrations, divergence, expected_log
from streamhmm.models.topology import Topology


class DirichletChain(Chain):
    """Dirichlet posteriors over where a sequence begins and over each row of transitions.

    Logits are logarithms of concentrations: their softmax, the chain's probabilities, is the mean of the posterior.

    Raises:
        ValueError: transitions are tied: no Dirichlet distribution says that probabilities are equal.
    """

    def __init__(self, topology: Topology, dtype: torch.dtype = torch.float64) -> None:
        if topology.ties is not None:
            raise ValueError("a variational model takes no ties: a Dirichlet posterior can't keep probabilities equal")
        super().__init__(topology, dtype)

    @property
    def initial_posterior(self) -> Tensor:
        """(S,) concentrations, 0 where no sequence may begin."""
        return self.initial_logits.detach().exp()

    @property
    def transitions_posterior(self) -> Tensor:
        """(S, S) concentrations, 0 where there is no transition."""
        values = self.transition_logits.detach().exp()
        return values.new_zeros(self.n_states, self.n_states).index_put_((self.source, self.target), values)

    @torch.no_grad()
    def set_initial_posterior(self, concentrations: Tensor) -> None:
        """Take (S,) concentrations. Raises ValueError unless they are above 0 where a sequence may begin."""
        values = check_concentrations(concentrations, self.topology.first, "startprob_posterior_")
        self.initial_logits.copy_(values.log())

    @torch.no_grad()
    def set_transitions_posterior(self, concentrations: Tensor) -> None:
        """Take (S, S) concentrations. Raises ValueError unless they are above 0 where there are transitions."""
        values = check_concentrations(concentrations, self.topology.allowed, "transmat_posterior_")
        self.transition_logits.copy_(values[self.source, self.target].log())

    def maximise(self, counts: ChainCounts, initial_prior: Tensor, transition_prior: Tensor, parts: str) -> None:
        """The M step: the concentrations are those of the priors and the counts, added (Beal 2003, 3.4.2)."""
        if "s" in parts:
            initial = initial_prior + counts.initial
            self.set_initial_posterior(torch.where(self.topology.first.to(initial.device), initial, 0.0))
        if "t" in parts:
            passed = transition_prior + counts.transitions
            self.set_transitions_posterior(torch.where(self.topology.allowed.to(passed.device), passed, 0.0))

    def divergence(self, initial_prior: Tensor, transition_prior: Tensor) -> Tensor:
        """() how far the posteriors are from the priors, float64, nats."""
        initial, passed = self.initial_posterior, self.transitions_posterior
        first = divergence(initial, initial_prior.expand_as(initial))
        return first + divergence(passed, transition_prior.expand_as(passed))


class ExpectedChain(DirichletChain):
    """The chain of weights exp(E[log p]) of a posterior, which it shares."""

    def __init__(self, posterior: DirichletChain) -> None:
        nn.Module.__init__(self)
        self.topology = posterior.topology
        self.source, self.target, self.group = posterior.source, posterior.target, posterior.group
        self.initial_logits, self.transition_logits = posterior.initial_logits, posterior.transition_logits

    def log_initial(self) -> Tensor:
        """(S,) E[log p]."""
        return expected_log(self.initial_posterior)

    def log_transitions(self) -> Tensor:
        """(S, S) E[log p]."""
        return expected_log(self.transitions_posterior)
