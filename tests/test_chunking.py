"""The chunk controller in virtual time: what it is held to, on machines it was not tuned on."""

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

EXACT = {"jitter": 0.0}
SWEEP = [
    (overhead_s, rate, factor, bound)
    for overhead_s in (0.002, 0.006, 0.015, 0.04)
    for rate in (0.02, 0.07, 0.12)
    for factor in (2.0, 4.0)
    for bound in (0.2, 0.35, 0.6)
]


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("case", [case for case in chunking.CASES if "slow backend" not in case.cost.name])
def test_the_benchs_cases_meet_every_bar_with_other_seeds(case, seed):
    for row in chunking.measure(case, range(seed, seed + 1)):
        assert row.settled_s <= chunking.SETTLE_BAR_S, row
        assert row.p95_then_s <= 1.25 * row.best_p95_s, row
        assert row.turns <= chunking.TURNS_BAR, row
        assert (row.backlog_gone_s or 0.0) <= chunking.DRAIN_BAR_S, row


@pytest.mark.parametrize(("overhead_s", "rate", "factor", "bound"), SWEEP)
def test_any_machine_is_followed_into_a_load_and_out_of_it(overhead_s, rate, factor, bound):
    cost = Cost("swept", overhead_s, rate, load=Load(factor, 8, 13), jitter=0.05)
    run = simulate(cost, ChunkController(bound), 20, seed=3)
    assert turns_in_a_second(run) <= 1
    assert backlog_gone_s(run, 13) <= 3
    for begin_s, end_s in ((2.0, 8.0), (10.0, 13.0), (15.0, 20.0)):
        part, now = run.between(begin_s, end_s), cost.factor(begin_s)
        best_s = best_fixed(cost, bound, 10, factor=now)
        assert expected_s(cost, part.typical_length_s, bound, now) <= max(
            1.35 * expected_s(cost, best_s, bound, now), expected_s(cost, best_s + 0.02, bound, now)
        )
