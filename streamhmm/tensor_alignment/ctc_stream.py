"""CTC alignment of a stream: tokens come out once nothing can change them any more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from streamhmm.errors import AlignmentError
from streamhmm.graph import Graph
from streamhmm.online import OnlineViterbi
from streamhmm.tensor_alignment.checks import check_labels, check_log_probs
from streamhmm.tensor_alignment.forced_alignment import TokenSpan


@dataclass
class _Open:
    """A token whose last frame may be still to come."""

    index: int
    start: int
    frames: int = 0
    total: float = 0.0


class CtcStream:
    """Tokens of a stream as they become final; made by :meth:`streamhmm.CTCAligner.stream`.

    However it is cut into chunks, the tokens are the same; without any option they are those of the whole.
    """

    def __init__(
        self, targets: Tensor, blank: int, *, max_lag: int | None, beam: float | None, certainty: float | None
    ) -> None:
        graph = Graph.ctc(targets, blank)
        self._decoder = OnlineViterbi(graph, max_lag=max_lag, beam=beam, certainty=certainty)
        self._targets, self._blank = targets, blank
        self._heeded, self._places = graph.pdfs.unique(return_inverse=True)  # columns; where each state's is among them
        self._columns: int | None = None
        self._waiting: list[Tensor] = []
        self._open: _Open | None = None
        self._told = 0

    @property
    def final_frames(self) -> int:
        """Frames that are decided."""
        return int(self._decoder.committed_frames)

    def current(self) -> int | None:
        """Index of the target that is heard now, or was heard last, on the best path so far; None before the first."""
        state = int(self._decoder.current())
        return None if state <= 0 else (state - 1) // 2

    def push(self, log_probs: Tensor) -> list[TokenSpan]:
        """The next frames, (n, C), n from 0; scores and frames as in :class:`~streamhmm.CtcAlignment`.

        Returns:
            The tokens that are final now and were not before.

        Raises:
            ValueError, TypeError: for log-probabilities that are not as said, or NaN, which leave the stream as it
                was; after :meth:`finish`.
        """
        if isinstance(log_probs, Tensor) and log_probs.dim() != 2:
            raise ValueError(f"log_probs must be (n, C), got shape {tuple(log_probs.shape)}")
        check_log_probs(log_probs.unsqueeze(0) if isinstance(log_probs, Tensor) else log_probs, self._blank)
        if self._columns is None:
            check_labels(self._targets, self._blank, 0, log_probs.shape[1])
        elif self._columns != log_probs.shape[1]:
            raise ValueError(
                f"log_probs must be (n, {self._columns}) as in the first chunk, got shape {tuple(log_probs.shape)}"
            )
        states = self._decoder.push(log_probs.detach())
        self._columns = log_probs.shape[1]
        self._heeded = self._heeded.to(log_probs.device)
        self._waiting.append(log_probs.detach().index_select(1, self._heeded))  # a copy: the caller's own may change
        return self._take(states)

    def finish(self) -> list[TokenSpan]:
        """Ends the stream. Returns the remaining tokens.

        Raises:
            AlignmentError: the stream ended before all of its targets were heard, or no path has a probability above
                0; the tokens told so far stay valid.
        """
        states = self._decoder.finish()
        spans = self._take(states)
        if self._open is not None:
            spans.append(self._close())
        if not self._decoder.complete and len(self._targets):
            raise AlignmentError(
                f"the stream ended before its targets did: {self._told} of {len(self._targets)} were heard; give more "
                "audio, or targets that belong to it"
            )
        return spans

    def _take(self, states: Tensor) -> list[TokenSpan]:
        """The tokens that end with newly decided states."""
        if not len(states):
            return []
        first = self.final_frames - len(states)
        waiting = torch.cat(self._waiting)
        self._waiting = [waiting[len(states) :].clone()]
        columns = self._places[states.clamp(min=0)].to(waiting.device)
        along = waiting[: len(states)].gather(1, columns.unsqueeze(1))[:, 0].double().tolist()
        spans: list[TokenSpan] = []
        for frame, (state, score) in enumerate(zip(states.tolist(), along, strict=True), start=first):
            token = state // 2 if state >= 0 and state % 2 else None
            if self._open is not None and self._open.index != token:
                spans.append(self._close())
            if token is not None:
                self._open = self._open or _Open(token, frame)
                self._open.frames += 1
                self._open.total += score
        return spans

    def _close(self) -> TokenSpan:
        assert self._open is not None
        ended, self._open = self._open, None
        self._told += 1
        label = int(self._targets[ended.index])
        return TokenSpan(label, ended.start, ended.start + ended.frames, ended.total / ended.frames)
