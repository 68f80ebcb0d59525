"""Runs tests of the engine with its CUDA operations: on a GPU, or the kernels compiled for the CPU.

    python tests/native/on_cuda.py MODULE [--order forward|reverse|random] [arguments of pytest]

MODULE is what build_host.py has left, or "gpu" for the installed build on the machine's GPU. Tests call the operations
with tensors on the CPU as ever; on the way to torch's dispatcher those with kernels for CUDA are called with copies on
the device instead. The last line tells which operations were; it fails if none was.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from streamhmm.errors import BackendUnavailable

TESTS = Path(__file__).resolve().parents[1]


class OnCuda:
    """A pytest plugin."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        from on_cuda import on_cuda

        with on_cuda(self.calls):
            try:
                return (yield)
            except BackendUnavailable as refused:
                pytest.skip(str(refused))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        called = ", ".join(f"{name} {count}" for name, count in sorted(self.calls.items()))
        terminalreporter.write_line(f"calls of CUDA operations: {called or 'none'}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the engine's tests with its CUDA operations.")
    parser.add_argument("module")
    parser.add_argument("--order", choices=("forward", "reverse", "random"), default="forward")
    arguments, for_pytest = parser.parse_known_args()
    if arguments.module != "gpu":
        os.environ["STREAMHMM_CUDA_ON_HOST"] = str(Path(arguments.module).resolve())
    elif not torch.cuda.is_available():
        sys.exit("there is no GPU here")
    sys.path = [str(TESTS), *(entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent)]
    import on_cuda

    if on_cuda.HOST is not None:
        on_cuda.HOST.set_order(getattr(on_cuda.HOST.Order, arguments.order.upper()), 1)
    plugin = OnCuda()
    status = int(pytest.main(for_pytest, plugins=[plugin]))
    return status or int(not plugin.calls)


if __name__ == "__main__":
    sys.exit(main())
