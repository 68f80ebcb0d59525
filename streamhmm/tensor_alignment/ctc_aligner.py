"""CTC alignment of tensors: log-probabilities and labels in, tokens with their frames and times out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from streamhmm.errors import AlignmentError
from streamhmm.graph import Graph
from streamhmm.ops import posteriors as graph_posteriors
from streamhmm.tensor_alignment.checks import (
    check_blank,
    check_labels,
    check_lengths,
    check_log_probs,
    check_times,
    label_tensor,
)
from streamhmm.tensor_alignment.ctc_alignment import CtcAlignment
from streamhmm.tensor_alignment.ctc_paths import (
    CtcPaths,
    best_paths,
    frames_needed,
    too_few,
)
from streamhmm.tensor_alignment.ctc_stream import CtcStream
from streamhmm.tensor_alignment.forced_alignment import TokenSpan

Labels: TypeAlias = Sequence[int] | Tensor
UNLIKELY = "the targets have a probability of 0 in these frames; check that they belong together"


class CTCAligner:
    """Finds when each label of a sequence is heard in the output of a CTC network (Graves et al. 2006).

    >>> import streamhmm as sh, torch
    >>> log_probs = torch.tensor([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]).log()
    >>> alignment = sh.CTCAligner(frame_s=0.02).align(log_probs, [1, 2])
    >>> [(token.token, token.start, token.end) for token in alignment.tokens]
    [(1, 0, 1), (2, 2, 3)]
    >>> [(segment.label, segment.start, segment.end) for segment in alignment.segments(["-", "a", "b"])]
    [('a', 0.0, 0.03), ('b', 0.03, 0.07)]

    Args:
        blank: the column of the blank.
        frame_s: seconds from frame to frame, for times; None: frames only.
        offset_s: seconds at which the first frame begins.

    Log-probabilities may be of any floating type, on the CPU or a CUDA device.

    Raises:
        ValueError, TypeError: ``blank`` is no integer; ``frame_s`` is not above 0, or a time is not finite.
    """

    def __init__(self, blank: int = 0, *, frame_s: float | None = None, offset_s: float = 0.0) -> None:
        check_blank(blank)
        check_times(frame_s, offset_s)
        self.blank, self.frame_s, self.offset_s = blank, frame_s, offset_s

    def align(self, log_probs: Tensor, targets: Labels, *, posteriors: bool = False) -> CtcAlignment:
        """Align one sequence.

        Args:
            log_probs: (T, C) log-probabilities.
            targets: (L,) columns of them, none of them the blank; may be empty.
            posteriors: tell those of the targets, too.

        Raises:
            AlignmentError: there are fewer frames than the targets take, or no path has a probability above 0.
            ValueError, TypeError: for arguments that are not as said; log-probabilities that are NaN.
        """
        if isinstance(log_probs, Tensor):
            if log_probs.dim() != 2:
                shape = tuple(log_probs.shape)
                raise ValueError(f"log_probs must be (T, C), got shape {shape}; batches are for align_batch")
            log_probs = log_probs.unsqueeze(0)
        (found,) = self.align_batch(log_probs, [targets], posteriors=posteriors)
        if isinstance(found, AlignmentError):
            raise found
        return found

    def align_batch(
        self,
        log_probs: Tensor,
        targets: Sequence[Labels] | Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        target_lengths: Tensor | Sequence[int] | None = None,
        *,
        posteriors: bool = False,
    ) -> list[CtcAlignment | AlignmentError]:
        """Align several sequences at once. Of one that can't be aligned the error stands in its place.

        Args:
            log_probs: (B, T, C).
            targets: B sequences of labels, or (B, L) with ``target_lengths``.
            lengths: (B,) frames of each sequence; all by default.
            target_lengths: (B,) labels of each sequence of a tensor; all by default.
            posteriors: as in :meth:`align`.

        Raises:
            ValueError, TypeError: for arguments that are not as said; log-probabilities that are NaN.
        """
        check_log_probs(log_probs, self.blank)
        batch, most, columns = log_probs.shape
        frames = check_lengths(lengths, batch, most, "lengths")
        labels = _rows(targets, target_lengths, batch)
        for sequence, row in enumerate(labels):
            check_labels(row, self.blank, sequence, columns)
        if not batch:
            return []
        within = torch.tensor(frames, dtype=torch.int64)
        graphs = [Graph.ctc(row, self.blank) for row in labels]
        paths = best_paths(log_probs, graphs, within)
        scores = paths.score.tolist()
        tokens, along = paths.tokens.cpu(), _along(log_probs, paths, labels, self.blank)
        found: list[CtcAlignment | AlignmentError] = []
        for sequence, (row, size) in enumerate(zip(labels, frames, strict=True)):
            failure = _failure(row, size, scores[sequence], f"sequence {sequence}: " if batch > 1 else "")
            spans = _spans(tokens[sequence, :size], along[sequence, :size], row)
            found.append(failure or self._alignment(spans, scores[sequence], size))
        if posteriors:
            chances = graph_posteriors(log_probs.detach(), graphs, within)[..., 1::2]
            found = [
                replace(one, posteriors=chances[sequence, : one.frames, : len(one.tokens)])
                if isinstance(one, CtcAlignment)
                else one
                for sequence, one in enumerate(found)
            ]
        return found

    def stream(
        self,
        targets: Labels,
        *,
        max_lag: int | None = None,
        beam: float | None = None,
        certainty: float | None = None,
    ) -> CtcStream:
        """Align while log-probabilities come; the options are those of :class:`~streamhmm.OnlineViterbi`.

        With none of them the tokens are exactly those of :meth:`align`, most of them known at the end only.

        Raises:
            ValueError, TypeError: for arguments that are not as said.
        """
        row = label_tensor(targets).clone()  # the caller's own may change
        check_labels(row, self.blank, 0)
        return CtcStream(row, self.blank, max_lag=max_lag, beam=beam, certainty=certainty)

    def _alignment(self, spans: tuple[TokenSpan, ...], score: float, frames: int) -> CtcAlignment:
        if frames == 0:  # of which no path tells
            return CtcAlignment((), 0.0, 0, 0.0, self.frame_s, self.offset_s)
        heard = sum(map(len, spans))
        return CtcAlignment(spans, score, frames, (frames - heard) / frames, self.frame_s, self.offset_s)


def _failure(labels: Tensor, frames: int, score: float, sequence: str) -> AlignmentError | None:
    """Why a sequence has no alignment."""
    if frames_needed(labels) > frames:
        return too_few(labels, frames, sequence)
    if math.isnan(score):
        raise ValueError(f"{sequence}log_probs must be finite or -inf, got NaN or +inf")
    return AlignmentError(f"{sequence}{UNLIKELY}") if score == -math.inf and frames else None


def _rows(
    targets: Sequence[Labels] | Tensor, target_lengths: Tensor | Sequence[int] | None, batch: int
) -> list[Tensor]:
    if isinstance(targets, Tensor):
        if targets.dim() != 2:
            raise ValueError(f"targets must be ({batch}, L) or {batch} sequences, got shape {tuple(targets.shape)}")
        sizes = check_lengths(target_lengths, len(targets), targets.shape[1], "target_lengths")
        targets = [row[:size] for row, size in zip(targets.cpu(), sizes, strict=True)]
    elif target_lengths is not None:
        raise ValueError("target_lengths go with a tensor of targets")
    if len(targets) != batch:
        raise ValueError(f"targets must be {batch} sequences, as many as log_probs, got {len(targets)}")
    return [label_tensor(row) for row in targets]


def _along(log_probs: Tensor, paths: CtcPaths, labels: Sequence[Tensor], blank: int) -> Tensor:
    """(B, T) float64 on the CPU: the log-probability of what each path is in."""
    padded = torch.nn.utils.rnn.pad_sequence(list(labels), batch_first=True, padding_value=blank)
    padded = torch.nn.functional.pad(padded, (0, 1), value=blank).to(log_probs.device)
    columns = padded.gather(1, torch.where(paths.tokens >= 0, paths.tokens, padded.shape[1] - 1))
    return log_probs.detach().gather(2, columns.unsqueeze(2)).squeeze(2).double().cpu()


def _spans(tokens: Tensor, along: Tensor, labels: Tensor) -> tuple[TokenSpan, ...]:
    """The tokens of one path, from (T,) indices of its labels and (T,) scores."""
    heard = (tokens >= 0).nonzero()[:, 0]
    if not len(heard):
        return ()
    _, counts = tokens[heard].unique_consecutive(return_counts=True)
    ends = counts.cumsum(0)
    firsts = heard[ends - counts]
    sums = along.new_zeros(len(counts)).index_add(0, tokens[heard], along[heard])
    values = zip(labels.tolist(), firsts.tolist(), (firsts + counts).tolist(), (sums / counts).tolist(), strict=True)
    return tuple(TokenSpan(*value) for value in values)
