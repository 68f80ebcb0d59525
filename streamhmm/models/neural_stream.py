"""A model with networks on observations that come in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from streamhmm.models.neural_core import still
from streamhmm.models.sequences import one_sequence
from streamhmm.models.stream import Heard, ScoreStream

if TYPE_CHECKING:
    from streamhmm.models.neural import NeuralHMM


class NeuralStream(ScoreStream):
    """One sequence, chunk by chunk; made by ``model.stream()``. The cut into chunks only changes when things come.

    The networks are run on each chunk with the frames before and behind it that they see, so what is told of a frame
    waits until it has those behind it, and ``lag`` counts from there. A network with a method
    ``step(x, context, state)`` is called with the new frames (1, n, D), their context or None, and what it returned
    last (None at first); it returns its outputs for them and its new state. So recurrent networks go on where they
    were.

    Args:
        model: its chain is taken as it is now; its networks, in evaluation mode, must not learn in the meantime.
        lag, max_lag: as in :class:`ModelStream`.
        context: (C,), the same for all frames; None: there is none, or it comes with the frames.

    Raises:
        ValueError: nobody knows what the networks see.
    """

    def __init__(
        self, model: NeuralHMM, lag: int | None = None, max_lag: int | None = None, context: Any = None
    ) -> None:
        networks = model.networks()
        columns = model.n_components if model.transitions is None else model.arcs.n_states
        super().__init__(model, columns, lag, max_lag)
        like = model.log_priors
        self._model = model
        self._context = None if context is None else torch.as_tensor(context).to(like)
        if self._context is not None and self._context.dim() != 1:
            raise ValueError(f"context must be (C,), got shape {tuple(self._context.shape)}")
        self._runs = {name: _run_of(model, network) for name, network in networks.items()}
        self._outputs: dict[str, Tensor] = {}

    @torch.no_grad()
    def push(self, x: Any, context: Any = None) -> Heard:
        """The next (n, D) frames; n from 0.

        Args:
            context: (n, C), where it differs from frame to frame.

        Raises:
            ValueError: for frames and contexts that the networks were not made for.
        """
        if context is not None and self._context is not None:
            raise ValueError("context was given when the stream was made; name it there or here")
        constant = None if self._context is None else self._context[None]
        given = self._model.conditioned(x, None, constant if context is None else context)
        one_sequence(given)
        self._model.check_sequences(given)
        told = given.context
        if context is not None and told is not None and told.dim() == 2:
            told = told[:, None].expand(-1, len(given.frames), -1)
        return self.hear(self._scores(given.frames, told, last=False))

    @torch.no_grad()
    def finish(self) -> Heard:
        """What is still owed; the stream has ended then."""
        nothing = self._model.log_priors.new_empty(0, 0)
        heard, owed = self.hear(self._scores(nothing, None, last=True)), super().finish()
        return Heard(*(np.concatenate(each) for each in zip(heard, owed, strict=True)))

    def _scores(self, frames: Tensor, context: Tensor | None, last: bool) -> Tensor:
        """(n, V) scores of the frames for which all networks have told theirs."""
        model = self._model
        with still(model):
            for name, run in self._runs.items():
                found = run.push(frames, context, last)
                if found is not None:
                    self._outputs[name] = torch.cat((self._outputs[name], found)) if name in self._outputs else found
        count = min((len(self._outputs.get(name, ())) for name in self._runs), default=0)
        if count == 0:
            return self._waiting.new_empty(0, self._waiting.shape[1])
        ready = {name: found[:count] for name, found in self._outputs.items()}
        self._outputs = {name: found[count:] for name, found in self._outputs.items()}
        scores = model.scores_of(ready["network"].double())
        if "transitions" not in ready:
            return scores
        initial = model.chain.initial_logits.double().log_softmax(-1)
        return model.arcs.scores(scores, model.arcs.log_transitions(ready["transitions"][None].double())[0], initial)


class WindowRun:
    """A network that sees ``before`` and ``behind`` frames around each, run on chunks."""

    def __init__(self, network: nn.Module, before: int, behind: int) -> None:
        self._network, self._before, self._behind = network, before, behind
        self._kept: Tensor | None = None
        self._context: Tensor | None = None
        self._told = 0  # frames of those kept whose outputs are out

    def push(self, frames: Tensor, context: Tensor | None, last: bool) -> Tensor | None:
        """The outputs (k, …) of the next frames that have all that the network sees; None: there are none."""
        if len(frames):
            self._kept = frames if self._kept is None else torch.cat((self._kept, frames))
            if context is not None and context.dim() == 3 and self._context is not None:
                context = torch.cat((self._context, context), 1)
            self._context = context
        if self._kept is None:
            return None
        end = len(self._kept) - (0 if last else self._behind)
        if end <= self._told:
            return None
        told = (self._kept[None],) if self._context is None else (self._kept[None], self._context)
        found = self._network(*told)
        result: Tensor = found[0, self._told : end]
        drop = max(0, end - self._before)
        self._kept, self._told = self._kept[drop:], end - drop
        if self._context is not None and self._context.dim() == 3:
            self._context = self._context[:, drop:]
        return result


class StateRun:
    """A network that hands on its state."""

    def __init__(self, network: nn.Module) -> None:
        self._network, self._state = network, None

    def push(self, frames: Tensor, context: Tensor | None, last: bool) -> Tensor | None:
        """The outputs (n, …) of the frames; None where there are none."""
        if not len(frames):
            return None
        found, self._state = self._network.step(frames[None], context, self._state)  # type: ignore[operator]
        result: Tensor = found[0]
        return result


def _run_of(model: NeuralHMM, network: nn.Module) -> WindowRun | StateRun:
    if hasattr(network, "step"):
        return StateRun(network)
    seen = model.receptive_field or getattr(network, "receptive_field", None)
    if seen is None:
        raise ValueError(
            f"{type(network).__name__} does not tell what it sees; "
            "set receptive_field = (frames before, frames behind), or give it a method step"
        )
    return WindowRun(network, *seen)
