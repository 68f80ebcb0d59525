"""What a stream asks of a chain."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from streamhmm.graph import Graph


class StreamChain(Protocol):
    """States that follow each other from frame to frame."""

    @property
    def n_states(self) -> int:
        """S."""

    @property
    def n_emissions(self) -> int:
        """How many different emissions the states have."""

    @property
    def pdfs(self) -> Tensor:
        """(S,) the emission of each state."""

    @property
    def ends_anywhere(self) -> bool:
        """A sequence may end in any state, and the more likely for none."""

    @property
    def initial(self) -> Tensor:
        """(S,) probabilities."""

    def step(self, probabilities: Tensor) -> Tensor:
        """(S,) probabilities of the states one frame later."""

    def graph(self, initial: Tensor | None = None, may_end_anywhere: bool = False) -> Graph:
        """The states with their score columns. ``initial``: (S,) logarithms in place of the chain's own."""


class Streamed(Protocol):
    """A model that has streams."""

    def stream_chain(self) -> StreamChain:
        """The chain as a stream steps through it."""
