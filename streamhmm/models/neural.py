"""A hidden Markov model whose scores, and transitions if wanted, come from networks."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self

from streamhmm.models.arc_chain import ArcChain
from streamhmm.models.chain import Chain, check_probabilities
from streamhmm.models.chain_parameters import ChainParameters
from streamhmm.models.inference import known_algorithm
from streamhmm.models.neural_core import NeuralCore, still
from streamhmm.models.neural_stream import NeuralStream
from streamhmm.models.neural_training import learn
from streamhmm.models.parametrised import Parametrised
from streamhmm.models.stream_chain import StreamChain
from streamhmm.models.topology import Topology

OUTPUTS = ("posteriors", "densities", "scores")


@dataclass(eq=False, repr=False, kw_only=True)
class NeuralHMM(Parametrised, ChainParameters, NeuralCore):
    """An HMM whose networks say how well each frame fits each state, and how likely each transition is at each time.

    A network is any module that takes frames (B, T, D), zeros behind the ends, and, where there is one, a context:
    ``network(x)`` or ``network(x, context)``; what it gives for a frame must not depend on what is behind the end.
    The context, such as the embedding of a speaker or a text, is handed to every method as ``context=``: (B, C), one a
    sequence, or one a frame, of the form of ``X``. For ``X``, ``lengths`` and results see :class:`Inference`.

    What the network gives, ``outputs``, decides what :meth:`log_prob` means:

    * "posteriors": logits of p(state | frame), as of any classifier. Less the logarithms of the states' priors they are
      log p(frame | state) / p(frame) (Bourlard & Morgan, Connectionist Speech Recognition, 1994), and ``log_prob`` is
      log p(x_1 … x_T) / Π_t p(x_t): how much likelier the frames are together than each alone, nats. It compares such
      models on the same data; it is no density. That holds where the network sees one frame and the priors are its
      mean posteriors; with wider networks it is a score. The priors are learnt: as batch normalisation does, a model
      in training mode takes the mean posteriors of the batch, with gradients, and otherwise those that it remembers.
      Maximising ``log_prob`` without labels so is maximum likelihood, and does not collapse into one state.
    * "densities": log p(frame | state, what came before, context), normalised, for which the network stands;
      ``log_prob`` is the log-density of the sequence if the network does not look ahead, nor ``transitions`` at the
      present frame.
    * "scores": any numbers; ``log_prob`` is the logarithm of a sum over paths that nothing normalises. It has no
      maximum: such models learn from labels only, the probability of the labels given the frames (a conditional
      random field; Lafferty et al. 2001).

    Args:
        n_components: S states.
        network: a module that gives (B, T, S); "mlp": :class:`FrameNetwork` on the frame alone; "gaussian":
            :class:`GaussianNetwork`.
        transitions: None: the same at all times. A module that gives logits (B, T, S, S), from the second last axis
            to the last, or (B, T, A), of what the topology allows row by row (tied transitions share one); those of
            frame t are of the step to it, frame 0's are not used. "mlp": :class:`FrameNetwork` on the frame before.
        outputs: as above; by default the network's own attribute of that name, else "posteriors".
        state_priors: (S,) probabilities to take in place of those that are learnt.
        receptive_field: frames that the networks see before and behind each; by default their own attribute of that
            name. Streams need it, unless the networks have ``step`` (see :class:`NeuralStream`).
        optimizer: the name of a class in ``torch.optim``; ``learning_rate`` and ``optimizer_params`` are its arguments.
        batch_size: sequences of a step.
        n_iter, tol: :meth:`fit` ends after ``n_iter`` passes over the data, or when the last five gained less than
            ``tol`` nats a frame each, on average.
        warm_start: :meth:`fit` goes on from the parameters as they are. Otherwise it begins anew with the networks that
            it makes and the chain; a module of the user's keeps its weights in any case.
        n_features, n_context: D and C, where parameters are wanted before there is data.
        algorithm, random_state, verbose, topology, dtype: as in the other models.

    Attributes:
        startprob_: (S,) NumPy array; can be set, as can ``transmat_`` (S, S) unless it varies with time.
        monitor_: how the last :meth:`fit` went; its history is of whole passes, while parameters change within them.
    """

    n_components: int = field(default=1, kw_only=False)
    network: nn.Module | str = field(default_factory=lambda: "mlp")  # a plain default would hide the module
    transitions: nn.Module | str | None = field(default_factory=lambda: None)
    outputs: str | None = None
    state_priors: Any = None
    receptive_field: tuple[int, int] | None = None
    algorithm: str = "viterbi"
    random_state: Any = None
    optimizer: str = "Adam"
    learning_rate: float = 1e-2
    optimizer_params: dict[str, Any] | None = None
    batch_size: int = 16
    n_iter: int = 100
    tol: float = 1e-4
    warm_start: bool = False
    verbose: bool = False
    topology: Topology | None = None
    n_features: int | None = None
    n_context: int = 0
    dtype: torch.dtype = torch.float32

    _shaping = Parametrised._shaping | {"network", "transitions", "outputs", "state_priors", "n_context"}

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Modules among the arguments want a module to be put into."""
        model = super().__new__(cls)
        nn.Module.__init__(model)
        return model

    def __post_init__(self) -> None:
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise ValueError(f"n_components must be a whole number of at least 1, got {self.n_components!r}")
        known_algorithm(self.algorithm)
        _known(self.network, "network", ("mlp", "gaussian"))
        _known(self.transitions, "transitions", ("mlp", None))
        _known(self.outputs, "outputs", (*OUTPUTS, None))
        topology = self.topology or Topology.ergodic(self.n_components)
        if topology.n_emissions != self.n_components:
            raise ValueError(f"topology has {topology.n_emissions} emissions for n_components = {self.n_components}")
        if self.receptive_field is not None and min(self.receptive_field) < 0:
            raise ValueError(f"receptive_field must be two numbers of frames from 0 on, got {self.receptive_field}")
        for name in ("built_network", "built_transitions", "arcs"):
            self._modules.pop(name, None)
        self.chain = Chain(topology, self.dtype)
        if self.transitions is not None:
            self.arcs = ArcChain(self.chain)
            self.chain.transition_logits.requires_grad_(False)
        self.register_buffer("log_priors", self._given_priors().log())
        if self.n_features is not None:
            self.become(self.n_features, self.n_context)

    @property
    def meaning(self) -> str:
        """What the network's outputs are: one of ``OUTPUTS``."""
        own = "densities" if self.network == "gaussian" else getattr(self.network, "outputs", "posteriors")
        return self.outputs or str(own)

    def fit(self, X: Any, lengths: Any = None, *, context: Any = None) -> Self:
        """Raise :meth:`log_prob` by steps along its gradient, on batches of sequences in random order.

        Leaves the model in evaluation mode.

        Raises:
            ValueError: for ``outputs`` that only labels can teach; sequences that are impossible.
        """
        if self.meaning == "scores":
            raise ValueError("scores have no likelihood to maximise; use fit_supervised, or other outputs")
        learn(self, self.conditioned(X, lengths, context))
        return self

    def fit_supervised(self, X: Any, y: Any, lengths: Any = None, *, context: Any = None) -> Self:
        """Learn from frames whose states are known, all or some of them.

        Raises the complete-data likelihood: of "posteriors" that is the networks' cross-entropy, with the labels'
        frequencies as priors; of "scores" the probability of the states given the frames.

        Args:
            X, lengths, context: as in :meth:`fit`.
            y: (N,), or (B, T) with padded ``X``: the state of each frame; −1: not known.

        Raises:
            ValueError: also for states that there are not, or that the topology does not allow in that order.
        """
        learn(self, self.conditioned(X, lengths, context, y))
        return self

    def score(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """The sum of :meth:`log_prob` in evaluation mode."""
        with still(self):
            return super().score(X, lengths, **given)

    @torch.no_grad()
    def transition_proba(self, X: Any, lengths: Any = None, **given: Any) -> Tensor:
        """(B, T, S, S) probabilities of the transitions to each frame."""
        sequences = self._sequences(X, lengths, **given)
        with still(self):
            if self.transitions is not None:
                return self.arcs.matrices(self.log_transitions(sequences.told())).exp()
        return self.chain.transitions.expand(len(sequences.lengths), sequences.longest, -1, -1)

    def estimate_priors(self, X: Any, lengths: Any = None, **given: Any) -> Self:
        """Remember the network's mean posteriors as the states' priors; :meth:`fit` does so at its end."""
        self.remember_priors(self._sequences(X, lengths, **given))
        return self

    def aic(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """Akaike's information criterion, of densities; raises ValueError for other outputs."""
        self._check_density("aic")
        return super().aic(X, lengths, **given)

    def bic(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """The Bayesian one, likewise."""
        self._check_density("bic")
        return super().bic(X, lengths, **given)

    def free_parameters(self) -> int:
        """Weights of the networks that learn, and probabilities of the chain."""
        networks = sum(each.numel() for each in self.networks().parameters() if each.requires_grad)
        chain = self.chain.free_parameters()
        begins = int(self.chain.topology.first.sum()) - 1
        return networks + (chain if self.transitions is None else begins)

    def stream(self, lag: int | None = None, max_lag: int | None = None, context: Any = None) -> NeuralStream:
        """An object that takes frames as they come; ``context``: (C,). See :class:`NeuralStream`."""
        return NeuralStream(self, lag, max_lag, context)

    def stream_chain(self) -> StreamChain:
        """The chain as a stream steps through it."""
        return copy.deepcopy(self.chain).double() if self.transitions is None else self.arcs

    def set_params(self, **params: Any) -> Self:
        """As in the other models."""
        for name in {"network", "transitions"} & set(params):
            self._modules.pop(name, None)  # what is no module can't take a module's place
            setattr(self, name, None)
        return super().set_params(**params)

    def _given_priors(self) -> Tensor:
        if self.state_priors is None:
            return torch.full((self.n_components,), 1 / self.n_components, dtype=self.dtype)
        priors = torch.as_tensor(self.state_priors).to(self.dtype)
        if bool((priors == 0).any()):
            raise ValueError(f"state_priors must be above 0, got {priors.tolist()}")
        return check_probabilities(priors, (self.n_components,), "state_priors")

    def _check_constant(self) -> None:
        if self.transitions is not None:
            raise ValueError("transitions vary with time: transition_proba tells what they are, a network gives them")

    def _check_density(self, name: str) -> None:
        if self.meaning != "densities":
            raise ValueError(f"{name} needs a density of the data; log_prob of {self.meaning!r} is none")

    def _reshape(self) -> None:
        self.__post_init__()


def _known(value: Any, name: str, known: tuple[str | None, ...]) -> None:
    if not isinstance(value, nn.Module) and value not in known:
        named = ", ".join(map(repr, known))
        module = "" if name == "outputs" else "a module or "
        raise ValueError(f"{name} must be {module}one of {named}, got {value!r}")
