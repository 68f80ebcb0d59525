"""hmmlearn's and scikit-learn's names on top of a chain and emissions: arguments, parameters, samples and streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from streamhmm.models.chain import Chain
from streamhmm.models.inference import known_algorithm
from streamhmm.models.missing import known_mode
from streamhmm.models.parameters import as_numpy
from streamhmm.models.parametrised import Parametrised
from streamhmm.models.random_state import generator_from
from streamhmm.models.stepwise import StepwiseTraining
from streamhmm.models.stream import ModelStream
from streamhmm.models.topology import Topology
from streamhmm.models.training import known_method


class NotFittedError(ValueError, AttributeError):
    """A model was asked before it had emissions; both errors, as scikit-learn's of that name."""


@dataclass(eq=False, repr=False, kw_only=True)
class Estimator(Parametrised, StepwiseTraining):
    """What the models of hmmlearn's names have in common.

    ``X`` is (N, D), the frames of all sequences one after another with their ``lengths``, or (B, T, D), padded; NumPy
    or torch. Results are NumPy's, or tensors where ``X`` is one, and padded where it is: states −1, posteriors 0.

    Args:
        n_components: S states.
        startprob_prior, transmat_prior: concentrations of the Dirichlet priors of ``startprob_`` (S,) and of the rows
            of ``transmat_`` (S, S); numbers or arrays.
        algorithm: of :meth:`decode`: "viterbi" (the likeliest path) or "map" (the likeliest state of each frame).
        random_state: a seed, a ``numpy.random.RandomState``, or None.
        n_iter, tol: :meth:`fit` ends after ``n_iter`` iterations, or when one gains less than ``tol`` nats.
        n_init: starts of :meth:`fit`, each with a first guess of its own; the one that ends best is kept.
        fit_method: "em", or "viterbi": only the best paths count; see :meth:`fit`.
        verbose: show a progress bar on a terminal.
        params, init_params: letters of the parameters that :meth:`fit` changes, and of those that it sets before.
        missing: what NaN in ``X`` is: "error", or "marginal": a feature that was not observed, which is integrated out.
        topology: which states may follow which; any may follow any other by default. Its emissions are the
            ``n_components``; where it has more states than these, ``startprob_`` and ``transmat_`` are those of its
            states, and all else is told by emission. If no state comes again once another has, the first means of
            Gaussians are in the order of time.
        n_features: D, where parameters are wanted before there is data.
        dtype: of the parameters.

    Attributes:
        startprob_, transmat_: (S,) and (S, S) NumPy arrays; can be set, as can the other parameters.
        monitor_: the :class:`ConvergenceMonitor` of the last :meth:`fit`.
    """

    n_components: int = field(default=1, kw_only=False)
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    algorithm: str = "viterbi"
    random_state: Any = None
    n_iter: int = 10
    tol: float = 1e-2
    n_init: int = 1
    fit_method: str = "em"
    verbose: bool = False
    params: str = "st"
    init_params: str = "st"
    missing: str = "error"
    topology: Topology | None = None
    n_features: int | None = None
    dtype: torch.dtype = torch.float64

    def __post_init__(self) -> None:
        nn.Module.__init__(self)
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise ValueError(f"n_components must be a whole number of at least 1, got {self.n_components!r}")
        self._check_settings()
        topology = self._make_topology()
        if topology.n_emissions != self.n_components:
            raise ValueError(f"topology has {topology.n_emissions} emissions for n_components = {self.n_components}")
        self.chain = self._make_chain(topology)
        if self.n_features is not None:
            self.become(self.n_features)

    @torch.no_grad()
    def sample(
        self, n_samples: int = 1, random_state: Any = None, currstate: int | None = None
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """A sequence from the model: (n, D) frames and (n,) states, beginning with ``currstate`` if that is given.

        It is shorter than ``n_samples`` where nothing follows a state. Where states share emissions, ``currstate`` is
        one of the chain, and the states are named by emission, as :meth:`predict` does.

        Raises:
            ValueError: for a number below 0, or a state that there is not.
        """
        if n_samples < 0:
            raise ValueError(f"n_samples must be at least 0, got {n_samples}")
        if currstate is not None and not 0 <= currstate < self.chain.n_states:
            raise ValueError(f"currstate must be in 0 … {self.chain.n_states - 1}, got {currstate}")
        generator = generator_from(self.random_state if random_state is None else random_state)
        states = self._draw_states(n_samples, generator, currstate)
        emissions = self.chain.topology.pdfs[states]
        return as_numpy(self.require_emission().draw(emissions, generator)), as_numpy(emissions)

    def stream(self, lag: int | None = None, max_lag: int | None = None) -> ModelStream:
        """An object that takes frames as they come; see :class:`ModelStream`."""
        self.require_emission()
        return ModelStream(self, lag, max_lag)

    def free_parameters(self) -> int:
        """How many numbers it takes to describe the model."""
        return self.chain.free_parameters() + self.emission.free_parameters()

    def get_stationary_distribution(self) -> NDArray[np.floating[Any]]:
        """(S,) how often each state occurs in the long run: the left eigenvector of ``transmat_`` to eigenvalue 1."""
        values, vectors = np.linalg.eig(self.transmat_.T)
        stationary = vectors[:, np.argmax(values.real)].real
        return np.asarray(stationary / stationary.sum())

    def _make_topology(self) -> Topology:
        return self.topology or Topology.ergodic(self.n_components)

    def _make_chain(self, topology: Topology) -> Chain:
        return Chain(topology, self.dtype)

    def _draw_states(self, count: int, generator: torch.Generator, begin: int | None) -> Tensor:
        return self.chain.draw(count, generator, begin)

    def _check_settings(self) -> None:
        known_mode(self.missing)
        known_algorithm(self.algorithm)
        known_method(self.fit_method)
        if self.n_init < 1:
            raise ValueError(f"n_init must be at least 1, got {self.n_init}")

    def _reshape(self) -> None:
        device = self.chain.initial_logits.device
        self.__post_init__()
        self.to(device)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """What ``to``, ``float`` and their like end in: emissions that are made later get the chain's dtype."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.dtype = self.chain.initial_logits.dtype
        return self

    def __getattr__(self, name: str) -> Any:
        """What nn.Module holds. What follows from emissions is not there before they are."""
        wanted = name == "emission" or isinstance(getattr(type(self), name, None), property)
        if wanted and "emission" not in self.__dict__.get("_modules", ()):
            raise NotFittedError("the model has no emissions yet; call fit, set its parameters, or name n_features")
        return super().__getattr__(name)
