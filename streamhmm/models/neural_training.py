"""Training networks and chain along gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from streamhmm.models.chain import normalised
from streamhmm.models.conditioned import Conditioned
from streamhmm.models.em import ConvergenceMonitor, iterate
from streamhmm.models.networks import FrameNetwork, GaussianNetwork
from streamhmm.models.random_state import generator_from
from streamhmm.ops import log_likelihood

if TYPE_CHECKING:
    from streamhmm.models.neural import NeuralHMM

STAY = 2.0  # logit of staying in a state, to begin with: states that last are found sooner
WINDOW = 5  # passes whose mean is compared with that of those before: steps on batches don't always gain


class GradientMonitor(ConvergenceMonitor):
    """As :class:`ConvergenceMonitor`, but a pass that falls now and then has not converged."""

    @property
    def gains(self) -> list[float]:
        """What the last passes gained, nats: ``WINDOW`` of them on average, from the second ``WINDOW`` on."""
        return [self._gain(end) for end in range(2 * WINDOW, self.iter + 1)]

    @property
    def gain(self) -> float:
        return self._gain(self.iter) if self.iter >= 2 * WINDOW else float("nan")

    def _gain(self, end: int) -> float:
        late, early = self.history[end - WINDOW : end], self.history[end - 2 * WINDOW : end - WINDOW]
        return (sum(late) - sum(early)) / WINDOW**2


def learn(model: NeuralHMM, sequences: Conditioned) -> None:
    """What :meth:`NeuralHMM.fit` and :meth:`NeuralHMM.fit_supervised` do."""
    if not len(sequences.frames):
        raise ValueError("X must have rows to learn from, got none")
    generator = generator_from(model.random_state)
    with _seeded(generator, sequences.frames.device):
        if not model.warm_start or not model.is_built:
            _begin(model, sequences, generator)
        model.check_sequences(sequences)
        if sequences.states is not None and model.state_priors is None:
            model.log_priors.copy_(_frequencies(sequences.states, model.n_components))
        optimizer = _make_optimizer(model)
        frames = len(sequences.frames)
        model.monitor_ = GradientMonitor(model.tol * frames, model.n_iter, model.verbose)
        model.train()
        try:
            iterate(lambda: _pass(model, sequences, optimizer, generator), model.monitor_, "gradients", rises=False)
        finally:
            model.eval()
    if model.meaning == "posteriors" and model.state_priors is None and sequences.states is None:
        model.remember_priors(sequences)


def objective(model: NeuralHMM, sequences: Conditioned) -> Tensor:
    """(B,) what training raises: the log-likelihood; with known states, of them too, or of them given the frames."""
    scores, graph = model.problem(sequences)
    if sequences.states is None:
        return log_likelihood(scores, graph, sequences.lengths)
    states = sequences.pad(sequences.states[:, None] + 1) - 1
    elsewhere = (states >= 0) & (states != model.columns)
    known = log_likelihood(scores.masked_fill(elsewhere, -torch.inf), graph, sequences.lengths)
    return known - log_likelihood(scores, graph, sequences.lengths) if model.meaning == "scores" else known


def _begin(model: NeuralHMM, sequences: Conditioned, generator: torch.Generator) -> None:
    """New networks where the model makes them, all used to the data's range; a chain that likes to stay."""
    context = sequences.context
    model.become(sequences.frames.shape[1], 0 if context is None else context.shape[-1])
    networks = model.networks()
    for network in networks.values():
        if isinstance(network, (FrameNetwork, GaussianNetwork)):
            network.initialise(sequences.frames, generator)
    chain = model.chain
    stays = chain.group[chain.source == chain.target]
    with torch.no_grad():
        chain.set_initial(normalised(chain.topology.first.double()).to(chain.initial_logits.device))
        chain.transition_logits.zero_()[stays] = STAY
        mover = networks["transitions"] if model.transitions == "mlp" else None
        if isinstance(mover, FrameNetwork):
            mover.output.bias.zero_()[stays] = STAY
        if model.state_priors is None:
            model.log_priors.fill_(-math.log(model.n_components))


def _pass(
    model: NeuralHMM, sequences: Conditioned, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> float:
    """One step for each batch; returns what they had before it, together."""
    order = torch.randperm(len(sequences.lengths), generator=generator).tolist()
    return sum(
        _step(model, sequences, order[first : first + model.batch_size], optimizer)
        for first in range(0, len(order), model.batch_size)
    )


def _step(model: NeuralHMM, sequences: Conditioned, which: list[int], optimizer: torch.optim.Optimizer) -> float:
    part = sequences.chosen(which)

    def closure() -> float:
        optimizer.zero_grad()
        found = objective(model, part)
        _check_possible(found, which)
        loss = -found.sum() / max(len(part.frames), 1)
        loss.backward()
        return float(loss.detach())

    return -optimizer.step(closure) * len(part.frames)


def _check_possible(found: Tensor, which: list[int]) -> None:
    wrong = ~found.detach().isfinite()
    if bool(wrong.any()):
        index = which[int(wrong.nonzero()[0, 0])]
        raise ValueError(
            f"sequence {index} is impossible for this model: no path through its states is of that length, "
            "or passes through the states that are known"
        )


def _make_optimizer(model: NeuralHMM) -> torch.optim.Optimizer:
    made = getattr(torch.optim, model.optimizer, None)
    if not (isinstance(made, type) and issubclass(made, torch.optim.Optimizer)):
        raise ValueError(f"optimizer must be the name of a class in torch.optim, got {model.optimizer!r}")
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings: dict[str, Any] = {"lr": model.learning_rate, **(model.optimizer_params or {})}
    return made(learning, **settings)


def _frequencies(states: Tensor, n_states: int) -> Tensor:
    """(S,) logarithms of how often states are; one frame is added to each, for those that are never seen."""
    counts = torch.bincount(states[states >= 0], minlength=n_states) + 1.0
    return (counts / counts.sum()).log()


@contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """What draws without a generator (first weights, dropout) follows this one; afterwards it goes on as before."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        yield
