"""Memory between host and device. CUDA is played by a stub that takes down what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm.acoustic.staging import Downloaded, Staged

CPU = torch.device("cpu")


class FakeStream:
    def __init__(self, name: str, done: list[str]) -> None:
        self.name, self._done = name, done

    def wait_stream(self, other: FakeStream) -> None:
        self._done.append(f"{self.name} waits for {other.name}")

    def synchronize(self) -> None:
        self._done.append(f"host waits for {self.name}")

    def record_event(self) -> FakeStream:
        return FakeStream(f"what was asked of {self.name}", self._done)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of CUDA. Pinned memory is plain memory here."""
    asked: list[str] = []
    zeros = torch.zeros

    def plain_zeros(*shape: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        asked.append("pinned" if pin_memory else "not pinned")
        return zeros(*shape, **options)

    @contextmanager
    def on_stream(stream: FakeStream) -> Iterator[None]:
        asked.append(f"on {stream.name}")
        yield

    monkeypatch.setattr(torch, "zeros", plain_zeros)
    monkeypatch.setattr(torch.cuda, "stream", on_stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream("work", asked))
    return asked


def test_on_the_cpu_nothing_is_copied() -> None:
    staged = Staged((5, 3), torch.float32, CPU)
    staged.refill()[:2] = [[1, 2, 3], [4, 5, 6]]
    rows = staged.upload(2)
    assert rows.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert rows.data_ptr() == staged.refill().ctypes.data
    assert Downloaded((5, 3)).fetch(rows).ctypes.data == staged.refill().ctypes.data


def test_on_cuda_a_stream_of_its_own_copies_from_pinned_memory(done: list[str]) -> None:
    staged = Staged((5, 3), torch.int64, CPU, FakeStream("copies", done))
    assert done == ["pinned", "not pinned"]
    staged.refill()[:2] = [[1, 2, 3], [4, 5, 6]]
    first = staged.upload(2)
    there_and_back = ["copies waits for work", "on copies", "work waits for copies"]
    assert done[2:] == there_and_back
    assert first.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert first.data_ptr() != staged.refill().ctypes.data
    assert done[5:] == ["host waits for what was asked of copies"]
    staged.refill()[:2] = 0
    assert first.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert staged.upload(1).data_ptr() == first.data_ptr()
    assert done[-3:] == there_and_back


def test_from_cuda_values_are_waited_for(done: list[str]) -> None:
    downloaded = Downloaded((4, 6, 2), FakeStream("copies", done))
    rows = torch.arange(12.0).view(2, 3, 2)
    found = downloaded.fetch(rows)
    assert np.array_equal(found, rows.numpy())
    assert found.ctypes.data != rows.data_ptr()
    assert downloaded.fetch(rows + 1).ctypes.data == found.ctypes.data
    assert done == ["pinned", "host waits for work", "host waits for work"]
