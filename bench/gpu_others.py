"""Rows of bench/gpu.py beyond the engine's bars: states with durations and time warping, beside our own CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from gpu_case import Peer, Row, Work
from gpu_dense import Dense
from gpu_device import Device
from torch import Tensor

import streamhmm as sh

SEGMENTS, DURATIONS = Dense(32, 1000, 40), 100
WARPED = (32, 1000, 13)  # pairs, frames of each, features
ON_CPU = "ours on the CPU"


def rows(device: Device) -> dict[str, Callable[[], Row]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    pairs, frames, features = WARPED
    size = f"{SEGMENTS}, D = {DURATIONS}"
    return {
        f"semi-Markov Viterbi {size}": partial(segments, SEGMENTS, DURATIONS, device, viterbi_score),
        f"semi-Markov log_likelihood {size}": partial(segments, SEGMENTS, DURATIONS, device, likelihood),
        f"DTW {pairs} pairs {frames}×{frames}, {features} features": partial(warping, *WARPED, device),
    }


def viterbi_score(scores: Tensor, graph: sh.Graph, durations: Tensor) -> Tensor:
    return sh.viterbi(scores, graph, durations=durations).score


def likelihood(scores: Tensor, graph: sh.Graph, durations: Tensor) -> Tensor:
    return sh.log_likelihood(scores, graph, durations=durations)


def segments(problem: Dense, longest: int, device: Device, operation: Callable[..., Tensor]) -> Row:
    scores, transitions = problem.scores(device), problem.transitions(device)
    transitions = transitions.fill_diagonal_(float("-inf")).log_softmax(-1)
    random = torch.Generator().manual_seed(longest)
    durations = torch.randn(problem.states, longest, generator=random).log_softmax(-1).to(device.torch)
    graph = sh.Graph.dense(transitions)
    on_cpu = [each.cpu() for each in (scores, transitions, durations)]
    graph_on_cpu = sh.Graph.dense(on_cpu[1])

    def theirs() -> Tensor:
        return operation(on_cpu[0], graph_on_cpu, on_cpu[2])

    peer = Peer(ON_CPU, theirs, value=theirs, tolerance=1e-6)
    ours = partial(operation, scores, graph, durations)
    return Row(ours, segments_work(problem, longest, operation is viterbi_score), peers=[peer], value=ours)


def segments_work(problem: Dense, longest: int, is_viterbi: bool) -> Work:
    """Durations tried and arcs followed, T·S·D + T·S² of each sequence."""
    cells = problem.batch * problem.frames * (problem.states * longest + problem.states**2)
    return Work(
        bytes=4 * problem.entries,
        add_max=cells if is_viterbi else 0,
        multiply_add=0 if is_viterbi else cells,
        steps=problem.frames - 1,
    )


def warping(pairs: int, frames: int, features: int, device: Device) -> Row:
    random = torch.Generator().manual_seed(features)
    on_cpu = [torch.randn(pairs, frames, features, generator=random) for _ in range(2)]
    there = [each.to(device.torch) for each in on_cpu]

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return sh.dtw(x, y, metric="sqeuclidean", step="symmetric1").distance

    def theirs() -> Tensor:
        return distance(*on_cpu)

    def ours() -> Tensor:
        return distance(*there)

    peer = Peer(ON_CPU, theirs, value=theirs, tolerance=1e-5)
    return Row(ours, warping_work(pairs, frames, features), peers=[peer], value=ours)


def warping_work(pairs: int, frames: int, features: int) -> Work:
    """Of each cell two minima and an addition, and the costs' multiply-adds; one anti-diagonal waits for another."""
    cells = pairs * frames**2
    return Work(
        bytes=2 * 4 * pairs * frames * features,
        add_max=1.5 * cells,
        multiply_add=features * cells,
        steps=2 * frames - 1,
    )
