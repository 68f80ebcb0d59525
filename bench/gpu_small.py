"""Runs every operation of the engine once on small inputs on a GPU: what bench/gpu.sh has compute-sanitizer look at.

    compute-sanitizer --tool memcheck python bench/gpu_small.py

Two sizes of each family: some states, and more than a warp has lanes. Set PYTORCH_NO_CUDA_MEMORY_CACHING=1, so that
each tensor is an allocation of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import streamhmm as sh
from streamhmm.errors import BackendUnavailable

BATCH, FRAMES, COLUMNS = 3, 21, 7
LENGTHS = (FRAMES, FRAMES - 9, 0)
TEST_SIZES = (5, 70)
DTYPES = (torch.float32, torch.float64, torch.float16)


def main() -> int:
    if not torch.cuda.is_available():
        print("there is no GPU here", file=sys.stderr)
        return 2
    missing = run(torch.device("cuda"))
    torch.cuda.synchronize()
    print(f"ran; not on CUDA: {', '.join(missing) or 'nothing'}")
    return 0


def run(device: torch.device) -> list[str]:
    """Calls everything; returns the operations that the device has no kernels for."""
    missing: list[str] = []
    for name, call in calls(device):
        try:
            call()
        except (BackendUnavailable, NotImplementedError):
            if name not in missing:
                missing.append(name)
    return missing


def calls(device: torch.device) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The name of each operation, and a call."""
    lengths = torch.tensor(LENGTHS, device=device)
    for size in TEST_SIZES:
        for graph in graphs(size, device):
            for dtype in DTYPES:
                yield from _of_graph(random_scores(device).to(dtype), graph, lengths)
        yield "OnlineViterbi", lambda size=size: stream(size, device)
        yield from _with_durations(size, device)
    for several in ([sh.Graph.ctc([1, 2]), *graphs(6, device)[::3]], [dense(size, device) for size in (6, 1, 3)]):
        yield from _of_graph(random_scores(device), several, lengths)
    yield "dtw", lambda: sh.dtw(*(random_scores(device) for _ in range(2)))


def graphs(size: int, device: torch.device) -> list[sh.Graph]:
    """One of each family."""
    ring = torch.arange(size)
    hops = torch.cat([ring, ring, ring]), torch.cat([ring, (ring + 1) % size, (ring + size // 2) % size])
    pdfs = ring % COLUMNS
    return [
        sh.Graph.linear(pdfs),
        sh.Graph.ctc(1 + torch.arange(size // 2) % (COLUMNS - 1)),
        dense(size, device),
        sh.Graph.from_arcs(size, *hops, -1.0, pdfs=pdfs),
    ]


def dense(size: int, device: torch.device) -> sh.Graph:
    transitions = torch.randn(size, size, generator=torch.Generator().manual_seed(size)).log_softmax(-1)
    return sh.Graph.dense(transitions.to(device), pdfs=torch.arange(size) % COLUMNS)


def random_scores(device: torch.device) -> Tensor:
    """(B, T, V) float32."""
    return torch.randn(BATCH, FRAMES, COLUMNS, generator=torch.Generator().manual_seed(0)).to(device)


def _of_graph(scores: Tensor, graph: Any, lengths: Tensor) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "viterbi", lambda: sh.viterbi(scores, graph, lengths)
    yield "viterbi", lambda: sh.viterbi(scores, graph, lengths, memory_budget=500)
    yield "viterbi with a beam", lambda: sh.viterbi(scores, graph, lengths, beam=10.0)
    yield "log_likelihood", lambda: sh.log_likelihood(scores, graph, lengths)
    yield "gradients", lambda: slopes(scores, graph, lengths)
    yield "posteriors", lambda: sh.posteriors(scores, graph, lengths)
    yield "posteriors", lambda: sh.posteriors(scores, graph, lengths, by="pdf", memory_budget=500)
    yield "expected_counts", lambda: sh.expected_counts(scores, graph, lengths)
    yield "forward_backward", lambda: sh.forward_backward(scores, graph, lengths)
    yield "constrained_viterbi", lambda: sh.viterbi(scores, graph, lengths, fixed=[-1] * FRAMES)
    yield "filter", lambda: sh.filter(scores, graph, lengths)
    yield "smooth", lambda: sh.smooth(scores, graph, lengths, lag=3)
    yield "sample", lambda: sh.sample(scores, graph, lengths, num_samples=2)


def slopes(scores: Tensor, graph: Any, lengths: Tensor) -> Tensor:
    leaf = scores.clone().requires_grad_()
    return torch.autograd.grad(sh.log_likelihood(leaf, graph, lengths).sum(), leaf)[0]


def stream(size: int, device: torch.device) -> None:
    decoder = sh.OnlineViterbi([sh.Graph.linear(torch.arange(size) % COLUMNS) for _ in range(BATCH)], max_lag=5)
    for chunk in random_scores(device).split(8, 1):
        decoder.push(chunk)
    decoder.finish()


def _with_durations(size: int, device: torch.device) -> Iterator[tuple[str, Callable[[], Any]]]:
    scores, graph, durations = random_scores(device), dense(size, device), torch.zeros(size, 4, device=device)
    for name in ("viterbi", "log_likelihood", "posteriors"):
        operation = getattr(sh, name)
        yield f"semi-Markov {name}", lambda operation=operation: operation(scores, graph, durations=durations)


if __name__ == "__main__":
    sys.exit(main())
