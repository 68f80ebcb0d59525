"""Whether an operation's result is right, by ``streamhmm.reference``: for arguments that nobody chose with care."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from cases import NEVER
from oracle import rescore
from torch import Tensor

from streamhmm import reference
from streamhmm.reference import Arcs

MOST_FRAMES = 100  # in a batch; the reference is slow
LARGEST = 1e5  # beyond, rounding decides


class Sequences(NamedTuple):
    """A call's scores as the reference takes them, one sequence after the other, and whether it has a batch axis."""

    scores: list[Tensor]  # (T, V) each, float64
    arcs: list[Arcs]
    frames: int
    batched: bool
    single: bool


def sequences(scores: Tensor, arcs: Sequence[Arcs], lengths: Any) -> Sequences | None:
    """None where comparing would take too long, or make no sense: no numbers at all, or too large ones."""
    if scores.is_meta:
        return None
    single = scores.dtype != torch.float64
    batched = scores.dim() == 3
    batch = scores.detach() if batched else scores.detach().unsqueeze(0)
    if batch.shape[0] * batch.shape[1] > MOST_FRAMES:
        return None
    sizes = [batch.shape[1]] * len(batch) if lengths is None else torch.as_tensor(lengths).reshape(-1).tolist()
    kept = [sequence[:size].double() for sequence, size in zip(batch, sizes, strict=True)]
    each = list(arcs) if len(arcs) == len(kept) else list(arcs) * len(kept)
    each = [_rounded(one, torch.float32 if single else torch.float64) for one in each]
    numbers = [values for one in each for values in (one.weight, one.initial, one.final)]
    numbers += [sequence[:, one.pdfs.long()].flatten() for sequence, one in zip(kept, each, strict=True)]
    if any(bool((values.abs() > LARGEST).logical_and(values.abs() < float("inf")).any()) for values in numbers):
        return None
    return Sequences(kept, each, batch.shape[1], batched, single)


def _rounded(arcs: Arcs, dtype: torch.dtype) -> Arcs:
    """Weights as the engine has them, in float64."""
    weight, initial, final = (values.detach().to(dtype).double() for values in (arcs.weight, arcs.initial, arcs.final))
    size = arcs.num_states
    initial, final = initial.expand(size), final.expand(size)
    return arcs._replace(weight=weight.expand(len(arcs.src)), initial=initial, final=final, pdfs=arcs.pdfs.long())


def check_viterbi(path: Any, given: Sequences) -> None:
    states, score = _with_batch(given, path.states, path.score)
    assert states.shape == (len(given.scores), given.frames)
    for scores, arcs, row, total in zip(given.scores, given.arcs, states, score.tolist(), strict=True):
        expected = reference.viterbi(scores, arcs)
        assert row[len(scores) :].tolist() == [-1] * (given.frames - len(scores))
        if expected.score == NEVER:
            assert (row.tolist(), total) == ([-1] * given.frames, NEVER)
            continue
        tolerance = (1e-5 if given.single else 1e-9) * (1 + len(scores)) * max(1.0, abs(expected.score))
        assert abs(rescore(scores, arcs, row[: len(scores)]) - expected.score) <= tolerance
        assert abs(total - expected.score) <= tolerance


def check_log_likelihood(result: Tensor, given: Sequences) -> None:
    (totals,) = _with_batch(given, result)
    for scores, arcs, total in zip(given.scores, given.arcs, totals.tolist(), strict=True):
        expected = reference.log_likelihood(scores, arcs)
        tolerance = (1e-4 if given.single else 1e-9) * max(1.0, abs(expected))
        assert total == expected or abs(total - expected) <= tolerance


def check_posteriors(result: Tensor, given: Sequences) -> None:
    _check_shares(result, given, reference.posteriors)


def check_pdf_posteriors(result: Tensor, given: Sequences) -> None:
    _check_shares(result, given, reference.pdf_posteriors)


def _check_shares(result: Tensor, given: Sequences, expected: Callable[[Tensor, Arcs], Tensor]) -> None:
    (shares,) = _with_batch(given, result)
    for scores, arcs, share in zip(given.scores, given.arcs, shares, strict=True):
        wanted = expected(scores, arcs)
        found = share[: len(scores), : wanted.shape[1]]
        tolerance = 1e-6 if not given.single else 1e-2 if share.dtype == torch.bfloat16 else 1e-3
        assert bool(((found - wanted).abs() <= tolerance).all())
        assert int(share.count_nonzero()) == int(found.count_nonzero())  # nothing but zeros beside it


def _with_batch(given: Sequences, *results: Tensor) -> Iterator[Tensor]:
    return (result if given.batched else result.unsqueeze(0) for result in results)
