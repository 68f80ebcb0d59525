"""Calls that tests/fuzz_operations.py tries beside those it compares with the reference: a callable and its arguments,
with nothing wrong. All that counts is that the changed ones return or are refused, and that these are accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from fuzz_inputs import chance, pick
from torch import Tensor

import streamhmm as sh
from streamhmm.packing import pack_structure

Call = tuple[Callable[..., Any], dict[str, Any]]


def _numbers(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape)).to(pick(rng, (torch.float32, torch.float64)))


def _with_graph(rng: np.random.Generator, graph: Any, arguments: dict[str, Any]) -> Call:
    """An operation on a graph that is made already; what is changed are the other arguments."""
    by = {"by": pick(rng, ("state", "pdf"))}
    operations: list[Call] = [
        (sh.viterbi, {"beam": pick(rng, (None, 0.5, 100.0))}),
        (sh.log_likelihood, {}),
        (sh.posteriors, by),
        (sh.filter, by),
        (sh.smooth, by | {"lag": int(rng.integers(0, 40))}),
        (sh.sample, {"num_samples": int(rng.integers(1, 4))}),
    ]
    if isinstance(graph, sh.Graph):  # those of several graphs have to be of one kind
        operations.append((sh.expected_counts, {"reduction": pick(rng, ("none", "sum"))}))
        operations.append((sh.forward_backward, {"reduction": pick(rng, ("none", "sum"))}))
    operation, more = pick(rng, operations)
    return lambda **changed: operation(graph=graph, **changed), arguments | more


def _constrained(rng: np.random.Generator, graphs: Sequence[sh.Graph], arguments: dict[str, Any]) -> Call:
    *batch, frames, _ = arguments["scores"].shape
    states = max((graph.num_states for graph in graphs), default=1)
    shape = (*batch, frames) if chance(rng, 0.5) else (frames,)
    allowed = torch.from_numpy(rng.random((*shape, states)) < 0.8) if chance(rng, 0.7) else None
    fixed = torch.full(shape, -1)
    return sh.viterbi, arguments | {"graph": graphs, "allowed": allowed, "fixed": fixed}


def _semi_markov(rng: np.random.Generator, graph: sh.Graph, arguments: dict[str, Any]) -> Call:
    durations = _numbers(rng, graph.num_states, int(rng.integers(1, 30)))
    operation = pick(rng, (sh.viterbi, sh.log_likelihood, sh.posteriors))
    return operation, arguments | {"graph": graph, "durations": durations}


def _varying(rng: np.random.Generator, arguments: dict[str, Any]) -> Call:
    *_, frames, columns = arguments["scores"].shape
    states = int(rng.integers(1, 20)) if chance(rng, 0.9) else 70
    transitions = _numbers(rng, max(frames, 1), states, states)
    graph = sh.Graph.dense(transitions, pdfs=rng.integers(0, columns, states))
    return _with_graph(rng, graph, arguments)


def _warping(rng: np.random.Generator) -> Call:
    x, y, size = (int(rng.integers(1, 40)) for _ in range(3))
    size = size % 4 + 1
    arguments: dict[str, Any] = {"step": "symmetric2", "open_begin": False, "open_end": chance(rng, 0.5)}
    if chance(rng, 0.3):
        arguments |= {"band": "sakoe_chiba", "radius": int(rng.integers(40, 60))}
    if chance(rng, 0.5):
        return sh.dtw_from_cost, arguments | {"cost": _numbers(rng, x, y)}
    metric = pick(rng, ("euclidean", "sqeuclidean", "cityblock", "cosine"))
    return sh.dtw, arguments | {"x": _numbers(rng, x, size), "y": _numbers(rng, y, size), "metric": metric}


def _follow(reference: Any, window: Any, pushes: Any, **rest: Any) -> Any:
    follower = sh.OnlineDTW(reference, window=window, **rest)
    for features in pushes:
        follower.push(features)
    return follower.position


def _following(rng: np.random.Generator) -> Call:
    dtype, size = pick(rng, (torch.float32, torch.float64)), int(rng.integers(1, 5))
    pushes = [_numbers(rng, int(rng.integers(0, 9)), size).to(dtype) for _ in range(3)]
    reference = _numbers(rng, int(rng.integers(1, 40)), size).to(dtype)
    window = pick(rng, (None, 8, 100))
    return _follow, {"reference": reference, "window": window, "pushes": pushes, "step": "asymmetric"}


def takes_days(arguments: dict[str, Any]) -> bool:
    """Rightly: counts of 2^33 sequences or more are added up, and take no memory that could be refused."""
    scores = arguments.get("scores")
    return isinstance(scores, Tensor) and scores.dim() > 0 and scores.shape[0] >= 2**33


def other_call(rng: np.random.Generator, graphs: list[sh.Graph], arguments: dict[str, Any]) -> Call:
    """``arguments``: scores, lengths and memory_budget of a good call whose graphs are these."""
    kinds: list[Callable[[], Call]] = [
        lambda: _with_graph(rng, graphs[0] if len(graphs) == 1 else graphs, arguments),
        lambda: _varying(rng, arguments),
        lambda: _warping(rng),
        lambda: _following(rng),
    ]
    if len(graphs) == 1:
        kinds.append(lambda: _semi_markov(rng, graphs[0], arguments))
    if arguments["scores"].dim() == 3 and len(graphs) == len(arguments["scores"]):
        kinds.append(lambda: _constrained(rng, graphs, arguments))
    call: Call = pick(rng, kinds)()
    return call


def raw_call(rng: np.random.Generator, graphs: list[sh.Graph], arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of an operation of ``torch.ops.streamhmm`` and its operands."""
    scores = arguments["scores"]
    states = max(graph.num_states for graph in graphs)
    whole = {
        "scores": scores,
        "lengths": arguments["lengths"],
        "structure": pack_structure(graphs),
        "weights": torch.cat([graph.packed_weights(scores.dtype) for graph in graphs]),
        "memory_budget": arguments["memory_budget"] or 0,
    }
    durations = torch.from_numpy(rng.normal(size=(states, int(rng.integers(1, 9)))))
    timed = {"scores": scores, "durations": durations} | whole
    batch, grad = scores.shape[:-2], torch.ones(scores.shape[:-2], dtype=torch.float64)
    allowed = torch.ones((*scores.shape[:-1], states), dtype=torch.bool)
    fixed = torch.full(scores.shape[:-1], -1)
    uniforms = torch.from_numpy(rng.random((2, *batch, scores.shape[-2])))
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("viterbi", whole | {"beam": pick(rng, (float("inf"), 10.0, -1.0, float("nan")))}),
        ("log_likelihood", whole),
        ("posteriors", whole | {"states": states}),
        ("gradients", {"grad": grad, **whole, "wants_weights": True}),
        ("constrained_viterbi", whole | {"allowed": allowed, "fixed": fixed}),
        ("expected_counts", whole | {"rows": 1}),
        ("forward_backward", whole | {"rows": 1}),
        ("smooth", whole | {"lag": 3, "end_counts": chance(rng, 0.5), "states": states}),
        ("sample", whole | {"uniforms": uniforms}),
        ("semi_markov_viterbi", timed),
        ("semi_markov_log_likelihood", timed),
        ("semi_markov_posteriors", timed | {"states": states}),
        ("semi_markov_gradients", {"grad": grad, **timed, "wants_weights": True, "wants_durations": True}),
    )
    name, operands = pick(rng, calls)
    return name, operands
