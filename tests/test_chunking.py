"""The chunk controller in virtual time: what it is held to, on machines it was not tuned on, and the arithmetic."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import chunking  # noqa: E402
from chunking_bars import backlog_gone_s, best_fixed, expected_s, settling, turns_in_a_second  # noqa: E402
from chunking_simulation import Chunk, Cost, Fixed, Load, Run, Shrinking, simulate  # noqa: E402

from streamhmm.align.chunk_cost import ChunkCost  # noqa: E402
from streamhmm.align.chunking import ChunkController  # noqa: E402

LOAD = Load(3, 10, 15)
OTHERS = [
    (overhead_s, rate, factor, bound)
    for overhead_s in (0.002, 0.006, 0.015, 0.04)
    for rate in (0.02, 0.07, 0.12)
    for factor in (2.0, 4.0)
    for bound in (0.2, 0.35, 0.6)
]


@pytest.mark.parametrize("case", chunking.CASES, ids=lambda case: case.cost.name)
def test_the_benchs_cases_meet_the_bars_with_seeds_it_does_not_show(case):
    rows = [row for seed in range(100, 110) for row in chunking.measure(case, range(seed, seed + 1))]
    assert max(row.turns for row in rows) <= chunking.TURNS_BAR
    assert max(row.backlog_gone_s or 0.0 for row in rows) <= chunking.DRAIN_BAR_S
    assert np.mean([row.settled_s <= chunking.SETTLE_BAR_S for row in rows]) >= 0.9
    assert np.mean([row.priced_p95_s <= 1.25 * row.best_priced_p95_s for row in rows]) >= 0.8


@pytest.fixture(scope="module")
def followed() -> list[tuple[Cost, float, Run]]:
    """Machines of every kind, into a load and out of it."""
    costs = [
        (Cost("other", overhead_s, rate, load=Load(factor, 8, 13), jitter=0.05), bound)
        for overhead_s, rate, factor, bound in OTHERS
    ]
    return [(cost, bound, simulate(cost, ChunkController(bound), 20, seed=3)) for cost, bound in costs]


def test_no_machine_makes_it_turn_twice_in_a_second_or_keeps_its_backlog(followed):
    for cost, bound, run in followed:
        assert turns_in_a_second(run) <= 1, (cost, bound)
        assert backlog_gone_s(run, 13) <= 3, (cost, bound)


def test_two_seconds_after_every_change_the_length_is_near_the_best_one_of_any_machine(followed):
    near = []
    for cost, bound, run in followed:
        for begin_s, end_s in ((2.0, 8.0), (10.0, 13.0), (15.0, 20.0)):
            factor, length_s = cost.factor(begin_s), run.between(begin_s, end_s).typical_length_s
            best_s = best_fixed(cost, bound, 10, factor=factor)
            best, ours = (expected_s(cost, chunk_s, bound, factor) for chunk_s in (best_s, length_s))
            near.append(ours <= 1.25 * best or abs(length_s - best_s) < 0.0101)
    assert np.mean(near) >= 0.95


def test_under_load_chunks_get_longer_and_afterwards_as_short_as_before():
    run = simulate(Cost("", 0.02, 0.1, load=LOAD), ChunkController(0.5), 20)
    before, loaded, after = (run.between(*part).typical_length_s for part in ((2, 10), (11, 15), (17, 20)))
    assert loaded >= 3 * before
    assert after == pytest.approx(before, abs=0.0101)


def test_without_overhead_it_takes_the_shortest_chunk_and_without_cost_too():
    for cost in (Cost("", 0.0, 0.1), Cost("", 0.0, 0.0)):
        assert simulate(cost, ChunkController(0.25), 5).chunks[-1].length_s == 0.01


def test_on_a_hopeless_machine_it_takes_the_longest_chunk():
    assert simulate(Cost("", 0.01, 1.2), ChunkController(0.25, max_chunk_s=0.7), 20).chunks[-1].length_s == 0.7


def test_a_single_pause_changes_nothing():
    controller = ChunkController(0.25)
    for _ in range(100):
        before = controller.observe(controller.chunk_s, 0.01 + 0.05 * controller.chunk_s, 0.0)
    assert controller.observe(before, 0.3, 0.3) == before
    assert controller.observe(before, 0.01 + 0.05 * before, 0.25) == before


def test_a_backlog_of_many_chunks_is_taken_in_the_longest_ones_and_the_way_back_waits_a_second():
    controller = ChunkController(0.25, max_chunk_s=0.8)
    for _ in range(100):
        rest_s = controller.observe(controller.chunk_s, 0.01, 0.0)
    backlog_s, passed_s = 1.7, 0.0
    assert controller.observe(rest_s, 0.01, backlog_s) == 0.8
    while controller.chunk_s == 0.8:
        arrived_s = max(0.02, 0.82 - backlog_s)  # computing one, and waiting for it where it is not there yet
        backlog_s, passed_s = backlog_s + arrived_s - 0.8, passed_s + arrived_s
        controller.observe(0.8, 0.02, backlog_s)
    assert controller.chunk_s == rest_s
    assert 1.0 <= passed_s < 1.0 + 0.82


@pytest.mark.parametrize("quantum_s", [0.01, 0.02, 0.03])
def test_lengths_are_whole_quanta_within_the_limits(quantum_s):
    controller = ChunkController(0.25, min_chunk_s=0.02, max_chunk_s=0.5, quantum_s=quantum_s)
    lengths = simulate(Cost("", 0.01, 0.1, load=LOAD), controller, 20).column("length_s")
    quanta = lengths / quantum_s
    inside = (lengths > 0.02) & (lengths < 0.5)
    np.testing.assert_allclose(quanta[inside], quanta[inside].round(), atol=1e-9)
    assert lengths.min() >= 0.02
    assert lengths.max() <= 0.5


def test_the_cost_is_learnt_exactly_from_chunks_that_differ():
    cost = ChunkCost()
    for length_s in [0.1] * 5 + [0.2, 0.4, 0.15] * 60:
        cost.learn(length_s, 0.012 + 0.07 * length_s)
    assert cost.overhead_s == pytest.approx(0.012, rel=0.02)
    assert cost.rate == pytest.approx(0.07, rel=0.02)


def test_equal_chunks_tell_their_cost_though_not_its_parts_and_a_slower_machine_scales_both():
    cost = ChunkCost()
    for length_s in [0.1] * 5 + [0.2, 0.4, 0.15] * 60 + [0.2] * 200:
        cost.learn(length_s, 0.012 + 0.07 * length_s)
    share = cost.overhead_s / cost.rate
    for _ in range(20):
        cost.learn(0.2, 3 * (0.012 + 0.07 * 0.2))
    assert cost.utilisation(0.2) == pytest.approx(0.39, rel=0.02)
    assert cost.overhead_s / cost.rate == pytest.approx(share, rel=0.05)


def test_before_three_blocks_nothing_is_known():
    cost = ChunkCost()
    for count in range(30):
        assert cost.known == (count >= 30)
        cost.learn(0.01, 0.001)
    assert cost.known
    assert cost.utilisation(0.01) == pytest.approx(0.1)


def test_the_search_finds_the_length_of_the_formula():
    assert best_fixed(Cost("", 0.01, 0.05, jitter=0.0), 0.25, 10) == 0.05
    assert best_fixed(Cost("", 0.03, 0.05, jitter=0.0), 0.35, 10) == 0.1
    reached = best_fixed(Cost("", 0.01, 0.4, jitter=0.0), 0.25, 10)  # the bound is out of reach
    assert reached == pytest.approx(math.sqrt(4 * 0.01 / 1.4), abs=0.01)


def test_a_simulated_run_adds_up():
    run = simulate(Cost("", 0.02, 0.5, jitter=0.0), Fixed(0.1), 1.0)
    assert [chunk.length_s for chunk in run.chunks] == [0.1] * len(run.chunks)
    np.testing.assert_allclose(run.column("end_s"), 0.1 * np.arange(1, len(run.chunks) + 1) + 0.07)
    np.testing.assert_allclose(run.column("latency_s"), 0.17)
    np.testing.assert_allclose(run.column("backlog_s"), 0.07)
    assert (run.latency(50), run.utilisation) == (pytest.approx(0.17), pytest.approx(0.7))


def test_a_machine_that_is_too_slow_falls_behind_and_a_shrinking_chunk_never_recovers():
    late = simulate(Cost("", 0.0, 1.5, jitter=0.0), Fixed(0.1), 4.0)
    assert late.chunks[-1].backlog_s == pytest.approx(0.5 * 4.0 + 0.1, abs=0.06)
    spiral = simulate(Cost("", 0.02, 0.1, load=LOAD), Shrinking(0.5, 0.05), 30)
    assert spiral.chunks[-1].length_s == 0.01
    assert backlog_gone_s(spiral, 15) > 10


def test_bars_are_measured_as_they_are_named():
    lengths = [0.1, 0.2, 0.1, 0.1, 0.2, 0.2]
    run = Run([Chunk(float(end), length, 0.0, length, 0.3 * (end < 3)) for end, length in enumerate(lengths)])
    assert run.turns() == [1.0, 3.0]
    assert turns_in_a_second(run) == 1
    assert backlog_gone_s(run, 0.5) == 1.5
    cost = Cost("", 0.02, 0.05, jitter=0.0)
    assert settling(simulate(cost, Fixed(0.1), 5), cost, 0.25, 0.0, 5.0, 0.1, 1.0) == 0.0
    assert settling(simulate(cost, Fixed(0.5), 5), cost, 0.25, 0.0, 5.0, 0.1, 1.0) == math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_utilisation": 0}, "max_utilisation must lie between 0 and 1, got 0"),
        ({"max_utilisation": 1.0}, "max_utilisation must lie between 0 and 1, got 1.0"),
        ({"min_chunk_s": 0}, "0 < min_chunk_s <= max_chunk_s, got 0 and 1.0"),
        ({"min_chunk_s": 2}, "0 < min_chunk_s <= max_chunk_s, got 2 and 1.0"),
        ({"quantum_s": 0}, "quantum_s must be positive, got 0"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ChunkController(**options)


@pytest.mark.parametrize("chunk", [(0, 0, 0), (0.1, -1, 0), (0.1, 0, -1), (math.nan, 0, 0)])
def test_impossible_chunks_are_refused(chunk):
    with pytest.raises(ValueError, match="chunk_s must be positive, times not negative, got chunk_s="):
        ChunkController().observe(*chunk)
