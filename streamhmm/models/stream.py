"""A model on observations that come in chunks: what is known of each frame at once, a little later, and for good."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.models.hmm import HMM
from streamhmm.models.sequences import as_sequences, one_sequence
from streamhmm.models.stream_chain import Streamed
from streamhmm.online import OnlineViterbi
from streamhmm.smoothing import filter as filtered_posteriors
from streamhmm.smoothing import smooth


class Heard(NamedTuple):
    """What a chunk brought.

    Attributes:
        filtered: (n, S) probabilities of the states in the chunk's frames, given the frames up to each.
        smoothed: (m, S) those given ``lag`` frames more, of the frames for which these are there now; they go on where
            the last call's ended. (0, S) without a lag.
        states: (k,) states of the best path that will not change any more; −1 where no path fits.
    """

    filtered: NDArray[np.floating[Any]]
    smoothed: NDArray[np.floating[Any]]
    states: NDArray[np.int64]


class ScoreStream:
    """What is known of the states of a chain as their scores come.

    Args:
        model: gives the chain.
        columns: scores of a frame.
        lag, max_lag: as in :class:`ModelStream`.
    """

    def __init__(self, model: Streamed, columns: int, lag: int | None, max_lag: int | None) -> None:
        if lag is not None and lag < 0:
            raise ValueError(f"lag must be at least 0 frames, got {lag}")
        self._lag = lag
        with torch.no_grad():
            self._chain = chain = deepcopy(model.stream_chain())
            self._decoder = OnlineViterbi(model.stream_chain().graph(), max_lag=max_lag)
        # Where not every state may be the last one, a frame must know that its window is not the end.
        self._held = (lag or 0) + (0 if chain.ends_anywhere else 1)
        self._begin = chain.initial.log()
        self._waiting_begin, self._waiting = self._begin, self._begin.new_empty(0, columns)

    @torch.no_grad()
    def hear(self, scores: Tensor) -> Heard:
        """The next (n, V) scores."""
        states = self._decoder.push(scores)
        return Heard(self._filter(scores), self._smooth(scores, last=False), self._named(states))

    @torch.no_grad()
    def finish(self) -> Heard:
        """What is still owed; the stream has ended then."""
        empty = self._waiting[:0]
        return Heard(self._filter(empty), self._smooth(empty, last=True), self._named(self._decoder.finish()))

    def _filter(self, scores: Tensor) -> NDArray[Any]:
        if not len(scores):
            return self._by_emission(scores.new_empty(0, self._chain.n_states))
        found = filtered_posteriors(scores, self._graph(self._begin, last=False)).to(scores)
        self._begin = self._chain.step(found[-1]).log()
        return self._by_emission(found)

    def _smooth(self, scores: Tensor, last: bool) -> NDArray[Any]:
        """The frames that wait, seen from where they begin: what came before them is in their first probabilities."""
        self._waiting = torch.cat((self._waiting, scores))
        count = len(self._waiting) - (0 if last else self._held)
        if self._lag is None or count <= 0:
            self._waiting = self._waiting if self._lag is not None else self._waiting[:0]
            return self._by_emission(scores.new_empty(0, self._chain.n_states))
        found = smooth(self._waiting, self._graph(self._waiting_begin, last), lag=self._lag).to(scores)[:count]
        past = filtered_posteriors(self._waiting[:count], self._graph(self._waiting_begin, last=False)).to(scores)
        self._waiting_begin = self._chain.step(past[-1]).log()
        self._waiting = self._waiting[count:]
        return self._by_emission(found)

    def _graph(self, begin: Tensor, last: bool) -> Graph:
        return self._chain.graph(begin, may_end_anywhere=not last)

    def _by_emission(self, found: Tensor) -> NDArray[Any]:
        pdfs = self._chain.pdfs.to(found.device)
        sums = found.new_zeros(len(found), self._chain.n_emissions)
        return np.asarray(sums.index_add_(1, pdfs, found).cpu().numpy())

    def _named(self, states: Tensor) -> NDArray[np.int64]:
        emissions = self._chain.pdfs.cpu()[states.cpu()]
        return np.asarray(emissions.masked_fill(states.cpu() < 0, -1).numpy())


class ModelStream(ScoreStream):
    """One sequence, chunk by chunk; made by ``model.stream()``. The cut into chunks only changes when things come.

    Args:
        model: its parameters are taken as they are now.
        lag: frames that ``smoothed`` waits for; None: nothing is smoothed.
        max_lag: frames after which ``states`` are decided at the latest; None: when no other path is possible.
    """

    def __init__(self, model: HMM, lag: int | None = None, max_lag: int | None = None) -> None:
        super().__init__(model, model.chain.n_emissions, lag, max_lag)
        self._emission = deepcopy(model.emission)

    @torch.no_grad()
    def push(self, x: Any) -> Heard:
        """The next (n, D) frames; n from 0. Raises ValueError for frames that the emissions never give, or several
        sequences."""
        frames = one_sequence(as_sequences(x, None, self._begin.dtype, self._begin.device)).frames
        self._emission.check_frames(frames)
        return self.hear(self._emission.scores(frames))
