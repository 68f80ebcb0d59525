"""Records calls of the compiled core while tests run, for tests/native/replay.cpp to run again under sanitizers.

    python tests/native/record.py FILE [arguments of pytest]

Any function of ``streamhmm._C`` whose arguments are numbers, addresses of tensors and records made of those (``Batch``)
is recorded as it is: names come from its signature, sizes from the tensors whose ``data_ptr()`` was taken. The file is
a line of text for each item, and the bytes of a buffer behind its line:

    call NAME TEST
    integer NAME VALUE            real NAME VALUE
    buffer NAME TYPE COUNT        what the call was given; NAME has no line where the address was 0
    written NAME TYPE COUNT       what the same buffer held afterwards, if anything changed
    raised MESSAGE
    end
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from torch import Tensor

from streamhmm import _C

MOST_CALLS_A_TEST = 10
MOST_BYTES_A_CALL = 1 << 17
NOT_RECORDED = {"available_isas", "select_isa", "step_patterns", "run_arithmetic"}
WITH_STATE = ("DtwFollower", "dtw_push", "dtw_distance", "OnlineStream", "online_")
"""How the names begin of what keeps state: a call by itself would not say what was heard before."""


def parameter_names(function: Callable[..., Any]) -> list[str]:
    """The names in a bound function's signature, which pybind11 puts on its docstring's first line."""
    signature = (function.__doc__ or "").splitlines()[0].split(" -> ")[0]
    return [name for name in re.findall(r"(\w+): ", signature) if name != "self"]


def span(tensor: Tensor) -> int:
    """Elements from a tensor's first to its last, gaps between them included."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


class Recorder:
    """A pytest plugin: writes the first calls of every test to ``file``."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.calls = 0
        self._test = ""
        self._left = 0
        self._tensors: dict[int, Tensor] = {}
        self._records: dict[int, tuple[Any, dict[str, Any]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self._test, self._left = item.nodeid.replace(" ", "_"), MOST_CALLS_A_TEST
        with pytest.MonkeyPatch.context() as patch:
            address_of = Tensor.data_ptr
            patch.setattr(Tensor, "data_ptr", lambda tensor: self._note(tensor, address_of(tensor)))
            for name, member in vars(_C).items():
                if name in NOT_RECORDED or name.startswith(WITH_STATE) or hasattr(member, "__members__"):
                    continue
                if isinstance(member, type):
                    patch.setattr(_C, name, self._watched_record(member))
                elif callable(member):
                    patch.setattr(_C, name, self._watched(name, member))
            return (yield)

    def _note(self, tensor: Tensor, address: int) -> int:
        if address != 0:
            self._tensors[address] = tensor
        return address

    def _watched_record(self, record: type) -> Callable[..., Any]:
        names = parameter_names(record.__init__)

        def make(*values: Any, **named: Any) -> Any:
            made = record(*values, **named)
            self._records[id(made)] = made, dict(zip(names, values, strict=not named)) | named
            return made

        return make

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        names = parameter_names(function)

        def call(*values: Any) -> Any:
            arguments = dict(self._flat(dict(zip(names, values, strict=True))))
            buffers = {key: self._tensors[value] for key, value in arguments.items() if value in self._tensors}
            self._tensors, self._records = {}, {}
            if self._left == 0 or sum(map(byte_size, buffers.values())) > MOST_BYTES_A_CALL:
                return function(*values)
            self._left -= 1
            self.calls += 1
            scalars = {key: value for key, value in arguments.items() if key not in buffers}
            return self._recorded(name, scalars, buffers, lambda: function(*values))

        return call

    def _flat(self, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in arguments.items():
            if id(value) in self._records:
                yield from self._flat(self._records[id(value)][1])
            else:
                yield name, value

    def _recorded(self, name: str, scalars: dict[str, Any], buffers: dict[str, Tensor], run: Callable[[], Any]) -> Any:
        self._line("call", name, self._test)
        for key, value in scalars.items():
            self._line(*(("real", key, value.hex()) if isinstance(value, float) else ("integer", key, int(value))))
        before = {key: contents(tensor) for key, tensor in buffers.items()}
        for key, data in before.items():
            self._buffer("buffer", key, buffers[key], data)
        try:
            return run()
        except Exception as error:
            self._line("raised", str(error).replace("\n", " "))
            raise
        finally:
            for key, data in before.items():
                if (after := contents(buffers[key])) != data:
                    self._buffer("written", key, buffers[key], after)
            self._line("end")

    def _buffer(self, kind: str, name: str, tensor: Tensor, data: bytes) -> None:
        self._line(kind, name, str(tensor.dtype).removeprefix("torch."), span(tensor))
        self.file.write(data)

    def _line(self, *words: object) -> None:
        self.file.write((" ".join(map(str, words)) + "\n").encode())


def byte_size(tensor: Tensor) -> int:
    return span(tensor) * tensor.element_size()


def contents(tensor: Tensor) -> bytes:
    return ctypes.string_at(tensor.data_ptr(), byte_size(tensor)) if byte_size(tensor) else b""


def main() -> int:
    with Path(sys.argv[1]).open("wb") as file:
        recorder = Recorder(file)
        status = pytest.main(sys.argv[2:], plugins=[recorder])
    print(f"{recorder.calls} calls recorded")
    return int(status) or int(recorder.calls == 0)


if __name__ == "__main__":
    sys.exit(main())
