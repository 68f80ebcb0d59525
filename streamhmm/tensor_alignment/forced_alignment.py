"""CTC forced alignment under torchaudio's names, for any number of sequences at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.tensor_alignment.checks import check_labels, check_lengths, check_log_probs
from streamhmm.tensor_alignment.ctc_paths import best_paths, frames_needed, too_few


class ForcedAlignment(NamedTuple):
    """``alignments`` (B, T), the label of each frame, and ``scores`` (B, T), its log-probability there."""

    alignments: Tensor
    scores: Tensor


@dataclass(frozen=True)
class TokenSpan:
    """A token and the frames in which it is heard, ``start`` to ``end``, the end exclusive; ``score`` is the mean of
    its scores there. The length is the number of frames."""

    token: int
    start: int
    end: int
    score: float

    def __len__(self) -> int:
        return self.end - self.start


def forced_align(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    blank: int = 0,
) -> ForcedAlignment:
    """The best CTC path of each target sequence (Graves et al. 2006): a drop-in for
    ``torchaudio.functional.forced_align``.

    Arguments, results and their types are the same. Beyond it: any number of sequences, each with its lengths; inputs
    need not be contiguous; bfloat16; targets without any label, which give blanks.

    >>> import streamhmm as sh, torch
    >>> log_probs = torch.tensor([[[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]]]).log()
    >>> alignments, scores = sh.forced_align(log_probs, torch.tensor([[1, 2]]))
    >>> alignments.tolist()
    [[1, 0, 2]]
    >>> [(span.token, span.start, span.end) for span in sh.merge_tokens(alignments[0], scores[0].exp())]
    [(1, 0, 1), (2, 2, 3)]

    Args:
        log_probs: (B, T, C) log-probabilities, on the CPU or a CUDA device.
        targets: (B, L) int32 or int64 columns of them; what is behind a sequence's length may be anything.
        input_lengths: (B,) frames of each sequence; all by default.
        target_lengths: (B,) labels of each sequence; all by default.
        blank: the column of the blank, which no target may be.

    Returns:
        :class:`ForcedAlignment`, which unpacks like a tuple. ``alignments`` have the targets' type, ``scores`` that of
        ``log_probs``, with gradients to them. Past a sequence's length there are blanks and scores of 0. Where every
        path has a probability of 0 there are blanks and −inf. Of equally probable paths the one that comes later to
        each label is taken; torchaudio takes the earlier one.

    Raises:
        ValueError, TypeError: for arguments that are not as said (some of which are ``RuntimeError`` in torchaudio);
            log-probabilities that are NaN, on the CPU (on CUDA such a sequence has scores of NaN).
        AlignmentError: a sequence has fewer frames than its targets take, which is one each and one between equal ones;
            a ``RuntimeError`` too, as in torchaudio. :class:`~streamhmm.CTCAligner` gives the others their results.
    """
    check_log_probs(log_probs, blank)
    batch, frames, columns = log_probs.shape
    lengths = check_lengths(input_lengths, batch, frames, "input_lengths")
    labels = _labels(targets, target_lengths, batch)
    for sequence, row in enumerate(labels):
        check_labels(row, blank, sequence, columns)
        if frames_needed(row) > lengths[sequence]:
            raise too_few(row, lengths[sequence], f"sequence {sequence}: ")
    within = torch.tensor(lengths, device=log_probs.device)
    tokens, score = best_paths(log_probs, [Graph.ctc(row, blank) for row in labels], within)
    found = _labels_along(tokens, targets.to(log_probs.device), blank)
    scores = log_probs.gather(2, found.long().unsqueeze(2)).squeeze(2)
    scores = torch.where(score.isfinite().unsqueeze(1), scores, score.unsqueeze(1).to(scores.dtype))
    is_padding = torch.arange(frames, device=log_probs.device) >= within.unsqueeze(1)
    return ForcedAlignment(found, scores.masked_fill(is_padding, 0.0))


def merge_tokens(tokens: Tensor, scores: Tensor, blank: int = 0) -> list[TokenSpan]:
    """The tokens of one alignment, repeats merged and blanks left out: a drop-in for
    ``torchaudio.functional.merge_tokens``.

    Args:
        tokens, scores: (T,), a row of what :func:`forced_align` gives; scores may be probabilities.
        blank: the token that is none.

    Raises:
        ValueError: they are not 1-D, or differ in length.
    """
    if tokens.dim() != 1 or scores.dim() != 1:
        raise ValueError(f"tokens and scores must be (T,), got shapes {tuple(tokens.shape)} and {tuple(scores.shape)}")
    if len(tokens) != len(scores):
        raise ValueError(f"tokens and scores must be the same length, got {len(tokens)} and {len(scores)}")
    values, counts = tokens.cpu().unique_consecutive(return_counts=True)
    ends = counts.cumsum(0)
    runs = zip(values.tolist(), (ends - counts).tolist(), ends.tolist(), strict=True)
    here = scores.detach().cpu()
    return [TokenSpan(token, start, end, here[start:end].mean().item()) for token, start, end in runs if token != blank]


def _labels(targets: Tensor, target_lengths: Tensor | None, batch: int) -> list[Tensor]:
    """Each sequence's labels, on the CPU."""
    if not isinstance(targets, Tensor):
        raise TypeError(f"targets must be a torch.Tensor, got {type(targets).__name__}")
    if targets.dim() != 2 or len(targets) != batch:
        raise ValueError(f"targets must be ({batch}, L), a row a sequence, got shape {tuple(targets.shape)}")
    if targets.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"targets must be int32 or int64, got {targets.dtype}")
    sizes = check_lengths(target_lengths, batch, targets.shape[1], "target_lengths")
    rows = targets.cpu().long()
    return [row[:size] for row, size in zip(rows, sizes, strict=True)]


def _labels_along(tokens: Tensor, targets: Tensor, blank: int) -> Tensor:
    """(B, T) labels from (B, T) indices of the targets (B, L)."""
    if targets.shape[1] == 0:
        return torch.full_like(tokens, blank, dtype=targets.dtype)
    return torch.where(tokens >= 0, targets.gather(1, tokens.clamp(min=0)), blank)
