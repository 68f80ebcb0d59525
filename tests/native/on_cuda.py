"""Runs tests of the engine with its CUDA operations: on a GPU, or the kernels compiled for the CPU.

    python tests/native/on_cuda.py MODULE [--order forward|reverse|random] [arguments of pytest]

MODULE is what build_host.py has left, or "gpu" for the installed build on the machine's GPU. Tests call the operations
with tensors on the CPU as ever; on the way to torch's dispatcher those with kernels for CUDA are called with copies on
the device instead. The last line tells which operations were.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from streamhmm import library, library_cuda, ops

STRUCTURE = "structure"  # stays where it is


class OnDevice(TorchDispatchMode):
    """Calls streamhmm's operations with kernels for CUDA on ``device``."""

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
            value.to(self.device) if isinstance(value, Tensor) and argument.name != STRUCTURE else value
            for argument, value in zip(func._schema.arguments, args, strict=True)
        ]
        return tree_map(_to_cpu, library_cuda.OPERATIONS[name](*given))


def _to_cpu(result: Any) -> Any:
    return result.cpu() if isinstance(result, Tensor) else result


class OnCuda:
    """A pytest plugin."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.calls: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, OnDevice(self.device, self.calls):
            patch.setattr(ops, "call_viterbi", library.VITERBI)
            patch.setattr(ops, "call_posteriors", library.POSTERIORS)
            return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        called = ", ".join(f"{name} {count}" for name, count in sorted(self.calls.items()))
        terminalreporter.write_line(f"calls of CUDA operations on {self.device}: {called or 'none'}")


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("cuda_on_host", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the engine's tests with its CUDA operations.")
    parser.add_argument("module")
    parser.add_argument("--order", choices=("forward", "reverse", "random"), default="forward")
    arguments, for_pytest = parser.parse_known_args()
    if arguments.module == "gpu":
        device = "cuda" if torch.cuda.is_available() else sys.exit("there is no GPU here")
    else:
        device, host = "cpu", load(Path(arguments.module))
        host.set_order(getattr(host.Order, arguments.order.upper()), 1)
        library_cuda.core = lambda: host
    return int(pytest.main(for_pytest, plugins=[OnCuda(device)]))


if __name__ == "__main__":
    sys.exit(main())
