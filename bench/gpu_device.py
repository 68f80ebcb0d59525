"""The device that bench/gpu.py measures, its clock, and what it can do at best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from measure import median

from streamhmm import library_cuda

SHORTEST_S = 0.01  # one measurement lasts at least as long, by repeated calls
MOST_CALLS = 1000
GIB = 1 << 30


class Device:
    """Where tensors lie, and how long calls take there.

    On a GPU times are CUDA events'. "cpu" is for the tests, which have the kernels compiled for the CPU; its times mean
    nothing.
    """

    def __init__(self, name: str = "cuda") -> None:
        self.torch = torch.device(name)
        self.is_gpu = self.torch.type == "cuda"

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name(self.torch) if self.is_gpu else "kernels on the CPU"

    @property
    def index(self) -> int:
        return (self.torch.index or 0) if self.is_gpu else 0

    @property
    def stream(self) -> int:
        return int(torch.cuda.current_stream(self.torch).cuda_stream) if self.is_gpu else 0

    def wait(self) -> None:
        """Until everything that was launched has ended."""
        if self.is_gpu:
            torch.cuda.synchronize(self.torch)

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        """Mean time of ``calls`` calls in a row, none of which is waited for."""
        self.wait()
        if not self.is_gpu:
            begin = time.perf_counter()
            for _ in range(calls):
                call()
            return (time.perf_counter() - begin) / calls
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        for _ in range(calls):
            call()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1e3 / calls

    def recorded(self, call: Callable[[], Any]) -> Callable[[], Any] | None:
        """The call as a CUDA graph, whose replay costs the host next to nothing; None without a GPU."""
        if not self.is_gpu:
            return None
        side = torch.cuda.Stream(self.torch)
        side.wait_stream(torch.cuda.current_stream(self.torch))
        with torch.cuda.stream(side):  # copies and caches that belong to a first call
            call()
        torch.cuda.current_stream(self.torch).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = call()

        def replay(_kept: Any = result) -> None:
            graph.replay()

        return replay


class Stopwatch:
    """Seconds a call: after two calls that do not count, as many in a row as can be measured."""

    def __init__(self, device: Device, call: Callable[[], Any]) -> None:
        self._device = device
        self._call = call
        self._calls = 0

    def __call__(self) -> float:
        if not self._calls:
            self._device.seconds(self._call, 1)
            first = max(self._device.seconds(self._call, 1), 1e-7)
            self._calls = min(math.ceil(SHORTEST_S / first), MOST_CALLS)
        return self._device.seconds(self._call, self._calls)


@dataclass(frozen=True)
class Rates:
    """What the card does at best, measured in the same run: csrc/cuda/rates.cu, and a copy within its memory."""

    bytes_a_second: float  # read and written
    add_max_a_second: float
    multiply_add_a_second: float
    step_s: float  # a frame of a recursion whose states stand in one warp
    block_step_s: float  # in the warps of a block


def measure_rates(device: Device, rounds: int, copied: int = GIB, steps: int = 20_000) -> Rates:
    """Medians of so many rounds."""
    loop = library_cuda.core().Loop
    source = torch.rand(copied // 4, device=device.torch)
    target = torch.empty_like(source)
    copying = median_of(Stopwatch(device, lambda: target.copy_(source)), rounds)

    def unit_s(kind: Any) -> float:
        count, call = rate_loop(device, kind, steps)
        return median_of(Stopwatch(device, call), rounds) / count

    return Rates(
        bytes_a_second=2 * source.nbytes / copying,
        add_max_a_second=1 / unit_s(loop.ADD_MAX),
        multiply_add_a_second=1 / unit_s(loop.MULTIPLY_ADD),
        step_s=unit_s(loop.LANE_CHAIN),
        block_step_s=unit_s(loop.BLOCK_CHAIN),
    )


def median_of(watch: Callable[[], float], rounds: int) -> float:
    return median([watch() for _ in range(rounds)])


def rate_loop(device: Device, kind: Any, steps: int) -> tuple[int, Callable[[], int]]:
    """What a call computes, and the call."""
    core = library_cuda.core()
    arguments = (kind, False, steps, device.index, device.stream)
    workspace = torch.empty(core.run_loop(*arguments, 0), dtype=torch.uint8, device=device.torch)

    def call() -> int:
        return int(core.run_loop(*arguments, workspace.data_ptr()))

    return call(), call
