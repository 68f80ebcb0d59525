"""Graphs to try the engine on: arc lists written out by hand, random graphs, and Hypothesis strategies.

Nothing here looks at how ``streamhmm.graph`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

import streamhmm as sh
from streamhmm.reference import Arcs

NEVER = float("-inf")
FAMILIES = ("linear", "skip", "ctc", "extra", "sparse", "dense")


# ---- arc lists from the arguments of the constructors


def linear_arcs(
    pdfs: Any,
    *,
    self_loop: Any = 0.0,
    advance: Any = 0.0,
    skip: Any = None,
    initial: Any = None,
    final: Any = None,
) -> Arcs:
    """The arcs of ``Graph.linear``: s→s, s→s+1 and, if wanted, s→s+2, each weight found at its source state."""
    size = len(pdfs)
    steps = [self_loop, advance] if skip is None else [self_loop, advance, skip]
    arcs = []
    for step, weight in enumerate(steps):
        weight = torch.as_tensor(weight, dtype=torch.float64).expand(size)
        arcs += [(s, s + step, weight[s]) for s in range(size - step)]
    at_start = [0.0] + [NEVER] * (size - 1)
    at_end = [NEVER] * (size - 1) + [0.0]
    return _arc_list(size, arcs, pdfs, at_start if initial is None else initial, at_end if final is None else final)


def ctc_arcs(labels: Any, blank: int = 0) -> Arcs:
    """The arcs of ``Graph.ctc``: blank, label, blank, label, … blank; a label may follow another one directly."""
    pdfs = [blank]
    for label in labels:
        pdfs += [int(label), blank]
    size = len(pdfs)
    arcs = [(s, s, 0.0) for s in range(size)] + [(s, s + 1, 0.0) for s in range(size - 1)]
    arcs += [(s, s + 2, 0.0) for s in range(1, size - 2, 2) if pdfs[s] != pdfs[s + 2]]
    at_start = [0.0 if s < 2 else NEVER for s in range(size)]
    at_end = [0.0 if s >= size - 2 else NEVER for s in range(size)]
    return _arc_list(size, arcs, pdfs, at_start, at_end)


def dense_arcs(transitions: Any, initial: Any = None, final: Any = None, pdfs: Any = None) -> Arcs:
    """The arcs of ``Graph.dense`` with one matrix: from every state to every state, row by row."""
    size = len(transitions)
    src, dst = zip(*[(i, j) for i in range(size) for j in range(size)], strict=True)
    weight = torch.as_tensor(transitions, dtype=torch.float64).reshape(-1)
    return explicit_arcs(size, src, dst, weight, pdfs=pdfs, initial=initial, final=final)


def unrolled_arcs(transitions: Tensor, initial: Tensor, final: Tensor) -> Arcs:
    """``Graph.dense`` with (T, S, S) transitions as a graph of T·S states, t·S + s being state s in frame t."""
    frames, size, _ = transitions.shape
    src = torch.arange((frames - 1) * size).repeat_interleave(size)
    dst = (torch.arange(frames - 1).repeat_interleave(size * size) + 1) * size + torch.arange(size).repeat(
        len(src) // size
    )
    nowhere = torch.full(((frames - 1) * size,), NEVER, dtype=torch.float64)
    return explicit_arcs(
        frames * size,
        src,
        dst,
        transitions[1:].reshape(-1),
        pdfs=torch.arange(size).repeat(frames),
        initial=torch.cat([initial, nowhere]),
        final=torch.cat([nowhere, final]),
    )


def explicit_arcs(
    num_states: int, src: Any, dst: Any, weight: Any, *, pdfs: Any = None, initial: Any = None, final: Any = None
) -> Arcs:
    """The arcs of ``Graph.from_arcs``."""
    nowhere_barred = torch.zeros(num_states)
    return Arcs(
        num_states,
        torch.as_tensor(src, dtype=torch.int64),
        torch.as_tensor(dst, dtype=torch.int64),
        torch.as_tensor(weight, dtype=torch.float64),
        torch.arange(num_states) if pdfs is None else torch.as_tensor(pdfs),
        nowhere_barred if initial is None else torch.as_tensor(initial, dtype=torch.float64),
        nowhere_barred if final is None else torch.as_tensor(final, dtype=torch.float64),
    )


def _arc_list(size: int, arcs: list[tuple[int, int, Any]], pdfs: Any, initial: Any, final: Any) -> Arcs:
    src, dst, weight = (list(column) for column in zip(*arcs, strict=True))
    return explicit_arcs(size, src, dst, weight, pdfs=pdfs, initial=initial, final=final)


@dataclass(frozen=True)
class Case:
    """A call of one of Graph's constructors, as data: what the engine gets and what the oracle reads from it."""

    constructor: str
    arguments: dict[str, Any]

    def graph(self) -> sh.Graph:
        return getattr(sh.Graph, self.constructor)(**self.arguments)

    def arcs(self) -> Arcs:
        written_out = {"linear": linear_arcs, "ctc": ctc_arcs, "dense": dense_arcs, "from_arcs": explicit_arcs}
        return written_out[self.constructor](**self.arguments)

    def as_explicit(self, rng: np.random.Generator) -> Case:
        """The same graph through ``Graph.from_arcs``, its arcs shuffled."""
        arcs = self.arcs()
        order = torch.from_numpy(rng.permutation(len(arcs.src)))
        return explicit_case(arcs._replace(src=arcs.src[order], dst=arcs.dst[order], weight=arcs.weight[order]))


