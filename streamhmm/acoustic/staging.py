"""Memory that is filled on the host and read on the device, allocated once."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Staged:
    """An array that numpy fills, and the tensor that the device sees.

    On the CPU the two are one. On CUDA the array is pinned, and what was filled goes over on a stream of its own, which
    waits for earlier work with the tensor, as later work waits for it. The CUDA side was not run on hardware.

    Args:
        shape, dtype: of both.
        device: where it is read.
        copies: the CUDA stream that copies; None on the CPU.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, copies: Any = None) -> None:
        on_host = torch.zeros(shape, dtype=dtype, pin_memory=copies is not None)
        self._host: NDArray[Any] = on_host.numpy()
        self._from, self._copies = on_host, copies
        self._tensor = on_host if copies is None else torch.zeros(shape, dtype=dtype, device=device)
        self._copied: Any = None

    def refill(self) -> NDArray[Any]:
        """The array, when nothing reads it any more."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._host

    def upload(self, count: int) -> Tensor:
        """The first ``count`` rows on the device, as they were filled."""
        if self._copies is not None:
            work = torch.cuda.current_stream(self._tensor.device)
            self._copies.wait_stream(work)
            with torch.cuda.stream(self._copies):
                self._tensor[:count].copy_(self._from[:count], non_blocking=True)
            self._copied = self._copies.record_event()
            work.wait_stream(self._copies)
        return self._tensor[:count]


class Downloaded:
    """Memory on the host for what the device has computed; on the CPU that is read where it is."""

    def __init__(self, shape: tuple[int, ...], copies: Any = None) -> None:
        self._pinned = None if copies is None else torch.zeros(shape, pin_memory=True)

    def fetch(self, rows: Tensor) -> NDArray[Any]:
        """Values of ``rows`` as an array, once they have been computed; it lasts until the next call."""
        if self._pinned is None:
            return rows.numpy()
        target = self._pinned.view(-1)[: rows.numel()].view(rows.shape)
        target.copy_(rows, non_blocking=True)
        torch.cuda.current_stream(rows.device).synchronize()
        return target.numpy()
