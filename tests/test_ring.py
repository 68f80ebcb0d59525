"""The ring buffer against a list, in one thread and in two."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamhmm.audio import ring as ring_module
from streamhmm.audio.ring import AudioRing


def numbered(start: int, frames: int, channels: int = 1) -> np.ndarray:
    """Frames that can be told apart; exact in float32 up to 2 ** 24."""
    return np.arange(start, start + frames, dtype=np.float32)[:, None] + np.linspace(0, 0.5, channels, dtype=np.float32)


def rebuilt(ring: AudioRing, reads: list[int]) -> list[float | None]:
    """What the reads gave: sample by sample, None for each that was lost."""
    out: list[float | None] = []
    for frames in reads:
        samples, lost = ring.read(frames)
        out += [None] * lost + samples[:, 0].tolist()
    return out


class ListRing:
    """The same by a list: what waits, one entry a frame, None where it was dropped."""

    def __init__(self, frames: int, gaps: int) -> None:
        self.frames, self.gaps = frames, gaps
        self.waiting: list[float | None] = []

    def gap_count(self) -> int:
        """Stretches of None."""
        return sum(
            entry is None and (index == 0 or self.waiting[index - 1] is not None)
            for index, entry in enumerate(self.waiting)
        )

    def write(self, values: list[float]) -> None:
        """One by one."""
        for value in values:
            kept = sum(entry is not None for entry in self.waiting) < self.frames
            if self.waiting and self.waiting[-1] is None and self.gap_count() == self.gaps:
                kept = False
            self.waiting.append(value if kept else None)

    def lose(self, frames: int) -> None:
        """Frames that never came."""
        self.waiting += [None] * frames

    def read(self, frames: int) -> list[float | None]:
        """The gap in front, and samples up to the next."""
        end = 0
        while end < len(self.waiting) and self.waiting[end] is None:
            end += 1
        first = end
        while end < len(self.waiting) and self.waiting[end] is not None and end - first < frames:
            end += 1
        taken, self.waiting = self.waiting[:end], self.waiting[end:]
        return taken


@settings(max_examples=300, deadline=None)
@given(
    frames=st.integers(1, 9),
    gaps=st.sampled_from([1, 2, 3, 256]),
    steps=st.lists(st.tuples(st.sampled_from(["write", "read", "lose"]), st.integers(1, 14)), max_size=60),
)
def test_any_order_of_writes_losses_and_reads_gives_what_a_list_gives(frames, gaps, steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring_module, "GAPS", gaps)
        ring, oracle = AudioRing(frames), ListRing(frames, gaps)
        written, expected_lost = 0, 0
        for step, count in steps:
            if step == "write":
                lost = ring.write(numbered(written, count))
                before = oracle.waiting.count(None)
                oracle.write(numbered(written, count)[:, 0].tolist())
                assert lost == oracle.waiting.count(None) - before
                written, expected_lost = written + count, expected_lost + lost
            elif step == "lose":
                ring.lose(count)
                oracle.lose(count)
                expected_lost += count
            else:
                assert rebuilt(ring, [count]) == oracle.read(count)
            assert ring.fill == sum(entry is not None for entry in oracle.waiting)
            assert ring.dropped == expected_lost


@pytest.mark.parametrize("block", [0, 1, 7, 8, 9, 50])
def test_a_block_of_any_size_is_kept_as_far_as_there_is_room(block):
    ring = AudioRing(8, 2)
    ring.write(numbered(0, 5, 2))
    ring.read(5)  # so that the next samples go around the end
    lost = ring.write(numbered(5, block, 2))
    kept = min(block, 8)
    assert (lost, ring.dropped, ring.fill) == (block - kept, block - kept, kept)
    np.testing.assert_array_equal(ring.read(100).samples, numbered(5, kept, 2))


def test_a_gap_stands_before_the_samples_that_came_after_it():
    ring = AudioRing(4)
    ring.write(numbered(0, 6))
    assert rebuilt(ring, [3]) == [0, 1, 2]
    ring.write(numbered(6, 1))
    first, second = ring.read(10), ring.read(10)
    assert (first.samples[:, 0].tolist(), first.lost) == ([3], 0)
    assert (second.samples[:, 0].tolist(), second.lost) == ([6], 2)


def test_a_gap_that_goes_on_is_given_in_parts():
    ring = AudioRing(2)
    ring.write(numbered(0, 5))
    assert rebuilt(ring, [2, 1]) == [0, 1, None, None, None]
    ring.write(numbered(5, 2))
    ring.write(numbered(7, 3))
    assert rebuilt(ring, [9, 9]) == [5, 6, None, None, None]


@pytest.mark.parametrize("frames", [0, -5])
def test_losing_nothing_is_no_gap(frames):
    ring = AudioRing(4)
    ring.lose(frames)
    ring.write(numbered(0, 1))
    assert (ring.dropped, rebuilt(ring, [9])) == (0, [0])


def test_the_readers_samples_are_its_own():
    ring = AudioRing(4)
    block = numbered(0, 4)
    ring.write(block)
    block[:] = -1
    taken = ring.read(4).samples
    ring.write(numbered(10, 4))
    assert taken[:, 0].tolist() == [0, 1, 2, 3]


def test_after_closing_nothing_is_written_or_counted_and_the_rest_can_be_read():
    ring = AudioRing(4)
    ring.write(numbered(0, 2))
    assert not ring.closed
    ring.close()
    ring.close()
    assert ring.closed
    assert ring.write(numbered(2, 9)) == 0
    ring.lose(9)
    assert (ring.fill, ring.dropped) == (2, 0)
    assert rebuilt(ring, [9, 9]) == [0, 1]


def test_wait_returns_for_enough_frames_a_full_ring_a_gap_or_the_end():
    ring = AudioRing(4)
    assert not ring.wait(1, 0)
    ring.write(numbered(0, 2))
    assert (ring.wait(2, 0), ring.wait(3, 0)) == (True, False)
    ring.write(numbered(2, 2))
    assert ring.wait(100, 0)  # full
    ring.write(numbered(4, 1))
    ring.read(4)
    assert ring.wait(4, 0)  # a gap
    ring.read(1)
    assert not ring.wait(1, 0)
    ring.close()
    assert ring.wait(1, 0)


def test_wait_for_room():
    ring = AudioRing(4)
    assert ring.wait_for_room(4, 0)
    ring.write(numbered(0, 3))
    assert (ring.wait_for_room(1, 0), ring.wait_for_room(2, 0)) == (True, False)
    ring.read(1)
    assert ring.wait_for_room(2, 0)
    ring.close()
    assert not ring.wait_for_room(1, 0)


@pytest.mark.parametrize("sleeper", ["wait", "wait_for_room"])
def test_closing_wakes_whoever_waits(sleeper):
    ring = AudioRing(4)
    ring.write(numbered(0, 3))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(getattr(ring, sleeper)(4)))
    thread.start()
    ring.close()
    thread.join(60)
    assert answers == [sleeper == "wait"]


def test_two_threads_and_a_writer_that_waits_lose_nothing():
    ring, total = AudioRing(64, 2), 20_000
    sizes = np.random.default_rng(0).integers(1, 40, total).tolist()  # 40 and the 17 waited for fit into the ring

    def write() -> None:
        written = 0
        while written < total:
            count = min(sizes.pop(), total - written)
            assert ring.wait_for_room(count, 60)
            assert ring.write(numbered(written, count, 2)) == 0
            written += count
        ring.close()

    writer = threading.Thread(target=write)
    writer.start()
    parts = []
    while ring.wait(17, 60) and not (ring.closed and ring.fill == 0):
        parts.append(ring.read(40))
    writer.join(60)
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), numbered(0, total, 2))
    assert sum(part.lost for part in parts) == ring.dropped == 0


def test_two_threads_and_a_writer_in_a_hurry_count_every_frame_at_its_place():
    ring, total = AudioRing(50), 30_000
    sizes = np.random.default_rng(1).integers(1, 90, total).tolist()

    def write() -> None:
        written = 0
        while written < total:
            count = min(sizes.pop(), total - written)
            ring.write(numbered(written, count))
            written += count
        ring.close()

    writer = threading.Thread(target=write)
    writer.start()
    place = 0
    while not (ring.closed and ring.fill == 0 and place == total):
        assert ring.wait(1, 60)
        samples, lost = ring.read(30)
        place += lost
        np.testing.assert_array_equal(samples, numbered(place, len(samples)))
        place += len(samples)
    writer.join(60)
    assert place == total


def test_wrong_calls_say_what_was_expected():
    with pytest.raises(ValueError, match="at least 1 frame and 1 channel, got 0 and 1"):
        AudioRing(0)
    with pytest.raises(ValueError, match="at least 1 frame and 1 channel, got 5 and 0"):
        AudioRing(5, 0)
    ring = AudioRing(5, 2)
    for shape in ((3,), (3, 1), (3, 2, 1)):
        with pytest.raises(ValueError, match=r"block must be \(n, 2\), got shape"):
            ring.write(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="max_frames must be at least 1, got 0"):
        ring.read(0)
    with pytest.raises(ValueError, match="a ring of 5 frames never has room for 6; write smaller blocks"):
        ring.wait_for_room(6)
