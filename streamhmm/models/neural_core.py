"""What a model of networks and a chain computes through the engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamhmm.graph import Graph
from streamhmm.models.arc_chain import ArcChain, log_normalised
from streamhmm.models.chain import Chain
from streamhmm.models.conditioned import Conditioned, batches, together, told_of
from streamhmm.models.em import ConvergenceMonitor
from streamhmm.models.hmm import unless_empty
from streamhmm.models.inference import Inference
from streamhmm.models.networks import FrameNetwork, GaussianNetwork
from streamhmm.models.sequences import Sequences, as_sequences, with_states
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi

LEAST_LOG_PRIOR = -1e30
MOMENTUM = 0.1  # a batch's share in the priors that a model in training remembers


class NeuralCore(Inference):
    """Networks' outputs as scores of a graph, and what the engine makes of them."""

    n_components: int
    network: nn.Module | str
    transitions: nn.Module | str | None
    state_priors: Any
    random_state: Any
    n_features: int | None
    dtype: torch.dtype
    chain: Chain
    arcs: ArcChain
    log_priors: Tensor
    monitor_: ConvergenceMonitor

    @property
    def meaning(self) -> str:
        """What the network's outputs are: "posteriors", "densities" or "scores"."""
        raise NotImplementedError

    def networks(self) -> nn.ModuleDict:
        """The network, and that of the transitions, by argument. Raises ValueError where they are not made yet."""
        found = nn.ModuleDict()
        for name in ("network", "transitions"):
            given = getattr(self, name)
            if isinstance(given, str) and f"built_{name}" not in self._modules:
                raise ValueError("the model has no network yet; call fit, or name n_features")
            if given is not None:
                found[name] = self.get_submodule(f"built_{name}") if isinstance(given, str) else given
        return found

    @property
    def is_built(self) -> bool:
        """Nothing that is asked for by name has to be made yet."""
        return all(
            f"built_{name}" in self._modules or not isinstance(getattr(self, name), str)
            for name in ("network", "transitions")
        )

    def become(self, n_features: int, n_context: int = 0) -> None:
        """Make the networks that are asked for by name, for D features and C numbers of context."""
        states = self.n_components
        made: dict[str, nn.Module] = {}
        if self.network == "gaussian":
            made["network"] = GaussianNetwork(n_features, states, n_context=n_context)
        elif self.network == "mlp":
            made["network"] = FrameNetwork(n_features, states, n_context=n_context)
        if self.transitions == "mlp":
            groups = len(self.chain.transition_logits)
            made["transitions"] = FrameNetwork(n_features, groups, -1, -1, n_context=n_context)
        for name, network in made.items():
            self.add_module(f"built_{name}", network.to(self.chain.initial_logits))

    def problem(self, sequences: Sequences) -> tuple[Tensor, Graph | list[Graph]]:
        """Scores (B, T, V) and a graph, or one for each sequence, whose paths are those of the model."""
        told = told_of(sequences)
        scores = self.scores_of(self.outputs_of(told), sequences)
        if self.transitions is None:
            return scores, self.chain.graph()
        initial, transitions = self.chain.initial_logits.log_softmax(-1), self.log_transitions(told)
        if not self._through_arcs:
            return scores, self.arcs.graphs(transitions, initial)
        return self.arcs.scores(scores, transitions, initial), self.arcs.whole

    def scores_of(self, outputs: Tensor, sequences: Sequences | None = None) -> Tensor:
        """(…, S) scores of the emissions from the network's outputs for ``sequences``."""
        if self.meaning != "posteriors":
            return outputs
        logits = log_normalised(outputs)
        return logits - (self.log_priors if sequences is None else self._priors_of(logits, sequences))

    def outputs_of(self, told: tuple[Tensor, ...]) -> Tensor:
        """(B, T, S) as the network gives them. Raises ValueError for another shape."""
        found: Tensor = self.networks()["network"](*told)
        wanted = (*told[0].shape[:2], self.n_components)
        if found.shape != wanted:
            raise ValueError(f"network must give (B, T, S) = {wanted}, got shape {tuple(found.shape)}")
        return found

    def log_transitions(self, told: tuple[Tensor, ...]) -> Tensor:
        """(B, T, A) logarithms of the probabilities of the transitions to each frame."""
        found: Tensor = self.networks()["transitions"](*told)
        batch, states, groups = tuple(told[0].shape[:2]), self.chain.n_states, self.arcs.n_groups
        shapes = [(*batch, groups)]
        if self.chain.topology.ties is None:
            shapes.append((*batch, states, states))
        if found.shape not in shapes:
            named = " or ".join(map(str, shapes))
            raise ValueError(f"transitions must give {named}, got shape {tuple(found.shape)}")
        return self.arcs.log_transitions(found)

    def sequence_log_prob(self, sequences: Sequences) -> Tensor:
        """(B,) log-likelihoods, with gradients; without, a few sequences at a time, but in training mode, where all
        together have their priors. A sequence without frames has 0.
        """
        parts = [sequences] if self.training or torch.is_grad_enabled() else batches(sequences)
        return torch.cat([self._log_prob(part) for part in parts])

    @torch.no_grad()
    def sequence_paths(self, sequences: Sequences) -> Path:
        with still(self):
            found = [viterbi(*self.problem(part), part.lengths) for part in batches(sequences)]
        states = together([each.states for each in found], sequences.longest, -1)
        pdfs = self.arcs.pdfs if self._through_arcs else self.chain.pdfs.to(states.device)
        scores = unless_empty(torch.cat([each.score for each in found]), sequences.lengths)
        return Path(pdfs[states].masked_fill(states < 0, -1), scores)

    @torch.no_grad()
    def sequence_posteriors(self, sequences: Sequences) -> Tensor:
        with still(self):
            return together([self._posteriors(part) for part in batches(sequences)], sequences.longest, 0)

    @torch.no_grad()
    def remember_priors(self, sequences: Conditioned) -> None:
        """The network's mean posteriors become the states' priors. Raises ValueError where there are no frames."""
        if not len(sequences.frames):
            raise ValueError("X must have rows to learn from, got none")
        sums = []
        with still(self):
            for part in batches(sequences):
                if part.longest:
                    sums.append(part.join(log_normalised(self.outputs_of(told_of(part)))).logsumexp(0))
        self.log_priors.copy_(possible(torch.stack(sums).logsumexp(0) - math.log(len(sequences.frames))))

    @property
    def columns(self) -> Tensor:
        """(V,) the emission that each column of the scores is of."""
        return self.arcs.pdfs if self._through_arcs else torch.arange(self.n_components).to(self.log_priors.device)

    @property
    def _through_arcs(self) -> bool:
        return self.transitions is not None and not self.arcs.too_wide

    def check_frames(self, frames: Tensor) -> None:
        """Raises ValueError for features that the network was not made for, and numbers that are not finite."""
        wanted = getattr(self.networks()["network"], "settings", {}).get("n_features", frames.shape[1])
        if frames.shape[1] != wanted:
            raise ValueError(f"X must have {wanted} features, got {frames.shape[1]}")
        if bool(frames.sum().isfinite()):  # the look at each frame takes as long as the engine
            return
        wrong = ~frames.isfinite().all(1)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0, 0])
            raise ValueError(f"X must be finite, got {frames[row].tolist()} in row {row}")

    def conditioned(self, x: Any, lengths: Any, context: Any = None, y: Any = None) -> Conditioned:
        """Observations, context and known states, on the model's device; not compared with the networks yet.

        Raises:
            ValueError: for shapes that don't fit, and states that there are not.
        """
        like = self.chain.initial_logits
        sequences = as_sequences(x, lengths, like.dtype, like.device)
        if y is not None:
            sequences = with_states(sequences, y, self.n_components)
        return Conditioned.of(sequences, context, tuple(np.shape(x)[:-1]))

    def check_sequences(self, sequences: Conditioned) -> None:
        """Raises ValueError for frames and contexts that the networks were not made for."""
        self.check_frames(sequences.frames)
        self._check_context(sequences)

    def _sequences(self, x: Any, lengths: Any, **given: Any) -> Conditioned:
        if given.keys() - {"context"}:
            raise TypeError(f"{type(self).__name__} takes context beside X and lengths, not {', '.join(given)}")
        sequences = self.conditioned(x, lengths, **given)
        self.check_sequences(sequences)
        return sequences

    def _check_context(self, sequences: Conditioned) -> None:
        given = 0 if sequences.context is None else sequences.context.shape[-1]
        if sequences.context is not None and not bool(sequences.context.isfinite().all()):
            raise ValueError("context must be finite, got NaN or inf")
        for name, network in self.networks().items():
            wanted = getattr(network, "settings", {}).get("n_context", given)
            if given != wanted:
                raise ValueError(f"context must have {wanted} numbers for {name}, got {given}")

    def _log_prob(self, part: Sequences) -> Tensor:
        return unless_empty(log_likelihood(*self.problem(part), part.lengths), part.lengths)

    def _posteriors(self, part: Sequences) -> Tensor:
        found = posteriors(*self.problem(part), part.lengths, by="pdf")
        return self.arcs.by_emission(found) if self._through_arcs else found

    def _priors_of(self, logits: Tensor, sequences: Sequences) -> Tensor:
        """(S,) logarithms of the priors: those remembered; in training the mean posteriors of the batch."""
        labelled = isinstance(sequences, Conditioned) and sequences.states is not None
        if not self.training or labelled or self.state_priors is not None or not len(sequences.frames):
            return self.log_priors
        inside = sequences.join(logits)
        found = possible(inside.logsumexp(0) - math.log(len(inside)))
        kept, added = self.log_priors + math.log1p(-MOMENTUM), found.detach() + math.log(MOMENTUM)
        self.log_priors.copy_(torch.logaddexp(kept, added))
        return found


def possible(log_priors: Tensor) -> Tensor:
    """Priors of states that no frame is in, too, that scores can be divided by."""
    return log_priors.clamp(min=LEAST_LOG_PRIOR)


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards each of its modules is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
