"""The log-likelihood of one long sequence with gradients, in the memory of a segment.

By Fisher's identity the gradient of log p(frames) is that of Σ posteriors · scores + Σ counts · log-weights with the
posteriors and counts held fixed (Cappé, Moulines & Rydén, Inference in Hidden Markov Models, 2005, section 10.1.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from streamhmm.models.chain import Chain, ChainCounts
from streamhmm.models.emission import Emission
from streamhmm.models.long_sequence import LongSequence
from streamhmm.models.sequences import Sequences


def long_log_prob(chain: Chain, emission: Emission, sequence: Sequences) -> Tensor:
    """(1,) float64, with gradients to the parameters and the frames, once."""
    parameters = [*chain.parameters(), *emission.parameters()]
    whole = LongSequence(chain, emission, sequence)
    result: Tensor = _LongLogProb.apply(whole, sequence.frames, *parameters)  # type: ignore[no-untyped-call]
    return result[None]


class _LongLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sequence: LongSequence, frames: Tensor, *parameters: Tensor) -> Tensor:
        result = sequence.log_prob()
        ctx.sequence, ctx.possible = sequence, bool(result > -torch.inf)
        ctx.save_for_backward(frames, *parameters)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        sequence: LongSequence = ctx.sequence
        frames, *parameters = ctx.saved_tensors
        slopes = [torch.zeros_like(each) if each.requires_grad else None for each in (frames, *parameters)]
        counts: ChainCounts | None = None
        for part in sequence.smoothed() if ctx.possible else ():
            inside = slice(part.first, part.last)
            own = frames[inside].detach().requires_grad_(frames.requires_grad)
            with torch.enable_grad():
                scores = sequence.emission.scores(own)
            found = _slopes(scores, [own, *parameters], (part.posteriors * slope).to(scores))
            _add([None if slopes[0] is None else slopes[0][inside], *slopes[1:]], found)
            counts = part.counts if counts is None else ChainCounts(*map(torch.add, counts, part.counts))
        if counts is not None:
            with torch.enable_grad():
                weights = sequence.chain.log_weight(counts)
            _add(slopes, [None, *_slopes(weights, parameters, slope.to(weights))])
        return None, *slopes


def _slopes(value: Tensor, inputs: list[Tensor], outer: Tensor) -> list[Tensor | None]:
    """d(outer · value)/d(input) for each input that wants it."""
    wanted = [each for each in inputs if each.requires_grad]
    if not value.requires_grad:
        return [None for _ in inputs]
    found = iter(torch.autograd.grad(value, wanted, outer, allow_unused=True))
    return [next(found) if each.requires_grad else None for each in inputs]


def _add(slopes: Sequence[Tensor | None], found: Sequence[Tensor | None]) -> None:
    for total, one in zip(slopes, found, strict=True):
        if total is not None and one is not None:
            total += one
