"""How many recordings go through the network at once: lengths, limits, and memory that runs out."""

from __future__ import annotations

import math

import pytest
import torch
from test_network import noise, random_checkpoint

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.batch_size import BatchSize, is_out_of_memory

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Memory:
    """Work that notes its batches and fails for those that are, padded, longer than there is room for."""

    def __init__(self, lengths: list[float], room_s: float = math.inf) -> None:
        self.lengths, self.room_s = lengths, room_s
        self.done: list[list[int]] = []
        self.failures = 0

    def __call__(self, batch: list[int]) -> None:
        if max(self.lengths[index] for index in batch) * len(batch) > self.room_s:
            self.failures += 1
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.done.append(batch)

    def run(self, size: BatchSize) -> list[int]:
        """Numbers of recordings in the batches that were done."""
        size.run(self.lengths, self)
        assert sorted(index for batch in self.done for index in batch) == list(range(len(self.lengths)))
        assert all(self.lengths[batch[0]] >= self.lengths[index] for batch in self.done for index in batch)
        return [len(batch) for batch in self.done]


def test_on_a_cpu_batches_last_thirty_seconds_with_their_padding() -> None:
    assert Memory([3.0] * 25).run(BatchSize(CPU)) == [10, 10, 5]
    assert Memory([2.0, 31.0, 14.0, 1.0, 16.0, 14.0]).run(BatchSize(CPU)) == [1, 1, 2, 2]
    assert Memory([0.0] * 70).run(BatchSize(CPU)) == [64, 6]
    assert Memory([]).run(BatchSize(CPU)) == []


def test_elsewhere_they_grow_up_to_64_recordings() -> None:
    size = BatchSize(CUDA)
    assert Memory([5.0] * 300).run(size) == [6, 12, 24, 48, 64, 64, 64, 18]
    assert Memory([5.0] * 64).run(size) == [64]


def test_what_memory_holds_is_found_and_remembered() -> None:
    size, first = BatchSize(CUDA), Memory([5.0] * 200, room_s=100.0)
    assert first.run(size) == [6, 12, *[12] * 15, 2]
    assert first.failures == 1
    assert size.seconds == 60.0
    again = Memory([5.0] * 30, room_s=100.0)
    assert again.run(size) == [12, 12, 6]
    assert again.failures == 0


def test_halves_of_halves() -> None:
    memory = Memory([4.0] * 9, room_s=9.0)
    assert memory.run(BatchSize(CPU)) == [1] * 9
    assert memory.failures == 2
    memory = Memory([4.0, 4.0, 1.0, 1.0, 1.0], room_s=5.0)
    assert memory.run(BatchSize(CPU)) == [1, 1, 3]


def test_a_recording_that_does_not_fit_alone_and_other_errors_are_raised() -> None:
    memory = Memory([4.0, 9.0], room_s=5.0)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        memory.run(BatchSize(CPU))
    assert memory.failures == 2

    def fail(batch: list[int]) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        BatchSize(CPU).run([1.0, 1.0], fail)


def test_a_limit_makes_them_longer_or_shorter() -> None:
    size = BatchSize(CPU)
    size.limit(70.0)
    assert Memory([5.0] * 60).run(size) == [6, 12, 14, 14, 14]
    size.limit(None)
    assert size.seconds == 70.0
    size.limit(12.0)
    assert Memory([5.0] * 5).run(size) == [2, 2, 1]
    for seconds in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"seconds of a batch must be positive, got {seconds}"):
            size.limit(seconds)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:120] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (Exception("Failed to allocate memory for requested buffer of size 8000000"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("shapes do not fit"), False),
    ],
)
def test_errors_that_tell_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_what_torch_says_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert is_out_of_memory(raised.value)


def test_recordings_are_scored_although_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AcousticModel(random_checkpoint())
    recordings = [noise(length, seed) for seed, length in enumerate((1000, 30_000, 16_000, 8000, 15_000))]
    step, sizes = model.backend.runtime.step, []

    def small(frames: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(frames.shape[0] * frames.shape[1])
        if sizes[-1] > 420:
            raise MemoryError
        return step(frames, states)

    monkeypatch.setattr(model.backend.runtime, "step", small)
    found = model.batch_log_posteriors(recordings)
    assert [size > 420 for size in sizes].count(True) == 1
    for rows, samples in zip(found, recordings, strict=True):
        torch.testing.assert_close(rows, model.log_posteriors(samples), atol=2e-4, rtol=0)
    features = [model.log_mel(samples) for samples in recordings]
    for rows, other in zip(model.features_log_posteriors(features), found, strict=True):
        torch.testing.assert_close(rows, other, atol=2e-4, rtol=0)
    assert model.adapted(torch.zeros(80), None).batch_size is model.batch_size