def explicit_case(arcs: Arcs) -> Case:
    return Case("from_arcs", arcs._asdict())


# ---- random graphs of any size


def long_enough(family: str, frames: int) -> int:
    """So many frames, or fewer for a dense graph: all its states are one step apart, and so many arcs slow the
    reference."""
    return min(frames, 70) if family == "dense" else frames


def random_scores(rng: np.random.Generator, *shape: int) -> Tensor:
    """Small integers in float64: sums are exact in every precision, and paths tie."""
    return torch.from_numpy(rng.integers(-3, 4, shape).astype(np.float64))


def random_durations(rng: np.random.Generator, states: int, longest: int, barred: float = 0.2) -> Tensor:
    """(S, D) small integers, a share of them −inf."""
    weights = rng.integers(-4, 1, (states, longest)).astype(np.float64)
    weights[rng.random((states, longest)) < barred] = NEVER
    return torch.from_numpy(weights)


def unlike_cases(rng: np.random.Generator, columns: int) -> list[Case]:
    """One graph of each family, no two of the same size, for a batch."""
    return [
        random_case(rng, family, size, columns) for family, size in zip(FAMILIES, (6, 17, 70, 9, 33, 21), strict=True)
    ]


def random_case(rng: np.random.Generator, family: str, size: int, columns: int) -> Case:
    """A graph of about ``size`` states over ``columns`` columns, its weights small integers, so that paths tie."""
    if family == "ctc":
        labels = rng.integers(1, max(columns, 2), size // 2)
        return Case("ctc", {"labels": labels.tolist()})
    pdfs = torch.from_numpy(rng.integers(0, columns, size))
    if family in ("linear", "skip"):
        steps = ["self_loop", "advance"] + ["skip"] * (family == "skip")
        return Case("linear", {"pdfs": pdfs} | {step: _weights(rng, size) for step in steps})
    if family == "dense":
        return Case("dense", {"transitions": _weights(rng, size * size).reshape(size, size), "pdfs": pdfs})
    if family == "extra":
        plain = linear_arcs(pdfs, self_loop=_weights(rng, size), advance=_weights(rng, size))
        return explicit_case(_with_arcs(rng, plain, 1 + size // 16))
    bare = Arcs(size, *torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0), pdfs, torch.zeros(size), torch.zeros(size))
    several = _with_arcs(rng, bare, 4 * size)
    twice = (torch.cat([values, values[:1]]) for values in (several.src, several.dst, several.weight))
    return explicit_case(several._replace(**dict(zip(("src", "dst", "weight"), twice, strict=True))))


def words_case(rng: np.random.Generator, size: int, columns: int, word: int = 40) -> Case:
    """A chain with skips in which every other word can be passed over, and no arc leads back."""
    band = [(i, i + step) for step in range(3) for i in range(size - step)]
    over = [(i, i + word + 1) for i in range(0, size - word - 1, 2 * word)]
    over += [(i, i + word - 3) for i in range(4, size - word, 2 * word)]  # of which some enter the same states
    over += [(i, i) for i in range(64, size, 128)]  # parallel to a stay
    src, dst = (list(ends) for ends in zip(*band, *over, strict=True))
    weight = torch.from_numpy(rng.integers(-3, 1, len(src)).astype(np.float64))
    pdfs = torch.from_numpy(rng.integers(0, columns, size))
    return explicit_case(explicit_arcs(size, src, dst, weight, pdfs=pdfs))


def _with_arcs(rng: np.random.Generator, arcs: Arcs, count: int) -> Arcs:
    """``arcs`` and ``count`` more between states drawn at random, parallel ones included."""
    src, dst = torch.from_numpy(rng.integers(0, arcs.num_states, (2, count)))
    weight = torch.cat([arcs.weight, _weights(rng, count)])
    return arcs._replace(src=torch.cat([arcs.src, src]), dst=torch.cat([arcs.dst, dst]), weight=weight)


def _weights(rng: np.random.Generator, size: int) -> Tensor:
    return torch.from_numpy(rng.integers(-3, 1, size).astype(np.float64))


# ---- Hypothesis: small graphs and scores

_values = st.one_of(st.integers(-3, 3), st.just(NEVER), st.sampled_from([-200, 200])).map(float)
_usual_values = st.integers(-3, 3).map(float)


def _vectors(size: int, values: st.SearchStrategy[float] = _values) -> st.SearchStrategy[Tensor]:
    return st.lists(values, min_size=size, max_size=size).map(lambda row: torch.tensor(row, dtype=torch.float64))


@st.composite
def small_cases(draw: st.DrawFn, columns: int = 3) -> Case:
    """A graph of at most 5 states from any family, with forbidden arcs, parallel arcs and states without arcs."""
    family = draw(st.sampled_from(FAMILIES))
    if family == "ctc":
        labels = draw(st.lists(st.integers(0, columns - 1), max_size=2))
        blank = draw(st.sampled_from([column for column in range(columns) if column not in labels]))
        return Case("ctc", {"labels": labels, "blank": blank})
    size = draw(st.integers(1, 5))
    arguments: dict[str, Any] = {"pdfs": draw(st.lists(st.integers(0, columns - 1), min_size=size, max_size=size))}
    for name in draw(st.sets(st.sampled_from(["initial", "final"]))):
        arguments[name] = draw(_vectors(size))
    if family in ("linear", "skip"):
        for name in ("self_loop", "advance", "skip")[: 2 + (family == "skip")]:
            arguments[name] = draw(st.one_of(_usual_values, _vectors(size)))
        return Case("linear", arguments)
    if family == "dense":
        rows = draw(st.lists(_vectors(size), min_size=size, max_size=size))
        return Case("dense", {"transitions": torch.stack(rows), **arguments})
    states = st.integers(0, size - 1)
    pairs = draw(st.lists(st.tuples(states, states), max_size=4 if family == "extra" else 10))
    if family == "extra":
        pairs += [(s, s + step) for step in (0, 1) for s in range(size - step)]
    pairs = draw(st.permutations(pairs))
    src, dst = [i for i, _ in pairs], [j for _, j in pairs]
    return Case(
        "from_arcs", {"num_states": size, "src": src, "dst": dst, "weight": draw(_vectors(len(pairs))), **arguments}
    )


@st.composite
def small_scores(draw: st.DrawFn, max_frames: int = 6, columns: int = 3) -> Tensor:
    """(T, columns) float64, T from 0: small integers that tie, plateaus, forbidden cells and cells 200 nats away."""
    frames = draw(st.integers(0, max_frames))
    if draw(st.booleans()):
        return draw(_vectors(columns, _usual_values)).expand(frames, columns)
    return draw(_vectors(frames * columns)).reshape(frames, columns)
