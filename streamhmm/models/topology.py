"""Which states there are, which may follow which, and what each emits: a chain's shape before any probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Topology:
    """S states and what is possible between them.

    Attributes:
        allowed: (S, S) bool: [i, j] tells whether j may follow i.
        first, last: (S,) bool: where a sequence may begin and end.
        pdfs: (S,) int64: the emission of each state; several may share one.
        ties: (S, S) int64: transitions of equal number have equal probability; None: each is its own. Rows that share
            a number must share all of theirs.

    Raises:
        ValueError: for shapes that don't fit, and ties that no probabilities can keep.
    """

    allowed: Tensor
    first: Tensor
    last: Tensor
    pdfs: Tensor
    ties: Tensor | None = None

    def __post_init__(self) -> None:
        states = len(self.allowed)
        shapes = {"allowed": (states, states), "first": (states,), "last": (states,), "pdfs": (states,)}
        for name, shape in shapes.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} must have shape {shape}, got {found}")
        for name in ("first", "last"):
            if not bool(getattr(self, name).any()):
                raise ValueError(f"{name} must be true of a state at least, got none")
        if int(self.pdfs.min()) < 0:
            raise ValueError(f"pdfs must be at least 0, got {int(self.pdfs.min())}")
        if self.ties is not None:
            _check_ties(self.ties, self.allowed)

    @property
    def goes_forward(self) -> bool:
        """Emissions follow each other by number: none comes again once another has."""
        before, after = (self.pdfs[states] for states in self.allowed.nonzero(as_tuple=True))
        return bool((after >= before).all()) and bool((after > before).any())

    def same_as(self, other: Topology) -> bool:
        """Whether all is equal."""
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)

    def __repr__(self) -> str:
        arcs, tied = int(self.allowed.sum()), "" if self.ties is None else ", tied"
        return f"<Topology: {self.n_states} states, {self.n_emissions} emissions, {arcs} transitions{tied}>"

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.pdfs)

    @property
    def n_emissions(self) -> int:
        """How many different emissions the states have."""
        return int(self.pdfs.max()) + 1

    @staticmethod
    def ergodic(n_states: int) -> Topology:
        """Any state may follow any other one."""
        return Topology.of(torch.ones(n_states, n_states, dtype=torch.bool))

    @staticmethod
    def left_to_right(n_states: int, skip: int = 0) -> Topology:
        """From the first state to the last: each repeats itself or goes 1 … 1 + ``skip`` states ahead (Bakis)."""
        if skip < 0:
            raise ValueError(f"skip must be at least 0 states, got {skip}")
        ahead = torch.arange(n_states) - torch.arange(n_states)[:, None]
        ends = torch.arange(n_states) == 0, torch.arange(n_states) == n_states - 1
        return Topology.of((ahead >= 0) & (ahead <= 1 + skip), *ends)

    @staticmethod
    def of(
        allowed: Any, first: Any = None, last: Any = None, ties: Any = None, pdfs: Sequence[int] | Tensor | None = None
    ) -> Topology:
        """A user's own: anything that torch makes a tensor of; all states may be first and last unless told."""
        matrix = torch.as_tensor(allowed).bool()
        if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
            raise ValueError(f"allowed must be (S, S), got shape {tuple(matrix.shape)}")
        anywhere = torch.ones(len(matrix), dtype=torch.bool)
        return Topology(
            matrix,
            anywhere if first is None else torch.as_tensor(first).bool(),
            anywhere if last is None else torch.as_tensor(last).bool(),
            torch.arange(len(matrix)) if pdfs is None else torch.as_tensor(pdfs).to(torch.int64),
            None if ties is None else torch.as_tensor(ties).to(torch.int64),
        )

    def with_least_duration(self, frames: int) -> Topology:
        """Every state becomes a row of ``frames`` copies with its emission, passed through one by one.

        The last copy has the loop, if there is one, and what leads to other states.
        """
        if frames < 1:
            raise ValueError(f"frames must be at least 1, got {frames}")
        if self.ties is not None:
            raise ValueError("ties can't be kept where states get copies; tie the transitions of the result")
        states = self.n_states
        allowed = torch.zeros(states, frames, states, frames, dtype=torch.bool)
        others = self.allowed & ~torch.eye(states, dtype=torch.bool)
        allowed[:, -1, :, 0] = others
        here = torch.arange(states)
        allowed[here, -1, here, -1] |= self.allowed.diagonal()
        for copy in range(frames - 1):
            allowed[here, copy, here, copy + 1] = True
        begins, ends = torch.zeros(2, states, frames, dtype=torch.bool)
        begins[:, 0], ends[:, -1] = self.first, self.last
        size = states * frames
        return Topology(
            allowed.reshape(size, size), begins.flatten(), ends.flatten(), self.pdfs.repeat_interleave(frames)
        )


def _check_ties(ties: Tensor, allowed: Tensor) -> None:
    if ties.shape != allowed.shape:
        raise ValueError(f"ties must have shape {tuple(allowed.shape)}, got {tuple(ties.shape)}")
    rows = [sorted(ties[state][allowed[state]].tolist()) for state in range(len(allowed))]
    for state, row in enumerate(rows):
        for other, numbers in enumerate(rows[:state]):
            if row != numbers and set(row) & set(numbers):
                raise ValueError(f"rows {other} and {state} of ties share some of their numbers, but not all")
