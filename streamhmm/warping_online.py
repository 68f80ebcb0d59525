"""Online dynamic time warping: follow a live stream along a reference. The recursion stands in csrc/dtw_follower.h."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.warping_checks import (
    check_count,
    check_kind,
    check_metric,
    check_pattern,
    check_values,
    ready,
    real_dtype,
)


class Followed(NamedTuple):
    """Where each of n pushed frames is: ``position`` (n,) int64, the frame of the reference that it matches, and
    ``cost`` (n,) float64, the accumulated cost of the best path to there a pushed frame."""

    position: Tensor
    cost: Tensor


class OnlineDTW:
    """Follows a live feature stream along a reference, frame by frame.

    For every frame one row of the DTW recursion is computed over a window of the reference around the last position;
    the new position is where the best path through all that was heard so far ends (open-end DTW: Tormene et al., Artif.
    Intell. Med. 45, 2009; a window that moves with the position: Dixon, "Live tracking of musical performances using
    on-line time warping", DAFx 2005). Memory is that of the reference, whatever the length of the stream. With no
    window the position after n frames is the end of ``dtw(stream[:n], reference, step=step, open_end=True)``. Positions
    may step back when later frames speak for it.

    >>> import streamhmm as sh, torch
    >>> reference = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> follower = sh.OnlineDTW(reference)
    >>> follower.push(torch.tensor([[0.0], [0.0], [1.0]])).position.tolist()
    [0, 0, 1]
    >>> follower.push(torch.tensor([[2.0], [3.0]])).position.tolist()
    [2, 3]
    >>> follower.finish()
    0.0

    It runs on the CPU: a frame takes microseconds, and has to wait for the one before.

    Args:
        reference: features (M, D) on the CPU, M and D at least 1; float16, bfloat16, float32 or float64. Copied.
        metric: as in :func:`dtw`.
        step: as in :func:`dtw`. "asymmetric" follows up to twice the reference's speed, and any slower one;
            "symmetric2" and "symmetric1" follow any speed.
        window: frames of the reference to either side of the position in which the next frame is sought, at least 1;
            None: all of it, every frame. What lies outside is forgotten: a stream that leaves the window is lost.
        open_begin: the stream may start anywhere in the reference, which the first frame then searches as a whole.

    Ties go to the lowest frame of the reference. Use from any thread, one call at a time; others wait.

    Raises:
        ValueError, TypeError: for arguments that are not as said, features that are NaN, infinite or too large.
    """

    def __init__(
        self,
        reference: Tensor,
        *,
        metric: str = "euclidean",
        step: str = "asymmetric",
        window: int | None = None,
        open_begin: bool = False,
    ) -> None:
        _check_frames(reference, "reference", "M", None)
        if reference.numel() == 0:
            raise ValueError(
                f"reference must have at least one frame of one dimension, got shape {tuple(reference.shape)}"
            )
        self._dtype, self._dims = real_dtype(reference.dtype), reference.shape[1]
        frames = ready(reference, self._dtype).contiguous()
        check_values(frames[None], "reference", None, False)
        self._follower = _C.DtwFollower(
            frames=frames.data_ptr(),
            is_double=self._dtype == torch.float64,
            size=len(frames),
            dims=self._dims,
            metric=check_metric(metric),
            pattern=check_pattern(step),
            window=len(frames) if window is None else min(check_count(window, "window", 1), len(frames)),
            open_begin=open_begin,
        )
        self._lock = Lock()
        self._heard = 0
        self._position: int | None = None
        self._finished = False

    @property
    def position(self) -> int | None:
        """The frame of the reference that the newest frame matches; None before the first."""
        return self._position

    def push(self, features: Tensor) -> Followed:
        """Takes the next frames of the stream, (n, D), n from 0; how they are cut into chunks changes nothing.

        Raises:
            ValueError, TypeError: for features that are not as said, which leave the state as it was; after
                :meth:`finish`.
        """
        _check_frames(features, "features", "n", self._dims)
        frames = ready(features, self._dtype).contiguous()
        check_values(frames[None], "features", None, False)
        position = torch.empty(len(frames), dtype=torch.int64)
        cost = torch.empty(len(frames), dtype=torch.float64)
        with self._lock:
            if self._finished:
                raise ValueError("push must come before finish")
            _C.dtw_push(self._follower, frames.data_ptr(), len(frames), position.data_ptr(), cost.data_ptr())
            cost /= torch.arange(self._heard + 1, self._heard + len(frames) + 1)
            self._heard += len(frames)
            if len(frames) > 0:
                self._position = int(position[-1])
        return Followed(position, cost)

    def finish(self) -> float:
        """Ends the stream. Returns the distance of all of it to the whole reference; +inf if the end of the reference
        was never in reach, or nothing was pushed. May be called again."""
        with self._lock:
            self._finished = True
            return _C.dtw_distance(self._follower)


def _check_frames(features: Tensor, name: str, size: str, dims: int | None) -> None:
    wanted = f"({size}, {'D' if dims is None else dims})"
    if not isinstance(features, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(features).__name__}")
    if features.dim() != 2 or (dims is not None and features.shape[1] != dims):
        raise ValueError(f"{name} must be {wanted}, got shape {tuple(features.shape)}")
    check_kind(features, name, ("cpu",))
