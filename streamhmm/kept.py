"""Tensors kept from call to call, which may be made on one CUDA stream and read on another."""

from __future__ import annotations

import torch
from torch import Tensor


class Kept:
    """A tensor, and when it is there: who reads it on another stream waits, on the device, for what made it."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        if tensor.is_cuda:
            self._stream = torch.cuda.current_stream(tensor.device)
            self._made = self._stream.record_event()

    def here(self) -> Tensor:
        """The tensor, for the current stream."""
        if self._tensor.is_cuda:
            stream = torch.cuda.current_stream(self._tensor.device)
            if stream != self._stream:
                stream.wait_event(self._made)
                self._tensor.record_stream(stream)
        return self._tensor


def may_keep(tensor: Tensor) -> bool:
    """Not what is made while a CUDA graph is recorded: it holds nothing before that is replayed."""
    return not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())
