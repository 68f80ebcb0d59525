"""The engine's bench: how calls are timed and held against yardsticks, and how that is reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from streamhmm import _C

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import engine_case
import engine_report
import engine_torchaudio
import measure
from engine_case import Case, Stopwatch, Yardstick


def test_a_stopwatch_does_not_count_the_first_call_and_repeats_short_ones():
    asked = []

    def run(threads: int, calls: int) -> float:
        asked.append((threads, calls))
        return engine_case.SHORTEST_S / 4

    stopwatch = Stopwatch(run)
    assert [stopwatch(1), stopwatch(1), stopwatch(2)] == [engine_case.SHORTEST_S / 4] * 3
    assert asked == [(1, 1), (1, 1), (1, 1), (1, 4), (1, 1), (1, 4), (2, 1), (2, 1), (2, 1), (2, 4)]


def constant(name: str, seconds: float, **rest: object) -> Yardstick:
    return Yardstick(name, lambda _: seconds, **rest)


def test_a_case_is_held_against_its_yardsticks():
    case = Case(
        ours=lambda: None,
        yardsticks=[
            constant("slow", 1.0, bars={1: 2.0}, value=lambda: [1.0, 4.0], tolerance=0.1),
            constant("fast", 0.0, bars={2: 2.0}),
        ],
        value=lambda: [1.0, 5.0],
    )
    measured = engine_case.measure(case, rounds=1)
    one, two = measured["runs"]
    assert [run["threads"] for run in (one, two)] == [1, 2]
    assert [compared["met"] for compared in one["compared"]] == [True, None]
    assert [compared["met"] for compared in two["compared"]] == [None, False]
    assert one["compared"][0]["ratio"] == pytest.approx(1.0 / one["seconds"])
    assert measured["differences"] == {"slow": {"relative": 0.25, "tolerance": 0.1, "met": False}}


def test_the_limit_is_the_time_of_its_cells_at_the_measured_rate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_case, "rate", lambda arithmetic, threads, is_double: 1e9 * threads)
    limit = engine_case.limit(engine_case.ADD_MAX, 5e6, 0.85)
    assert limit.name == "limit: 5 M add-max"
    assert (limit.seconds(1), limit.seconds(2), limit.bars) == (0.005, 0.0025, {1: 0.85})


@pytest.mark.parametrize("isa", _C.available_isas())
@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.parametrize("arithmetic", [engine_case.ADD_MAX, engine_case.MULTIPLY_ADD])
def test_arithmetic_counts_its_cells(isa: str, is_double: bool, arithmetic: _C.Arithmetic):
    before = _C.select_isa(isa)
    try:
        one = _C.run_arithmetic(arithmetic, is_double, 1)
        assert one > 0
        assert [_C.run_arithmetic(arithmetic, is_double, steps) for steps in (0, 7)] == [0, 7 * one]
    finally:
        _C.select_isa(before)
    assert engine_case.rate(arithmetic, 2, is_double) > 0.0


def test_slope_leaves_out_the_smaller_half():
    sizes = [1, 10, 100, 1000, 10_000]
    assert measure.slope(sizes, [5.0, 5.0, 100.0**2, 1000.0**2, 10_000.0**2]) == pytest.approx(2.0)


def test_without_its_python_torchaudio_is_known_by_what_was_recorded(tmp_path: Path):
    torchaudio = engine_torchaudio.Torchaudio(None, tmp_path)
    known, unknown = engine_torchaudio.Alignment(3000, 300, 0.007), engine_torchaudio.Alignment(1, 1)
    (yardstick,) = torchaudio.yardstick(known, {1: 20})
    assert (yardstick.name, yardstick.seconds(1), yardstick.bars) == ("torchaudio (recorded)", 0.007, {1: 20})
    assert torchaudio.yardstick(unknown, {}) == []
    torchaudio.close()


@pytest.fixture
def engine_results() -> dict:
    """One row with a limit and a peer."""
    limit = {"with": "limit", "is_limit": True, "seconds": 2e-3, "ratio": 0.8, "best_ratio": 0.9, "bar": 0.85}
    rival = {"with": "peer", "is_limit": False, "seconds": 0.123, "ratio": 49.2, "best_ratio": 50.0, "bar": 40}
    compared = [{**limit, "met": False}, {**rival, "met": True}]
    run = {"threads": 1, "seconds": 2.5e-3, "best_seconds": 2e-3, "compared": compared}
    memory = {"name": "long", "threads": 1, "extra_bytes": 2e8, "peak_bytes": 5e8, "seconds": 1.5}
    differences = {"peer": {"relative": 3e-7, "tolerance": 1e-4, "met": True}}
    return {
        "load_before": 2.0,
        "rates": [{"arithmetic": "add-max", "precision": "float32", "cells_a_second": 57e9}],
        "rows": [{"name": "work", "runs": [run], "differences": differences}],
        "memory": [{**memory, "bar": 3e8, "peer": "peer", "peer_bytes": 7e8}],
    }


def test_engine_report_as_markdown(engine_results: dict, tmp_path: Path):
    file = tmp_path / "results" / "engine.md"
    engine_report.write_markdown(file, engine_results)
    lines = file.read_text().splitlines()
    assert "other work ran" in lines[2]
    for line in (
        "| work; one thread | 2.50 ms | peer | 49 | ≥ 40 | 80% (≥ 85%) | **missed** |",
        "| add-max, float32 | 57.0 |  |",
        "| work | 1 | 2.50 | limit | 2.00 | 80% | 90% | ≥ 85% | **missed** |",
        "|  |  |  | peer | 123 | 49 | 50 | ≥ 40 | met |",
        "| work | peer | 3.0e-07 | ≤ 1e-04 | met |",
        "| long; one thread | 200 | ≤ 300 | 500 | 1.50 | met |",
        "|   peer | 700 |  |  |  |  |",
    ):
        assert line in lines


def test_summary_has_each_bar_once(engine_results: dict):
    (row,) = engine_results["rows"]
    (run,) = row["runs"]
    limit, rival = run["compared"]
    row["runs"] = [{**run, "compared": [{**limit, "met": True}, rival]}, {**run, "threads": 2, "compared": [rival]}]
    alone = {"name": "alone", "runs": [{**run, "compared": [limit]}], "differences": {}}
    unheld = {"name": "unheld", "runs": [{**run, "compared": [{**rival, "bar": None}]}], "differences": {}}
    engine_results["rows"] += [alone, unheld]
    summary = next(engine_report.tables(engine_results))
    assert summary.rows == [
        (["work; one thread", "2.50 ms", "peer", "49", "≥ 40", "80% (≥ 85%)"], True),
        (["work; 2 threads", "2.50 ms", "peer", "49", "≥ 40", ""], True),
        (["alone; one thread", "2.50 ms", "", "", "", "80% (≥ 85%)"], False),
    ]


def test_engine_report_on_the_console(engine_results: dict):
    console = measure.make_console()
    with console.capture() as capture:
        engine_report.print_report(console, engine_results)
    assert "missed" in capture.get()


def test_a_dense_row_agrees_with_hmmlearn():
    pytest.importorskip("hmmlearn", reason="needs the extra bench")
    pytest.importorskip("librosa", reason="needs the extra bench")
    import engine_dense
    from engine_peers import DenseProblem

    case = engine_dense.viterbi(DenseProblem(2, 10, 3), engine_dense.Bars({}))
    measured = engine_case.measure(case, rounds=1)
    assert measured["differences"]["hmmlearn"]["relative"] < 1e-6


def test_cells_of_ctc_are_the_arcs_that_paths_can_take():
    pytest.importorskip("hmmlearn", reason="needs the extra bench")
    pytest.importorskip("librosa", reason="needs the extra bench")
    pytest.importorskip("dtaidistance", reason="needs the extra bench")
    import engine_linear

    # 5 states with 2 arcs each on average; those of frames 1, 2, 3 that can matter: 0 to 3, 1 to 4, 3 to 4.
    assert engine_linear.ctc_cells(torch.tensor([1, 2]), 4) == pytest.approx(2 * (4 + 4 + 2))
    assert engine_linear.ctc_cells(torch.tensor([1, 2]), 1) == 0.0
