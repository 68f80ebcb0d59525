"""CUDA operations for tests: on a GPU, or their kernels compiled for the CPU.

``STREAMHMM_CUDA_ON_HOST`` names the module that tests/native/build_host.py has left; without it, and without a GPU, a
test that asks for a device is skipped.
"""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from streamhmm import library, library_cuda, online, ops, warping
from streamhmm.library_cuda_dtw import warp_on_cuda
from streamhmm.online_checks import Chunks
from streamhmm.online_cuda import CudaStreams
from streamhmm.warping_batch import Warped

VARIABLE = "STREAMHMM_CUDA_ON_HOST"
NO_DEVICE = f"no GPU here, and {VARIABLE} does not name the kernels compiled for the CPU (tests/native/build_host.py)"
STAYS = "structure"  # where it is


def host_module() -> Any:
    """The kernels compiled for the CPU; None where they are not."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    spec = importlib.util.spec_from_file_location("cuda_on_host", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOST = host_module()
needs_host = pytest.mark.skipif(HOST is None, reason=f"{VARIABLE} names no kernels compiled for the CPU")
needs_device = pytest.mark.skipif(HOST is None and not torch.cuda.is_available(), reason=NO_DEVICE)


class OnDevice(TorchDispatchMode):
    """Calls streamhmm's operations with kernels for CUDA on ``device``, with copies there of tensors on the CPU."""

    def __init__(self, device: str, calls: Counter[str]) -> None:
        super().__init__()
        self.device = device
        self.calls = calls

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("streamhmm::")
        if func.namespace != "streamhmm" or name not in library_cuda.OPERATIONS:
            return func(*args, **(kwargs or {}))
        self.calls[name] += 1
        given = [
            value.to(self.device) if isinstance(value, Tensor) and argument.name != STAYS else value
            for argument, value in zip(func._schema.arguments, args, strict=True)
        ]
        return tree_map(lambda each: each.cpu(), library_cuda.OPERATIONS[name](*given))


class StreamsOnDevice(CudaStreams):
    """Streams on ``there`` that take scores on the CPU."""

    def __init__(self, there: str, calls: Counter[str], graphs: Any, dtype: Any, device: Any, options: Any) -> None:
        super().__init__(graphs, dtype, torch.device(there), options)
        self.device = device
        self.calls = calls

    def push(self, scores: Chunks) -> None:
        self.calls["online_push"] += 1
        super().push(tree_map(lambda each: each.to(self._device), scores))


def warp_on(device: str, calls: Counter[str]) -> Any:
    """What stands in for ``warp_on_cpu``."""

    def warp(x: Tensor, y: Tensor | None, *rest: Any) -> Warped:
        calls["dtw"] += 1
        found = warp_on_cuda(x.to(device), None if y is None else y.to(device), *rest)
        return Warped(*(each.cpu() for each in found))

    return warp


@contextmanager
def on_cuda(calls: Counter[str] | None = None) -> Iterator[None]:
    """Within it, operations on tensors of the CPU run their kernels for CUDA: the host's, if there are any."""
    device = "cuda" if HOST is None else "cpu"
    calls = Counter() if calls is None else calls
    with pytest.MonkeyPatch.context() as patch, OnDevice(device, calls):
        patch.setattr(warping, "warp_on_cpu", warp_on(device, calls))
        if HOST is not None:
            patch.setattr(library_cuda, "core", lambda: HOST)
        patch.setattr(online, "CpuStreams", partial(StreamsOnDevice, device, calls))
        patch.setattr(ops, "call_viterbi", library.VITERBI)
        patch.setattr(ops, "call_posteriors", library.POSTERIORS)
        yield


@contextmanager
def order(name: str, seed: int = 0) -> Iterator[None]:
    """The order in which the host runs threads and blocks: "FORWARD", "REVERSE" or "RANDOM"."""
    HOST.set_order(getattr(HOST.Order, name), seed)
    try:
        yield
    finally:
        HOST.set_order(HOST.Order.FORWARD)


@contextmanager
def card(**limits: int) -> Iterator[None]:
    """A card with other ``shared_bytes`` or ``multiprocessors``."""
    HOST.set_card(**limits)
    try:
        yield
    finally:
        HOST.set_card()
