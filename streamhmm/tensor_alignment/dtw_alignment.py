"""What a DTW alignment tells: the warping path, and times carried along it both ways.

A path pairs frames; a time lies between frames. The boundary between the frames e − 1 and e of one recording is carried
to where the frames that e − 1 is paired with end and those of e begin, or to the middle of the two: they overlap by a
frame where both are paired with it, and are apart where a step leaves frames out. Times within a frame are carried in
proportion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.segment import Segment


@dataclass(frozen=True)
class DtwAlignment:
    """One reference along one query.

    Attributes:
        path: (K, 2) int64 on the CPU, the pairs (frame of the reference, frame of the query), in order.
        distance: the sum of the weighted costs along the path.
        normalized_distance: the same a frame, as in :class:`~streamhmm.WarpingPath`.
        reference_frames, query_frames: of the two.
        frame_s: seconds from frame to frame, of both; None: times are counted in frames.
    """

    path: Tensor = field(repr=False, compare=False)
    distance: float
    normalized_distance: float
    reference_frames: int
    query_frames: int
    frame_s: float | None = None

    def to_query(self, times: float | Sequence[float] | Tensor) -> Tensor:
        """When the query says what the reference says at ``times``.

        Args:
            times: (N,) seconds, or frames without ``frame_s``; what lies outside the reference is taken for its ends.

        Returns:
            (N,) float64 on the CPU, ascending if ``times`` are; of a single time (), a single one.
        """
        return self._carried(times, *self._edges)

    def to_reference(self, times: float | Sequence[float] | Tensor) -> Tensor:
        """When the reference says what the query says at ``times``; the other direction of :meth:`to_query`.

        Times outside of what the path covers, with ``open_begin`` or ``open_end``, are taken for its ends.
        """
        return self._carried(times, *self._query_edges)

    def transfer(self, segments: Iterable[Segment]) -> tuple[Segment, ...]:
        """The reference's segments, with their times in the query; spreads are left out.

        Raises:
            ValueError: the aligner was made without ``frame_s``.
        """
        if self.frame_s is None:
            raise ValueError("times in seconds need DTWAligner(frame_s=…)")
        given = list(segments)
        times = self.to_query([time for segment in given for time in (segment.start, segment.end)])
        return tuple(
            replace(segment, start=start, end=end, start_sd=None, end_sd=None)
            for segment, (start, end) in zip(given, times.reshape(-1, 2).tolist(), strict=True)
        )

    @cached_property
    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _edges(self.path[:, 0], self.path[:, 1])

    @cached_property
    def _query_edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _edges(self.path[:, 1], self.path[:, 0])

    def _carried(
        self, times: float | Sequence[float] | Tensor, edges: NDArray[np.float64], carried: NDArray[np.float64]
    ) -> Tensor:
        unit = self.frame_s or 1.0
        given = torch.as_tensor(times, dtype=torch.float64).detach().cpu().numpy()
        return torch.as_tensor(np.interp(given / unit, edges, carried) * unit)


def _edges(frames: Tensor, others: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boundaries of the frames on the path, and where they are carried to among the ``others``."""
    found, counts = frames.unique_consecutive(return_counts=True)
    last = counts.cumsum(0) - 1
    begins, ends = others[last + 1 - counts].double(), others[last].double() + 1
    edges = torch.cat([found[:1], (found[:-1] + 1 + found[1:]) / 2, found[-1:] + 1])
    carried = torch.cat([begins[:1], (ends[:-1] + begins[1:]) / 2, ends[-1:]])
    return edges.double().numpy(), carried.numpy()
