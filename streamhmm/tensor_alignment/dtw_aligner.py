"""DTW alignment of feature sequences: two recordings in, the times of one in the other out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from streamhmm.errors import AlignmentError
from streamhmm.tensor_alignment.checks import check_lengths, check_times
from streamhmm.tensor_alignment.dtw_alignment import DtwAlignment
from streamhmm.warping import dtw
from streamhmm.warping_checks import Lengths, check_metric, check_options

NO_FRAMES = "{reference} frames of the reference and {query} of the query: both must have one at least; give more audio"
NO_PATH = (
    "no path fits {reference} frames of the reference and {query} of the query; widen the band, take the step pattern "
    '"symmetric2", or check that they belong together'
)


class DTWAligner:
    """Carries times from a reference, whose boundaries are known, to a query that says the same, by dynamic time
    warping of their features (:func:`streamhmm.dtw`).

    >>> import streamhmm as sh, torch
    >>> reference = torch.tensor([[0.0], [0.0], [5.0], [5.0]])
    >>> query = torch.tensor([[0.0], [5.0], [5.0], [5.0]])
    >>> alignment = sh.DTWAligner(frame_s=0.01).align(reference, query)
    >>> words = alignment.transfer([sh.Segment("a", 0.0, 0.02), sh.Segment("b", 0.02, 0.04)])
    >>> [(word.label, word.start, word.end) for word in words]
    [('a', 0.0, 0.01), ('b', 0.01, 0.04)]

    Features of 16 kHz audio: :func:`streamhmm.acoustic.features.mfcc`. For speech in another voice
    (bench/aligners.py) 20 cepstra with their mean over the recording taken off, and ``step="symmetric1"``, did best.

    Args:
        metric, step, band, radius, slope: as in :func:`streamhmm.dtw`.
        open_begin, open_end: the reference may begin or end anywhere in the query, which may be a longer recording.
        frame_s: seconds from frame to frame, of both; None: times are counted in frames.

    Raises:
        ValueError, TypeError: for options that are not as said.
    """

    def __init__(
        self,
        metric: str = "euclidean",
        *,
        step: str = "symmetric2",
        band: str | None = None,
        radius: int | None = None,
        slope: float | None = None,
        open_begin: bool = False,
        open_end: bool = False,
        frame_s: float | None = None,
    ) -> None:
        check_metric(metric)
        check_options(step, band, radius, slope, None)
        check_times(frame_s)
        self.metric, self.step = metric, step
        self.band, self.radius, self.slope = band, radius, slope
        self.open_begin, self.open_end = open_begin, open_end
        self.frame_s = frame_s

    def align(self, reference: Tensor, query: Tensor) -> DtwAlignment:
        """Align the features of a reference (N, D) and a query (M, D).

        Raises:
            AlignmentError: no path fits, because of the band or the step pattern, or as there are no frames.
            ValueError, TypeError: for features that are not as said, as in :func:`streamhmm.dtw`, whose x is the
                reference and y the query.
        """
        for features, name, shape in ((reference, "reference", "(N, D)"), (query, "query", "(M, D)")):
            _check_features(features, name, shape, 2, "; align_batch takes batches")
        found = self._warp(reference, query, [len(reference)], [len(query)])[0]
        if isinstance(found, AlignmentError):
            raise found
        return found

    def align_batch(
        self,
        references: Tensor,
        queries: Tensor,
        reference_lengths: Lengths = None,
        query_lengths: Lengths = None,
    ) -> list[DtwAlignment | AlignmentError]:
        """Align B pairs of features, (B, N, D) and (B, M, D). Of one that can't be aligned the error stands in its
        place.

        Args:
            reference_lengths, query_lengths: (B,) frames of each; all by default.

        Raises:
            ValueError, TypeError: for features and lengths that are not as said, as in :func:`streamhmm.dtw`, whose x
                are the references and y the queries.
        """
        for features, name, shape in ((references, "references", "(B, N, D)"), (queries, "queries", "(B, M, D)")):
            _check_features(features, name, shape, 3)
        rows = check_lengths(reference_lengths, len(references), references.shape[1], "reference_lengths")
        columns = check_lengths(query_lengths, len(queries), queries.shape[1], "query_lengths")
        return self._warp(references, queries, rows, columns)

    def _warp(
        self, references: Tensor, queries: Tensor, rows: Sequence[int], columns: Sequence[int]
    ) -> list[DtwAlignment | AlignmentError]:
        found = dtw(
            references,
            queries,
            metric=self.metric,
            step=self.step,
            band=self.band,
            radius=self.radius,
            slope=self.slope,
            open_begin=self.open_begin,
            open_end=self.open_end,
            x_lengths=rows,
            y_lengths=columns,
        )
        paths: Sequence[Tensor] = [found.path] if isinstance(found.path, Tensor) else found.path
        costs = zip(found.distance.reshape(-1).tolist(), found.normalized_distance.reshape(-1).tolist(), strict=True)
        return [
            DtwAlignment(path.cpu(), *cost, row, column, self.frame_s)
            if len(path)
            else AlignmentError((NO_PATH if row and column else NO_FRAMES).format(reference=row, query=column))
            for path, cost, row, column in zip(paths, costs, rows, columns, strict=True)
        ]


def _check_features(features: Tensor, name: str, shape: str, dims: int, hint: str = "") -> None:
    if not isinstance(features, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(features).__name__}")
    if features.dim() != dims:
        raise ValueError(f"{name} must be {shape}, got shape {tuple(features.shape)}{hint}")
