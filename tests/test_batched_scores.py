"""Scores of many streams in batches: those that each stream gets alone, in memory that is allocated once."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
import torch
from test_network import noise, random_checkpoint

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.batching import BatchedScores
from streamhmm.acoustic.features import LogMel
from streamhmm.acoustic.model import ScoreStream
from streamhmm.acoustic.stream_slots import MOST_SAMPLES

STEP = "runtime.step"
CLOSE = {"atol": 2e-4, "rtol": 0}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return AcousticModel(random_checkpoint())


class Pair:
    """A stream in the batch beside the same stream alone."""

    def __init__(self, model: AcousticModel, batched: BatchedScores, seed: int = 0) -> None:
        self.slot, self.alone = batched.open(), model.stream()
        self._audio, self._seed = noise(400_000, seed), seed
        self._at = 0

    def next(self, samples: int) -> torch.Tensor:
        self._at += samples
        return self._audio[self._at - samples : self._at]


def push(batched: BatchedScores, pairs: list[Pair], sizes: list[int]) -> None:
    chunks = [pair.next(size) for pair, size in zip(pairs, sizes, strict=True)]
    found = batched.push([pair.slot for pair in pairs], chunks)
    for pair, chunk, scores in zip(pairs, chunks, found, strict=True):
        torch.testing.assert_close(scores, pair.alone.push(chunk), **CLOSE)


@pytest.mark.parametrize("name", ["torch", "onnx"])
@pytest.mark.parametrize("few_sizes", [False, True])
def test_streams_that_come_and_go_score_as_alone(name: str, few_sizes: bool) -> None:
    model = AcousticModel(random_checkpoint(), RuntimeSettings(name))
    batched = BatchedScores(model, 5, few_sizes=few_sizes)
    chance, pairs = random.Random(1), []
    for number in range(40):
        while len(pairs) < 3 or (len(pairs) < 13 and chance.random() < 0.3):
            pairs.append(Pair(model, batched, number))
        now = chance.sample(pairs, chance.randint(1, len(pairs)))
        one = chance.choice([0, 1, 159, 160, 161, 640, 1280, 1600, 9000])
        sizes = [one if number % 3 else chance.randint(0, 3000) for _ in now]
        push(batched, now, sizes)
        if chance.random() < 0.3:
            pair = pairs.pop(chance.randrange(len(pairs)))
            torch.testing.assert_close(batched.finish(pair.slot), pair.alone.finish(), **CLOSE)
            batched.close(pair.slot)
    assert batched.streams == len(pairs)


@pytest.mark.parametrize("size", [MOST_SAMPLES - 1, MOST_SAMPLES, MOST_SAMPLES + 1, 3 * MOST_SAMPLES + 7])
def test_long_chunks_beside_short_ones(model: AcousticModel, size: int) -> None:
    batched = BatchedScores(model, 4)
    pairs = [Pair(model, batched, seed) for seed in range(3)]
    for sizes in ([size, 640, 0], [161, size, 640], [size, size, size], [size, 0, MOST_SAMPLES]):
        push(batched, pairs, sizes)
    for pair in pairs:
        torch.testing.assert_close(batched.finish(pair.slot), pair.alone.finish(), **CLOSE)


def test_a_finished_stream_starts_anew_and_a_slot_forgets(model: AcousticModel) -> None:
    batched = BatchedScores(model, 1)
    pair = Pair(model, batched)
    push(batched, [pair], [5000])
    batched.finish(pair.slot)
    pair.alone.finish()
    push(batched, [pair], [5000])
    batched.close(pair.slot)
    other = Pair(model, batched)
    assert other.slot == pair.slot
    push(batched, [other], [5000])


def test_a_stream_moves_between_a_batch_and_itself(model: AcousticModel) -> None:
    batched = BatchedScores(model, 2)
    pairs = [Pair(model, batched, seed) for seed in (0, 1)]
    push(batched, pairs, [777, 16_001])
    moved = Pair(model, batched, 2)
    state = batched.state_dict(pairs[1].slot)
    batched.load_state_dict(moved.slot, state)
    alone = model.stream()
    alone.load_state_dict(state)
    chunk = noise(3000, 5)
    expected = pairs[1].alone.push(chunk)
    torch.testing.assert_close(alone.push(chunk), expected, **CLOSE)
    torch.testing.assert_close(batched.push([moved.slot], [chunk])[0], expected, **CLOSE)
    batched.load_state_dict(moved.slot, model.stream().state_dict())
    torch.testing.assert_close(batched.push([moved.slot], [chunk])[0], model.stream().push(chunk), **CLOSE)


def test_adapted_models_and_other_priors(model: AcousticModel) -> None:
    adapted = model.adapted(torch.linspace(-0.2, 0.2, 80), torch.linspace(-1, 1, 40))
    batched = BatchedScores(adapted, prior_scale=0.2)
    chunk = noise(4000)
    found = batched.push([batched.open()], [chunk])[0]
    torch.testing.assert_close(found, ScoreStream(adapted, 0.2).push(chunk), **CLOSE)


def test_numbers_that_are_none_stay_with_their_stream(model: AcousticModel) -> None:
    batched = BatchedScores(model, 4)
    pairs = [Pair(model, batched, seed) for seed in range(3)]
    push(batched, pairs, [900, 900, 900])
    bad = batched.open()
    for _ in range(3):
        chunks = [pair.next(900) for pair in pairs]
        found = batched.push([bad, *(pair.slot for pair in pairs)], [torch.full((900,), torch.nan), *chunks])
        for pair, chunk, scores in zip(pairs, chunks, found[1:], strict=True):
            torch.testing.assert_close(scores, pair.alone.push(chunk), **CLOSE)
    assert found[0].isnan().all()
    batched.close(bad)
    fresh = Pair(model, batched, 9)
    assert fresh.slot == bad
    push(batched, [fresh, *pairs], [2000, 1, 2, 3])


class _Counting:
    """Counts the shapes that its runtime is asked for."""

    def __init__(self, runtime: Any) -> None:
        self._runtime, self.name, self.precision, self.device = runtime, "x", "fp32", runtime.device
        self.shapes: list[tuple[int, int]] = []
        self.addresses: set[int] = set()
        self.error: BaseException | None = None

    def step(self, frames: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.error is not None:
            raise self.error
        self.shapes.append((frames.shape[0], (frames.shape[1] - 6) // 2))
        self.addresses.add(frames.data_ptr())
        with torch.profiler.record_function(STEP):
            result: tuple[torch.Tensor, torch.Tensor] = self._runtime.step(frames, states)
        return result


@pytest.fixture
def counted() -> tuple[AcousticModel, _Counting]:
    model = AcousticModel(random_checkpoint())
    runtime = _Counting(model.backend.runtime)
    model.backend.runtime = runtime
    return model, runtime


def test_equal_chunks_take_one_step_and_others_few(counted: tuple[AcousticModel, _Counting]) -> None:
    model, runtime = counted
    batched = BatchedScores(model, 64)
    slots = [batched.open() for _ in range(11)]
    batched.push(slots, [noise(160 * 9 + 399)] * 11)
    assert runtime.shapes == [(11, 3)]
    batched.push(slots, [noise(160 * 2 * steps) for steps in range(1, 12)])
    assert runtime.shapes[1:] == [(4, 8), (4, 4), (6, 2), (6, 1)]


def test_few_sizes(counted: tuple[AcousticModel, _Counting]) -> None:
    model, runtime = counted
    batched = BatchedScores(model, 20, few_sizes=True)
    slots = [batched.open() for _ in range(20)]
    for count in (1, 2, 3, 5, 8, 9, 17, 20):
        batched.push(slots[:count], [noise(160 * 20)] * count)
    assert {size for size, _ in runtime.shapes} == {1, 2, 4, 8, 16, 20}


def test_nothing_is_allocated_after_the_first_chunks(counted: tuple[AcousticModel, _Counting]) -> None:
    model, runtime = counted
    batched = BatchedScores(model, 8)
    slots, chunks = [batched.open() for _ in range(8)], [noise(960)] * 8
    results = {tuple(part.data_ptr() for part in batched.push(slots, chunks)) for _ in range(10)}
    assert len(results) == len(runtime.addresses) == 1
    activity = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activity, profile_memory=True) as profile:
        for _ in range(3):
            batched.push(slots, chunks)
    ours = [event for event in profile.events() if event.cpu_memory_usage > 8 and STEP not in lineage(event)]
    assert {lineage(event)[-1] for event in ours} == {"aten::fft_rfft"}


def lineage(event: Any) -> list[str]:
    """Its name, then those of the operations that it is part of."""
    return [event.name, *([] if event.cpu_parent is None else lineage(event.cpu_parent))]


def test_memory_stays_as_it_is(model: AcousticModel) -> None:
    batched = BatchedScores(model, 4)
    slots, chunks = [batched.open() for _ in range(4)], [noise(size) for size in (320, 640, 100, 700)]
    for _ in range(50):
        batched.push(slots, chunks)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            batched.push(slots, chunks)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_a_batch_that_fails_is_told_of_and_others_go_on(counted: tuple[AcousticModel, _Counting]) -> None:
    model, runtime = counted
    batched = BatchedScores(model, 4)
    lost, kept = batched.open(), Pair(model, batched)
    runtime.error = MemoryError("no room")
    with pytest.raises(MemoryError, match="no room"):
        batched.push([lost], [noise(4000)])
    runtime.error = None
    with pytest.raises(RuntimeError, match="the stream has lost audio in a batch that failed") as raised:
        batched.push([kept.slot, lost], [noise(4000), noise(4000)])
    assert isinstance(raised.value.__cause__, MemoryError)
    push(batched, [kept], [4000])
    assert batched.finish(lost).shape == (0, 40)
    batched.close(lost)
    push(batched, [Pair(model, batched)], [4000])


def test_a_later_batch_that_fails_takes_the_scores_of_those_before(
    counted: tuple[AcousticModel, _Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, runtime = counted
    batched = BatchedScores(model, 2)
    slots = [batched.open() for _ in range(6)]
    calls, step = iter(range(9)), runtime.step

    def fail_in_the_second(frames: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if next(calls) == 1:
            raise MemoryError("no room")
        return step(frames, states)

    with monkeypatch.context() as patch:
        patch.setattr(runtime, "step", fail_in_the_second)
        with pytest.raises(MemoryError, match="no room"):
            batched.push(slots, [noise(4000)] * 6)
    for slot in slots[:4]:
        with pytest.raises(RuntimeError, match="the stream has lost audio in a batch that failed"):
            batched.push([slot], [noise(4000)])
    fresh = BatchedScores(model, 2)
    expected = fresh.push([fresh.open(), fresh.open()], [noise(4000)] * 2)
    for found, scores in zip(batched.push(slots[4:], [noise(4000)] * 2), expected, strict=True):
        torch.testing.assert_close(found, scores)  # they had not begun


def test_wrong_calls_are_refused(model: AcousticModel) -> None:
    with pytest.raises(ValueError, match="max_batch must be at least 1, got 0"):
        BatchedScores(model, 0)
    batched = BatchedScores(model)
    slot = batched.open()
    with pytest.raises(ValueError, match="two chunks are of one stream"):
        batched.push([slot, slot], [noise(10), noise(10)])
    assert batched.push([], []) == []


def test_energies_of_windows_are_the_features() -> None:
    features = LogMel(shift=torch.linspace(0, 1, 80))
    samples = noise(4000)
    windows = torch.zeros(24, 512)
    windows[:, :400] = torch.cat((torch.zeros(120), samples)).unfold(0, 400, 160) * features.window
    power, out = torch.empty(24, 257), torch.empty(24, 80)
    assert features.energies(windows, power, out) is out
    torch.testing.assert_close(out, features(samples)[0], atol=1e-6, rtol=0)
