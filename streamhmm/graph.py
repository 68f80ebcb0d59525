"""Graphs: which state may follow which, at what weight, and what each state emits.

A graph has states, arcs with log-weights, and for each state the column of the score matrix that it emits (``pdf``).
The constructors look at the arcs' ends, never at their weights, and find the kernel family that fits. Weights stay the
user's own tensors, so gradients reach them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import is_

import torch
from torch import Tensor

from streamhmm.kept import Kept, may_keep
from streamhmm.packing import (
    NEVER,
    Piece,
    Weights,
    barred_but,
    index_tensor,
    make_matrix,
    make_piece,
    pack_structure,
    pdf_tensor,
    state_pdfs,
    state_tensor,
    tracing,
)

FIRST, FIRST_TWO, LAST, LAST_TWO = slice(1), slice(2), slice(-1, None), slice(-2, None)
CPU = torch.device("cpu")
BAND = 3  # a linear graph's arcs go 0, 1 or 2 states ahead
MOST_DENSE_STATES = 2048  # beyond, a matrix outgrows the caches
DENSE_CELLS_AN_ARC = 24  # cells of a matrix that take as long as one arc of a list
MOST_EXTRAS_INTO_STATE = 250  # sixteen states share a list as long as the longest among them


@dataclass(eq=False)
class Graph:
    """States and arcs for :func:`streamhmm.viterbi` and its neighbours; made by the static methods below.

    ``num_states``, ``num_arcs`` and ``family`` (the kernel family that runs: "linear", "dense" or "sparse") tell what
    it is; ``pdfs`` (S,) int64 is the score column of each state.
    """

    family: str
    num_states: int
    num_arcs: int
    pdfs: Tensor  # (S,) int64
    record: tuple[int, int, int]  # states, listed arcs, detail: csrc/graph.h
    body: Tensor  # int32, csrc/graph.h
    pieces: tuple[Piece, ...]
    num_pdfs: int = field(init=False)  # score columns that it needs: its highest pdf, plus one; 0 if made while tracing
    _cache: dict[tuple[torch.dtype, torch.device], tuple[list[int], Kept]] = field(default_factory=dict, repr=False)
    _structure: Tensor | None = field(default=None, repr=False)
    _batch: tuple[tuple[Graph, ...], Tensor] | None = field(default=None, repr=False)
    _batch_weights: tuple[list[Tensor], Kept] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.num_pdfs = 0 if tracing() else int(self.pdfs.max()) + 1

    @staticmethod
    def linear(
        pdfs: Sequence[int] | Tensor,
        *,
        self_loop: Weights = 0.0,
        advance: Weights = 0.0,
        skip: Weights | None = None,
        initial: Weights | None = None,
        final: Weights | None = None,
    ) -> Graph:
        """A left-to-right graph: each state repeats itself, goes to the next one and, with ``skip``, to the one after.

        Args:
            pdfs: (S,) score column of each state.
            self_loop, advance, skip: log-weight of s→s, s→s+1, s→s+2: one number or (S,), by source state. Weights of
                arcs that would leave the graph are ignored.
            initial, final: (S,) log-weights; by default it starts in the first state and ends in the last.

        Raises:
            ValueError: for shapes and values that are not as said.
        """
        columns = pdf_tensor(pdfs)
        states = len(columns)
        band = [make_piece(self_loop, states, "self_loop"), make_piece(advance, states, "advance")]
        if skip is not None:
            band.append(make_piece(skip, states, "skip"))
        ends = [
            barred_but(states, FIRST, "initial") if initial is None else make_piece(initial, states, "initial"),
            barred_but(states, LAST, "final") if final is None else make_piece(final, states, "final"),
        ]
        return _linear(columns, band, ends)

    @staticmethod
    def ctc(labels: Sequence[int] | Tensor, blank: int = 0) -> Graph:
        """The CTC topology of a label sequence (Graves et al. 2006): blank, label, blank, … label, blank.

        2·L + 1 states; every arc weighs 0; the blank between two labels may be passed over unless they are equal.

        Args:
            labels: (L,) score columns; may be empty.
            blank: the score column of the blank; no label may equal it.
        """
        sequence = index_tensor(labels, "labels", allow_empty=True)
        if blank < 0:
            raise ValueError(f"blank must be a column index of at least 0, got {blank}")
        if bool((sequence == blank).any()):
            raise ValueError(
                f"labels must not contain the blank ({blank}), got it at {int((sequence == blank).nonzero()[0])}"
            )
        states = 2 * len(sequence) + 1
        pdfs = torch.full((states,), blank, dtype=torch.int64)
        pdfs[1::2] = sequence
        skip = torch.full((states,), NEVER, dtype=torch.float64)
        skip[1:-2:2] = torch.where(sequence[1:] != sequence[:-1], 0.0, NEVER)
        band = [make_piece(0.0, states, "self_loop"), make_piece(0.0, states, "advance")]
        band.append(Piece("skip", skip, states, settled=True))
        ends = [barred_but(states, FIRST_TWO, "initial"), barred_but(states, LAST_TWO, "final")]
        return _linear(pdfs, band, ends)

    @staticmethod
    def dense(
        transitions: Tensor | Sequence[Sequence[float]],
        initial: Weights | None = None,
        final: Weights | None = None,
        pdfs: Sequence[int] | Tensor | None = None,
    ) -> Graph:
        """Every state may follow every other one.

        Args:
            transitions: (S, S) log-weights, from the row's state to the column's; or (T, S, S), one matrix a step:
                slice t is the step from frame t−1 to t, and slice 0 is not used. T must be the frames of the scores,
                or more.
            initial, final: (S,) log-weights, or one number; 0 everywhere by default.
            pdfs: (S,) score column of each state; by default state s emits column s.

        Raises:
            ValueError: for shapes and values that are not as said.
        """
        matrix = make_matrix(transitions, "transitions")
        states = matrix.values.shape[-1]
        columns = state_pdfs(pdfs, states)
        ends = [
            make_piece(0.0 if initial is None else initial, states, "initial"),
            make_piece(0.0 if final is None else final, states, "final"),
        ]
        slices = matrix.values.shape[0] if matrix.values.dim() == 3 else 0
        record = (states, 0, slices)
        return Graph("dense", states, states * states, columns, record, columns.to(torch.int32), (matrix, *ends))

    @staticmethod
    def from_arcs(
        num_states: int,
        src: Sequence[int] | Tensor,
        dst: Sequence[int] | Tensor,
        weight: Weights,
        *,
        pdfs: Sequence[int] | Tensor | None = None,
        initial: Weights | None = None,
        final: Weights | None = None,
    ) -> Graph:
        """Any graph from its arcs.

        Parallel arcs add up: the largest counts in :func:`viterbi`, the log-sum elsewhere.

        Args:
            num_states: S, at least 1.
            src, dst: (A,) states that the arcs leave and enter.
            weight: one number or (A,) log-weights.
            pdfs: (S,) score column of each state; by default state s emits column s.
            initial, final: (S,) log-weights, or one number; 0 everywhere by default.

        Raises:
            ValueError: for shapes and values that are not as said.
        """
        if num_states < 1:
            raise ValueError(f"num_states must be at least 1, got {num_states}")
        columns = state_pdfs(pdfs, num_states)
        source = state_tensor(src, num_states, "src")
        target = state_tensor(dst, num_states, "dst")
        if len(source) != len(target):
            raise ValueError(f"src and dst must have the same length, got {len(source)} and {len(target)}")
        weights = make_piece(weight, len(source), "weight")
        ends = [
            make_piece(0.0 if initial is None else initial, num_states, "initial"),
            make_piece(0.0 if final is None else final, num_states, "final"),
        ]
        return _from_arcs(columns, source, target, weights, ends)

    def to(self, device: torch.device | str) -> Graph:
        """The same graph with its weights on ``device``; gradients still reach the original tensors."""
        pieces = tuple(piece.to(device) for piece in self.pieces)
        return Graph(self.family, self.num_states, self.num_arcs, self.pdfs, self.record, self.body, pieces)

    def packed_weights(self, dtype: torch.dtype, device: torch.device = CPU) -> Tensor:
        """All weights as one tensor on ``device`` in the order of csrc/graph.h; kept from call to call unless gradients
        flow."""
        if tracing():  # what is packed now belongs to the trace
            return self._pack(dtype, device)
        version = []
        for values in self._given:
            if values.requires_grad or values.is_inference():  # the latter tell of no changes
                return self._pack(dtype, device)
            version.append(values._version)
        kept = self._cache.get((dtype, device))
        if kept is not None and kept[0] == version:
            return kept[1].here()
        packed = self._pack(dtype, device)
        if may_keep(packed):
            self._cache[dtype, device] = (version, Kept(packed))
        return packed

    def _pack(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        with torch.inference_mode(False):
            packed = [piece.packed(dtype) for piece in self.pieces]
            if any(each.device != packed[0].device for each in packed):
                packed = [each.to(device, non_blocking=True) for each in packed]
            return torch.cat(packed).to(device, non_blocking=True)

    @property
    def num_slices(self) -> int | None:
        """Frames that its transitions are given for; None where they are the same in every frame."""
        return self.record[2] or None if self.family == "dense" else None

    @cached_property
    def _given(self) -> list[Tensor]:
        return [piece.values for piece in self.pieces if piece.given]

    @property
    def structure(self) -> Tensor:
        """The structure of a batch that shares this graph."""
        if self._structure is not None:
            return self._structure
        structure = pack_structure([self])
        if not tracing():
            self._structure = structure
        return structure

    @staticmethod
    def structure_of(graphs: Sequence[Graph]) -> Tensor:
        """The structure of a batch with a graph each; kept with the first until it leads another batch, as packing many
        graphs, and taking them to a GPU, takes longer than decoding."""
        if tracing():
            return pack_structure(graphs)
        first, others = graphs[0], tuple(graphs[1:])
        if first._batch is None or first._batch[0] != others:
            first._batch = (others, pack_structure(graphs))
        return first._batch[1]

    @staticmethod
    def weights_of(graphs: Sequence[Graph], dtype: torch.dtype, device: torch.device) -> Tensor:
        """The weights of such a batch, one graph's behind the other's; kept likewise, unless gradients flow."""
        packed = [graph.packed_weights(dtype, device) for graph in graphs]
        first = graphs[0]
        kept = first._batch_weights
        if kept is not None and len(kept[0]) == len(packed) and all(map(is_, kept[0], packed)):
            return kept[1].here()
        weights = torch.cat(packed)
        if not weights.requires_grad and not tracing() and may_keep(weights):
            first._batch_weights = (packed, Kept(weights))
        return weights

    def counts_of_arcs(self, packed: Tensor) -> Tensor:
        """Counts in packed order (…, num_weights) as the user gave the arcs: (…, A), or the matrices of ``dense``."""
        first = self.pieces[0]
        if first.places is not None:
            return packed[..., first.places]
        if self.family == "dense":
            return packed[..., : first.size].reshape(packed.shape[:-1] + first.values.shape)
        bands = [
            packed[..., step * self.num_states :][..., : max(self.num_states - step, 0)]
            for step in range(len(self.pieces) - 2)
        ]
        return torch.cat(bands, -1)

    @property
    def num_weights(self) -> int:
        """Length of the packed weights."""
        return sum(piece.size for piece in self.pieces)


def _linear(pdfs: Tensor, band: Sequence[Piece], ends: Sequence[Piece]) -> Graph:
    states = len(pdfs)
    arcs = sum(max(states - step, 0) for step in range(len(band)))
    record = (states, 0, int(len(band) == BAND))
    return Graph("linear", states, arcs, pdfs, record, pdfs.to(torch.int32), (*band, *ends))


def _from_arcs(pdfs: Tensor, source: Tensor, target: Tensor, weights: Piece, ends: Sequence[Piece]) -> Graph:
    states = len(pdfs)
    order = torch.argsort(target * states + source, stable=True)  # by target, then source, then as given
    source, target = source[order], target[order]
    step = target - source
    repeated = torch.zeros(len(source), dtype=torch.bool)
    repeated[1:] = (source[1:] == source[:-1]) & (target[1:] == target[:-1])
    extra = (step < 0) | (step >= BAND) | repeated
    if not _suits_linear(extra, target, states):
        if not bool(repeated.any()) and _suits_dense(len(source), states):
            return _dense(pdfs, source, target, order, weights, ends)
        return _sparse(pdfs, source, target, order, weights, ends)
    has_skip = int(bool((~extra & (step == BAND - 1)).any()))
    width = (BAND - 1 + has_skip) * states
    extras = int(extra.sum())
    places = torch.empty_like(order)
    places[order] = torch.where(extra, width + extra.cumsum(0) - 1, step * states + source)
    pieces = (_placed(weights, width + extras, places), *ends)
    body = torch.cat([pdfs, source[extra], target[extra]]).to(torch.int32)
    return Graph("linear", states, len(source), pdfs, (states, extras, has_skip), body, pieces)


def _sparse(
    pdfs: Tensor, source: Tensor, target: Tensor, order: Tensor, weights: Piece, ends: Sequence[Piece]
) -> Graph:
    states, arcs = len(pdfs), len(source)
    places = torch.empty_like(order)
    places[order] = torch.arange(arcs)
    begin = torch.zeros(states + 1, dtype=torch.int64)
    begin[1:] = torch.bincount(target, minlength=states).cumsum(0)
    body = torch.cat([pdfs, begin, source]).to(torch.int32)
    return Graph("sparse", states, arcs, pdfs, (states, arcs, 0), body, (_placed(weights, arcs, places), *ends))


def _dense(pdfs: Tensor, source: Tensor, target: Tensor, order: Tensor, weights: Piece, ends: Sequence[Piece]) -> Graph:
    states = len(pdfs)
    places = torch.empty_like(order)
    places[order] = source * states + target
    pieces = (_placed(weights, states * states, places), *ends)
    return Graph("dense", states, len(source), pdfs, (states, 0, 0), pdfs.to(torch.int32), pieces)


def _suits_dense(arcs: int, states: int) -> bool:
    """Whether all pairs in vectors beat the arcs one by one."""
    return states <= MOST_DENSE_STATES and arcs * DENSE_CELLS_AN_ARC > states * states


def _suits_linear(extra: Tensor, target: Tensor, states: int) -> bool:
    """Whether the vector kernel with a list of extra arcs beats going arc by arc."""
    if 2 * int(extra.sum()) > len(extra):
        return False
    return int(torch.bincount(target[extra], minlength=states).max()) <= MOST_EXTRAS_INTO_STATE


def _placed(weights: Piece, size: int, places: Tensor) -> Piece:
    values = weights.values.expand(weights.size)
    return replace(weights, values=values, size=size, places=places.to(values.device))
