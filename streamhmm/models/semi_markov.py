"""Models whose states last as long as a distribution says: hidden semi-Markov models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.ages import AgeChain
from streamhmm.models.chain import ChainCounts
from streamhmm.models.durations import Durations
from streamhmm.models.emission import Emission
from streamhmm.models.estimator import Estimator
from streamhmm.models.hmm import Expectation, blocks
from streamhmm.models.parameters import as_numpy
from streamhmm.models.segments import Segments, SegmentWeights, segments_of
from streamhmm.models.sequences import Sequences
from streamhmm.models.sums import Sums
from streamhmm.models.topology import Topology
from streamhmm.models.variational import Variational
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi

FREQUENCIES = "durations"
"""Name of the (S, D) expected numbers of segments among the statistics of the emissions."""


@dataclass(eq=False, repr=False, kw_only=True)
class HSMM(Estimator):
    """A hidden semi-Markov model: a state lasts as many frames as a distribution of its own says (Yu 2010).

    ``HSMM(GaussianHMM(4), durations="gamma")`` has four states with Gaussian emissions. What is named after emissions
    (``means_``, …) is read and set at the model itself.

    Args:
        emissions: a model of the family: its emissions are taken, and how they are begun and trained, with its own
            letters of ``params`` and ``init_params``. It stays as it is.
        durations: "categorical", "geometric" (which makes it an HMM, but for the cut), "poisson", "negative-binomial"
            or "gamma"; see :class:`Durations`.
        max_duration: frames that a state lasts at most, one number or one a state; D is the largest. The distributions
            are cut off there.
        censored: the last segment may go on behind the end of its sequence; if not, it ends there.
        durations_prior: concentration of a Dirichlet prior of the durations, a number or (S, D): as if each had been
            seen so many times, less 1.
        params, init_params: "s", "t", "d" durations.
        topology: a state does not follow itself here, whatever it says, but for a model of one state only.

    For the rest see :class:`Estimator`; ``transmat_`` tells what follows a segment.
    """

    n_components: int = field(default=1, init=False)
    n_features: int | None = field(default=None, init=False)
    dtype: torch.dtype = field(default=torch.float64, init=False)
    missing: str = field(default="error", init=False)
    emissions: Estimator = field(kw_only=False)
    durations: str = "gamma"
    max_duration: int | Sequence[int] = 100
    censored: bool = True
    durations_prior: Any = 1.0
    params: str = "std"
    init_params: str = "std"

    _shaping = Estimator._shaping | {"emissions", "durations", "max_duration"}

    def __post_init__(self) -> None:
        given = self.emissions
        if not isinstance(given, Estimator) or isinstance(given, (HSMM, Variational)):
            raise TypeError(f"emissions must be a model such as GaussianHMM(4), got {type(given).__name__}")
        if given.topology is not None:
            raise ValueError("the topology must be given to HSMM, not to its emissions")
        self.n_components, self.n_features, self.dtype = given.n_components, given.n_features, given.dtype
        super().__post_init__()
        self.duration = Durations(self.durations, self.chain.n_states, self.max_duration, self.dtype)
        if "emission" in given._modules:
            self.emission = deepcopy(given.emission)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "emissions":
            self.__dict__[name] = value  # what the constructor was given, no module of this one
        elif self._is_of_emissions(name):
            model = self._trainer()
            setattr(model, name, value)
            self.emission = model.require_emission()
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer(), name) if self._is_of_emissions(name) else super().__getattr__(name)

    @property
    def durations_(self) -> NDArray[np.floating[Any]]:
        """(S, D) probabilities of 1 … D frames; can be set (kinds with a formula take what comes nearest)."""
        return as_numpy(self.duration.table().exp())

    @durations_.setter
    def durations_(self, value: Any) -> None:
        self.duration.set(self._tensor(value))

    @property
    def mean_durations_(self) -> NDArray[np.floating[Any]]:
        """(S,) frames that a state lasts on average."""
        return as_numpy(self.duration.mean)

    @torch.no_grad()
    def chain_paths(self, part: Sequences) -> Path:
        graph, durations = self._segments()
        path = viterbi(self._scores(part), graph, part.lengths, durations=durations)
        states = path.states % self.chain.n_states  # that of a twin
        return Path(states.masked_fill(path.states < 0, -1), path.score)

    def path_expectation(self, sequences: Sequences) -> Expectation:
        """The E step of Viterbi training: the segments of the best paths, the last one as long as is expected.

        A path tells emissions: where states share one, or there is one state only, all segments that it leaves possible
        count, and the score may fall.
        """
        path = self.sequence_paths(sequences)
        found = self.expectation(sequences._replace(states=sequences.join(path.states)))
        return found._replace(log_likelihood=float(path.score.sum()))

    def require_emission(self) -> Emission:
        self.missing = self.emissions.missing
        return super().require_emission()

    def free_parameters(self) -> int:
        return super().free_parameters() + self.duration.free_parameters()

    def get_stationary_distribution(self) -> NDArray[np.floating[Any]]:
        """(S,) how often each state occurs in the long run: as segments do, times how long they last."""
        frames = super().get_stationary_distribution() * self.mean_durations_
        return np.asarray(frames / frames.sum())

    def stream_chain(self) -> AgeChain:
        return AgeChain(self.chain, self.duration.table().detach(), self.censored)

    def _log_prob(self, part: Sequences) -> Tensor:
        graph, durations = self._segments()
        return log_likelihood(self._scores(part), graph, part.lengths, durations=durations)

    def _posteriors(self, part: Sequences) -> Tensor:
        graph, durations = self._segments()
        return posteriors(self._scores(part), graph, part.lengths, by="pdf", durations=durations)

    def _block_expectation(self, part: Sequences) -> tuple[Tensor, ChainCounts, Sums]:
        return self._expectation_with(part, self.duration.table())

    @torch.no_grad()
    def _expectation_with(self, part: Sequences, durations: Tensor) -> tuple[Tensor, ChainCounts, Sums]:
        """Expected numbers are the gradient of the log-likelihood by the logarithms of what they are numbers of."""
        weights = self._weights()._replace(durations=durations)
        values, statistics_of = self.emission.evaluate(part.frames)
        scores, *leaves = (each.detach().requires_grad_() for each in (part.pad(part.barred(values)), *weights))
        with torch.enable_grad():
            graph, table = segments_of(self.chain, SegmentWeights(*leaves), self.censored)
            likelihoods = log_likelihood(scores, graph, part.lengths, durations=table)
            seen, initial, passed, lasted = torch.autograd.grad(likelihoods.sum(), (scores, *leaves))
        transitions = passed.new_zeros(self.chain.n_states, self.chain.n_states)
        transitions[self.chain.source, self.chain.target] = passed
        statistics = statistics_of(part.join(seen))
        statistics[FREQUENCIES] = lasted
        return likelihoods.detach(), ChainCounts(initial, transitions), statistics

    @property
    def _cells(self) -> int:
        return max(self.chain.n_states * (1 + self.censored), self.emission.n_cells)

    def _blocks(self, sequences: Sequences) -> Iterator[Sequences]:
        states = self.chain.n_states * (1 + self.censored)
        return blocks(sequences, self._cells, least_frames=max(self.duration.width, states))

    def _segments(self) -> Segments:
        return segments_of(self.chain, self._weights(), self.censored)

    def _weights(self) -> SegmentWeights:
        transitions = self.chain.log_transitions()[self.chain.source, self.chain.target]
        return SegmentWeights(self.chain.initial_logits.log_softmax(-1), transitions, self.duration.table())

    def _make_topology(self) -> Topology:
        topology = super()._make_topology()
        if topology.n_states == 1:
            return topology
        others = topology.allowed & ~torch.eye(topology.n_states, dtype=torch.bool)
        return Topology.of(others, topology.first, topology.last, topology.ties, topology.pdfs)

    def _draw_states(self, count: int, generator: torch.Generator, begin: int | None) -> Tensor:
        """At most ``count``: fewer where nothing follows a segment that has ended."""
        lasting = self.duration.table().exp().cpu()
        following, chances = self.chain.transitions.cpu(), self.chain.initial.cpu()
        states: list[int] = []
        while len(states) < count and bool(chances.sum() > 0):
            state = int(torch.multinomial(chances, 1, generator=generator)) if begin is None else begin
            frames = 1 + int(torch.multinomial(lasting[state], 1, generator=generator))
            states += [state] * frames
            begin, chances = None, following[state]
        return torch.tensor(states[:count], dtype=torch.int64)

    def _make_emission(self, n_features: int) -> Emission:
        return self._trainer()._make_emission(n_features)

    def _features_of(self, frames: Tensor) -> int:
        return self._trainer()._features_of(frames)

    def _begin(self, sequences: Sequences, letters: set[str], generator: torch.Generator) -> None:
        """The durations begin as what the first block tells if the log of a duration may be any, p(d) ∝ 1 / d: none of
        these is a better guess than another before anything is known."""
        super()._begin(sequences, letters, generator)
        if "d" in self.init_params:
            found = self._expectation_with(next(self._blocks(sequences)), self.duration.vague())
            self.duration.start(found[2][FREQUENCIES])

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        again = set(self.emissions.init_params) & set(self.emission.letters)
        self._trainer()._initialise(frames, letters | again, generator, times)

    def _maximise(self, sums: Sums) -> None:
        if "d" in self.params and FREQUENCIES in sums:
            prior = self._prior("durations_prior", *sums[FREQUENCIES].shape)
            self.duration.maximise((sums[FREQUENCIES] + prior - 1).clamp(min=0))
        self._trainer()._maximise(sums)

    def _trainer(self) -> Estimator:
        """A model like ``emissions``, with the emissions of this one."""
        model = type(self.emissions)(**self.emissions.get_params(deep=False)).to(self.chain.initial_logits.device)
        if "emission" in self._modules:
            model.emission = self.emission
        return model

    def _is_of_emissions(self, name: str) -> bool:
        given = self.__dict__.get("emissions")
        return name.endswith("_") and not hasattr(type(self), name) and hasattr(type(given), name)
