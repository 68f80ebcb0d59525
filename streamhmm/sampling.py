"""Paths drawn from the posterior; the recursion stands in csrc/sample.h."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.arguments import GraphOrGraphs, Lengths, prepare
from streamhmm.library_sums import SAMPLE


def sample(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    num_samples: int = 1,
    *,
    generator: torch.Generator | None = None,
    memory_budget: int | None = None,
) -> Tensor:
    """Paths drawn from the posterior over paths, independently (forward filtering, backward sampling;
    Frühwirth-Schnatter 1994).

    A path comes with the probability exp(its score − log-likelihood), parallel arcs added up. Arguments and errors as
    in :func:`viterbi`.

    Args:
        num_samples: N, at least 1.
        generator: gives the B·N·T uniform numbers, on any device; torch's own of the scores' device by default. The
            same numbers give the same paths.

    Returns:
        States (B, N, T) int64, or (N, T) without a batch axis; −1 past the lengths and where no path fits.
    """
    if not isinstance(num_samples, int):
        raise TypeError(f"num_samples must be an integer, got {type(num_samples).__name__}")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    call = prepare(scores, graph, lengths, memory_budget)
    *batch, frames, _ = call.arguments[0].shape
    device = call.arguments[0].device
    drawn_on = device if generator is None else generator.device
    uniforms = torch.empty((*batch, num_samples, frames), dtype=torch.float64, device=drawn_on)
    uniforms = uniforms.uniform_(generator=generator).to(device, non_blocking=True)
    result: Tensor = SAMPLE(*call.constants, uniforms)
    return result
