"""hmmlearn's and scikit-learn's names on top of :class:`HMM`."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from streamhmm.models.chain import Chain, normalised
from streamhmm.models.em import ConvergenceMonitor, iterate
from streamhmm.models.emission import Emission
from streamhmm.models.hmm import HMM
from streamhmm.models.parameters import as_numpy
from streamhmm.models.parametrised import Parametrised
from streamhmm.models.random_state import generator_from
from streamhmm.models.sequences import Sequences, as_sequences
from streamhmm.models.stream import ModelStream
from streamhmm.models.sums import Sums
from streamhmm.models.topology import Topology

ALGORITHMS = ("viterbi", "map")


@dataclass(eq=False, repr=False, kw_only=True)
class Estimator(Parametrised, HMM):
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
        verbose: show a progress bar on a terminal.
        params, init_params: letters of the parameters that :meth:`fit` changes, and of those that it sets before.
        topology: which states may follow which; any may follow any other by default. Its emissions are the
            ``n_components``; where it has more states than these, ``startprob_`` and ``transmat_`` are those of its
            states, and all else is told by emission.
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
    verbose: bool = False
    params: str = "st"
    init_params: str = "st"
    topology: Topology | None = None
    n_features: int | None = None
    dtype: torch.dtype = torch.float64

    def __post_init__(self) -> None:
        nn.Module.__init__(self)
        if self.n_components < 1:
            raise ValueError(f"n_components must be at least 1, got {self.n_components}")
        _known_algorithm(self.algorithm)
        topology = self.topology or Topology.ergodic(self.n_components)
        if topology.n_emissions != self.n_components:
            raise ValueError(f"topology has {topology.n_emissions} emissions for n_components = {self.n_components}")
        self.chain = Chain(topology, self.dtype)
        if self.n_features is not None:
            self.become(self.n_features)

    @abstractmethod
    def _make_emission(self, n_features: int) -> Emission:
        """Emissions with parameters of the right shapes."""

    @abstractmethod
    def _initialise(self, frames: Tensor, letters: set[str], generator: torch.Generator) -> None:
        """Set the emissions' parameters among ``letters`` from (N, D) frames, before EM."""

    @abstractmethod
    def _maximise(self, sums: Sums) -> None:
        """The M step of the emissions' parameters among ``params``."""

    def _features_of(self, frames: Tensor) -> int:
        return frames.shape[1]

    @property
    def startprob_(self) -> NDArray[np.floating[Any]]:
        """(S,) probabilities of the first state."""
        return as_numpy(self.chain.initial)

    @startprob_.setter
    def startprob_(self, value: Any) -> None:
        self.chain.set_initial(self._tensor(value))

    @property
    def transmat_(self) -> NDArray[np.floating[Any]]:
        """(S, S) probabilities, row i those of what follows state i."""
        return as_numpy(self.chain.transitions)

    @transmat_.setter
    def transmat_(self, value: Any) -> None:
        self.chain.set_transitions(self._tensor(value))

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

    def log_prob(self, X: Any, lengths: Any = None) -> Tensor:
        """(B,) log-likelihood of each sequence, with gradients to the parameters."""
        return self.sequence_log_prob(self._sequences(X, lengths))

    @torch.no_grad()
    def score(self, X: Any, lengths: Any = None) -> float:
        """The log-likelihood of all sequences."""
        return float(self.log_prob(X, lengths).sum())

    @torch.no_grad()
    def score_samples(self, X: Any, lengths: Any = None) -> tuple[float, Any]:
        """:meth:`score` and :meth:`predict_proba`."""
        return self.score(X, lengths), self.predict_proba(X, lengths)

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None) -> tuple[float, Any]:
        """The states, (N,) or (B, T), after their log-probability, or the sum of their probabilities ("map")."""
        sequences = self._sequences(X, lengths)
        if _known_algorithm(algorithm or self.algorithm) == "viterbi":
            path = self.sequence_paths(sequences)
            return float(path.score.sum()), self._result(path.states, sequences, X)
        best = self.sequence_posteriors(sequences).max(-1)
        states = best.indices.masked_fill(best.values == 0, -1)
        return float(sequences.join(best.values).sum()), self._result(states, sequences, X)

    def predict(self, X: Any, lengths: Any = None) -> Any:
        """The states alone."""
        return self.decode(X, lengths)[1]

    def predict_proba(self, X: Any, lengths: Any = None) -> Any:
        """Probabilities of the states given all frames, (N, S) or (B, T, S)."""
        sequences = self._sequences(X, lengths)
        return self._result(self.sequence_posteriors(sequences), sequences, X)

    @torch.no_grad()
    def sample(
        self, n_samples: int = 1, random_state: Any = None, currstate: int | None = None
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """A sequence from the model: (n, D) frames and (n,) states, beginning with ``currstate`` if that is given."""
        generator = generator_from(self.random_state if random_state is None else random_state)
        states = self.chain.draw(n_samples, generator, currstate)
        emissions = self.chain.topology.pdfs[states]
        return as_numpy(self.require_emission().draw(emissions, generator)), as_numpy(emissions)

    def stream(self, lag: int | None = None, max_lag: int | None = None) -> ModelStream:
        """An object that takes frames as they come; see :class:`ModelStream`."""
        self.require_emission()
        return ModelStream(self, lag, max_lag)

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Akaike's information criterion: −2 · log-likelihood + 2 · free parameters; lower is better (Akaike 1974)."""
        return -2 * self.score(X, lengths) + 2 * self.free_parameters()

    def bic(self, X: Any, lengths: Any = None) -> float:
        """The Bayesian one: −2 · log-likelihood + free parameters · log N; lower is better (Schwarz 1978)."""
        frames = len(self._sequences(X, lengths).frames)
        return -2 * self.score(X, lengths) + self.free_parameters() * math.log(frames)

    def free_parameters(self) -> int:
        """How many numbers it takes to describe the model."""
        return self.chain.free_parameters() + self.require_emission().free_parameters()

    def get_stationary_distribution(self) -> NDArray[np.floating[Any]]:
        """(S,) how often each state occurs in the long run: the left eigenvector of ``transmat_`` to eigenvalue 1."""
        values, vectors = np.linalg.eig(self.transmat_.T)
        stationary = vectors[:, np.argmax(values.real)].real
        return np.asarray(stationary / stationary.sum())

    def _reshape(self) -> None:
        self._modules.pop("emission", None)
        self.__post_init__()

    def _begin(self, sequences: Sequences) -> None:
        if not len(sequences.frames):
            raise ValueError("X must have rows to learn from, got none")
        fresh = "emission" not in self._modules
        self.become(self._features_of(sequences.frames))
        self.emission.check_frames(sequences.frames)
        generator = generator_from(self.random_state)
        if "s" in self.init_params:
            self.chain.set_initial(normalised(self.chain.topology.first.double()))
        if "t" in self.init_params:
            self.chain.set_transitions(normalised(self.chain.topology.allowed.double()))
        letters = {each for each in self.emission.letters if fresh or each in self.init_params}
        self._initialise(sequences.frames, letters, generator)

    @torch.no_grad()
    def _em_step(self, sequences: Sequences) -> float:
        found = self.expectation(sequences)
        self.chain.maximise(
            found.counts, self._tensor(self.startprob_prior), self._tensor(self.transmat_prior), self.params
        )
        self._maximise(found.statistics)
        return found.log_likelihood

    def become(self, n_features: int) -> None:
        """Make the emissions, if there are none yet, of D features (of symbols: their number)."""
        if "emission" not in self._modules:
            self.emission = self._make_emission(n_features).to(self.chain.initial_logits.device)

    def require_emission(self) -> Emission:
        """The emissions. Raises ValueError where there are none yet."""
        if "emission" not in self._modules:
            raise ValueError("the model has no emissions yet; call fit, set its parameters, or name n_features")
        return self.emission

    def _sequences(self, x: Any, lengths: Any) -> Sequences:
        parameter = self.chain.initial_logits
        sequences = as_sequences(x, lengths, parameter.dtype, parameter.device)
        if "emission" in self._modules:
            self.emission.check_frames(sequences.frames)
        return sequences

    def _tensor(self, value: Any) -> Tensor:
        return torch.as_tensor(value).to(self.chain.initial_logits.device, torch.float64)

    def _result(self, padded: Tensor, sequences: Sequences, x: Any) -> Any:
        result = padded if sequences.padded else sequences.join(padded)
        return result if isinstance(x, Tensor) else as_numpy(result)


def _known_algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {name!r}")
    return name
