"""Stands for the ``tensorrt`` module: the names that streamhmm uses, no others. Engines run with ONNX Runtime.

An engine's plan is the ONNX graph with the profile in front. Tensors are read and written at their addresses.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

__version__ = "11.4.0.stub"
BAD_OPERATORS = {"DynamicQuantizeLinear"}
"""What the parser does not know."""
log: list[Any] = []
"""Calls that a test may want to see."""


class Logger:
    ERROR = 1

    def __init__(self, min_severity: int) -> None:
        self.min_severity = min_severity


class NetworkDefinitionCreationFlag:
    STRONGLY_TYPED = 1


class MemoryPoolType:
    WORKSPACE = "workspace"


class BuilderFlag:
    TF32 = "tf32"


class INetworkDefinition:
    graph: bytes


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, Any] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self.shapes[input] = [list(min), list(opt), list(max)]


class ITimingCache:
    def __init__(self, known: bytes) -> None:
        self.known = known

    def serialize(self) -> memoryview:
        return memoryview(self.known + b"+")


class IBuilderConfig:
    profile: IOptimizationProfile

    def set_memory_pool_limit(self, pool: str, pool_size: int) -> None:
        log.append((pool, pool_size))

    def set_flag(self, flag: str) -> None:
        log.append(("set", flag))

    def clear_flag(self, flag: str) -> None:
        log.append(("clear", flag))

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profile = profile
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        log.append(("timings", serialized_timing_cache))
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        return not ignore_mismatch


class Builder:
    def __init__(self, logger: Logger) -> None:
        log.append("builder")

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        log.append(("network", flags))
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> memoryview | None:
        return memoryview(json.dumps(config.profile.shapes).encode() + b"\n" + network.graph)


class ParserError:
    def desc(self) -> str:
        return "unknown operator"


class OnnxParser:
    num_errors = 0

    def __init__(self, network: INetworkDefinition, logger: Logger) -> None:
        self.network = network

    def parse_from_file(self, model: str) -> bool:
        operators = {node.op_type for node in onnx.load(model).graph.node}
        self.num_errors = len(operators & BAD_OPERATORS)
        self.network.graph = Path(model).read_bytes()
        return self.num_errors == 0

    def get_error(self, index: int) -> ParserError:
        return ParserError()


class IExecutionContext:
    capturing: list[Callable[[], object]] | None = None

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine, self.shapes, self.addresses = engine, dict[str, Any](), dict[str, int]()

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        least, _, most = self.engine.shapes[name]
        return all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        addresses, shapes = dict(self.addresses), dict(self.shapes)
        if IExecutionContext.capturing is None:
            self._run(addresses, shapes)
        else:
            IExecutionContext.capturing.append(lambda: self._run(addresses, shapes))
        return True

    def _run(self, addresses: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> None:
        log.append(("run", shapes["frames"]))
        inputs = {}
        for name, shape in shapes.items():
            values = (ctypes.c_float * prod(shape)).from_address(addresses[name])
            inputs[name] = np.ctypeslib.as_array(values).reshape(shape)
        names = [name for name in addresses if name not in shapes]
        for name, array in zip(names, self.engine.session.run(names, inputs), strict=True):
            ctypes.memmove(addresses[name], np.ascontiguousarray(array).ctypes.data, array.nbytes)


class ICudaEngine:
    def __init__(self, shapes: dict[str, Any], graph: bytes) -> None:
        self.shapes, self.session = shapes, onnxruntime.InferenceSession(graph)

    def create_execution_context(self) -> IExecutionContext:
        return IExecutionContext(self)

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> Any:
        return self.shapes[name]


class Runtime:
    def __init__(self, logger: Logger) -> None:
        pass

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        if not serialized_engine.startswith(b"{"):
            return None
        shapes, graph = serialized_engine.split(b"\n", 1)
        return ICudaEngine(json.loads(shapes), graph)


class _Graph:
    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def replay(self) -> None:
        log.append("replay")
        for call in self.calls:
            call()


@contextmanager
def _capture(graph: _Graph, stream: Any) -> Iterator[None]:
    IExecutionContext.capturing = graph.calls
    try:
        yield
    finally:
        IExecutionContext.capturing = None


def stand_in(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """A machine with one card, as far as the calls into the libraries."""
    log.clear()
    stream = SimpleNamespace(
        cuda_stream=5,
        wait_stream=lambda other: log.append(("own waits", other)),
        synchronize=lambda: log.append("synchronize"),
    )
    callers = SimpleNamespace(wait_stream=lambda other: log.append("caller waits"))
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", module)
    for name, value in {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda device: (9, 0),
        "get_device_name": lambda device: "Stub 100",
        "device": nullcontext,
        "Stream": lambda device: stream,
        "stream": nullcontext,
        "current_stream": lambda device: callers,
        "CUDAGraph": _Graph,
        "graph": _capture,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
