"""The benches' own arithmetic: how boundary errors and times are counted, and what counts as below a bar."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import streamhmm as sh

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import accuracy  # noqa: E402
import accuracy_report  # noqa: E402
import boundaries  # noqa: E402
import engine_case  # noqa: E402
import engine_report  # noqa: E402
import engine_torchaudio  # noqa: E402
import measure  # noqa: E402
import recordings  # noqa: E402
import truth  # noqa: E402
from boundaries import Span  # noqa: E402
from engine_case import Case, Stopwatch, Yardstick  # noqa: E402

from streamhmm import _C  # noqa: E402


def spans(text: str, step: float = 0.1) -> list[Span]:
    """Phones of equal length, in a row."""
    return [Span(label, index * step, (index + 1) * step) for index, label in enumerate(text.split())]


def test_summary_counts_a_missed_boundary_in_every_percentage_and_in_no_mean():
    summary = boundaries.summarise([0.010, -0.030, None, 0.005])
    assert (summary.boundaries, summary.missed) == (4, 1)
    assert summary.within == (50.0, 50.0, 50.0, 75.0, 75.0)
    assert summary.mean_ms == pytest.approx(15.0)
    assert summary.median_ms == pytest.approx(10.0)
    assert summary.bias_ms == pytest.approx(-5.0)


def test_summary_of_an_error_that_is_a_threshold_but_for_rounding():
    assert boundaries.summarise([0.31 - 0.30]).within == (100.0,) * 5


def test_summary_of_misses_only():
    summary = boundaries.summarise([None, None])
    assert (summary.missed, summary.within) == (2, (0.0,) * 5)
    assert summary.mean_ms != summary.mean_ms


@pytest.mark.parametrize(
    ("label", "phones"),
    [("AH", ["AH"]), ("EH_R", ["EH", "R"]), ("EH_R_R", ["EH", "R"]), ("AO_R_DH", ["AO", "R", "DH"])],
)
def test_unit_phones(label: str, phones: list[str]):
    assert boundaries.unit_phones(label) == phones


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("DH AH", "DH AH", [0, 1]),
        ("DH AH", "DH IY", [0, 1]),  # a vowel for a vowel
        ("AH N D", "AH N", [0, 1, None]),
        ("AH N", "AH N D", [0, 1]),
        ("T AH", "AH", [None, 0]),
        ("AH", "T", [None]),  # never a consonant for a vowel
        ("", "T", []),
        ("T", "", [None]),
    ],
)
def test_pair_phones(one: str, other: str, pairs: list[int | None]):
    assert boundaries.pair_phones(one.split(), other.split()) == pairs


def test_phone_errors_of_equal_pronunciations():
    shifted = [Span(span.label, span.start + 0.01, span.end + 0.02) for span in spans("K AE T")]
    errors = boundaries.phone_errors(spans("K AE T"), shifted)
    assert errors.starts == pytest.approx((0.01,) * 3)
    assert errors.ends == pytest.approx((0.02,) * 3)
    assert errors.same_label == 3


def test_phone_errors_leave_out_a_boundary_where_the_pronunciations_differ():
    errors = boundaries.phone_errors(spans("AE N D"), spans("AE N"))
    assert errors.starts == pytest.approx((0.0, 0.0, None))
    assert errors.ends == (pytest.approx(0.0), None, None)
    errors = boundaries.phone_errors(spans("AE N"), spans("AE N D"))
    assert errors.ends == (pytest.approx(0.0), None)


def test_phone_errors_take_a_unit_from_its_first_to_its_last_phone():
    unit = [Span("S", 0.0, 0.1), Span("EH_R_R", 0.1, 0.35)]
    errors = boundaries.phone_errors(unit, spans("S EH R"))
    assert errors.starts == pytest.approx((0.0, 0.0))
    assert errors.ends == pytest.approx((0.0, -0.05))
    assert errors.same_label == 3


@pytest.fixture
def utterance(tmp_path: Path) -> truth.Utterance:
    """ "to be": a pause before each word, the second one short, its end unknown to nobody."""
    content = {
        "text": "to be",
        "words": [{"text": "to", "start": 0.2, "end": 0.4}, {"text": "be", "start": 0.5, "end": 0.58}],
        "phones": [
            {"phone": "SIL", "start": 0.0, "end": 0.2},
            {"phone": "T", "start": 0.2, "end": 0.3},
            {"phone": "UW", "start": 0.3, "end": 0.4},
            {"phone": "SIL", "start": 0.4, "end": 0.5},
            {"phone": "B", "start": 0.5, "end": 0.54},
            {"phone": "IY", "start": 0.54, "end": 0.58},
        ],
        "events": [{"kind": "vot", "word": 0, "burst": 0.27, "voicing": 0.29}],
    }
    (tmp_path / "one.json").write_text(json.dumps(content))
    (read,) = truth.load_set(tmp_path)
    return read


def test_truth_is_read(utterance: truth.Utterance):
    assert utterance.audio.name == "one.flac"
    assert utterance.words[1] == ("be", 0.5, 0.58)
    assert utterance.voicing == {0: 0.29}


def test_outcome_of_an_alignment(utterance: truth.Utterance):
    phones = [("T", 0.2, 0.31), ("UW", 0.31, 0.4), ("B", 0.5, 0.54), ("IY", 0.54, 0.6)]
    alignment = sh.Alignment(
        words=(sh.Segment("to", 0.2, 0.4), sh.Segment("be", 0.5, 0.6)),
        phones=tuple(sh.Segment(*phone) for phone in phones),
        phone_words=(0, 0, 1, 1),
        duration=1.0,
    )
    errors, counts, failure, _ = accuracy.compare(utterance, alignment)
    assert errors["words"] == pytest.approx([0.0, 0.0, 0.0, 0.02])
    assert errors["words under 100 ms"] == pytest.approx([0.0, 0.02])
    assert errors["word starts after a pause"] == pytest.approx([0.0, 0.0])
    assert errors["word ends before a pause"] == pytest.approx([0.0, 0.02])
    assert errors["word starts with a stop"] == pytest.approx([0.0, 0.0])
    assert errors["initial stops' ends"] == pytest.approx([0.01, 0.0])
    assert errors["voicing"] == errors["voicing after initial T"] == pytest.approx([0.02])
    assert errors["phones"] == pytest.approx([0.0, 0.01, 0.01, 0.0, 0.0, 0.0, 0.0, 0.02])
    assert (counts, failure) == ({"boundaries": 8, "compared": 8}, None)


def test_a_failed_utterance_misses_every_boundary(utterance: truth.Utterance):
    errors, counts, failure, _ = accuracy.compare(utterance, None, "why")
    assert errors["words"] == [None] * 4
    assert errors["phones"] == [None] * 8
    assert errors["voicing"] == [None]
    assert (counts, failure) == ({"boundaries": 8}, "why")


def test_shortfalls_are_judged_to_the_precision_of_the_table():
    bar = accuracy_report.Recorded((50, 81, 88, 96, 100), 14.3, 10.0)
    good = {"within": (50.0, 80.6, 88.2, 97.0, 99.7), "mean_ms": 14.34, "median_ms": 10.0}
    assert accuracy_report.shortfalls(good, bar) == []
    bad = {"within": (49.0, 81.0, 88.0, 96.0, 99.4), "mean_ms": 14.4, "median_ms": float("nan")}
    assert accuracy_report.shortfalls(bad, bar) == ["≤ 10 ms", "≤ 100 ms", "mean_ms", "median_ms"]


def test_recordings_are_joined_up_to_the_wanted_length(tmp_path: Path):
    pieces = []
    for name, length in (("b", 0.7), ("a", 1.0), ("c", 0.2)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(round(length * 16000)), 16000)
        pieces.append((tmp_path / f"{name}.wav", f"{name}\n"))
    joined = recordings.join(pieces, 2.1, tmp_path / "joined.flac")
    assert (joined.text, joined.seconds) == ("a b c c", pytest.approx(2.1))
    assert soundfile.info(joined.audio).frames == 2.1 * 16000
    assert recordings.join(pieces, 0.1, tmp_path / "one.flac").text == "c"


def test_recordings_at_another_rate_are_refused(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    with pytest.raises(ValueError, match=r"a.wav must be mono at 16000 Hz, got 8000 Hz, shape \(800,\)"):
        recordings.join([(tmp_path / "a.wav", "a")], 1.0, tmp_path / "joined.flac")


def test_a_stopwatch_does_not_count_the_first_call_and_repeats_short_ones():
    asked = []

    def run(threads: int, calls: int) -> float:
        asked.append((threads, calls))
        return engine_case.SHORTEST_S / 4

    stopwatch = Stopwatch(run)
    assert [stopwatch(1), stopwatch(1), stopwatch(2)] == [engine_case.SHORTEST_S / 4] * 3
    assert asked == [(1, 1), (1, 1), (1, 4), (1, 4), (2, 1), (2, 1), (2, 4)]


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
    """One row with a limit and a peer, and one without figures."""
    limit = {"with": "limit", "is_limit": True, "seconds": 2e-3, "ratio": 0.8, "best_ratio": 0.9, "bar": 0.85}
    rival = {"with": "peer", "is_limit": False, "seconds": 0.123, "ratio": 49.2, "best_ratio": 50.0, "bar": 40}
    compared = [{**limit, "met": False}, {**rival, "met": True}]
    run = {"threads": 1, "seconds": 2.5e-3, "best_seconds": 2e-3, "compared": compared}
    differences = {"peer": {"relative": 3e-7, "tolerance": 1e-4, "met": True}}
    return {
        "load_before": 2.0,
        "rates": [{"arithmetic": "add-max", "precision": "float32", "cells_a_second": 57e9}],
        "rows": [{"name": "work", "runs": [run], "differences": differences}, {"name": "other", "missing": "why"}],
        "memory": [{"name": "long", "extra_bytes": 2e8, "bar": 3e8, "seconds": 1.5, "peer": "peer", "peer_bytes": 7e8}],
    }


def test_engine_report_as_markdown(engine_results: dict, tmp_path: Path):
    file = tmp_path / "results" / "engine.md"
    engine_report.write_markdown(file, engine_results)
    lines = file.read_text().splitlines()
    assert "other work ran" in lines[2]
    for line in (
        "| add-max, float32 | 57.0 |  |",
        "| work | 1 | 2.50 | limit | 2.00 | 80% | 90% | ≥ 85% | **missed** |",
        "|  |  |  | peer | 123 | 49 | 50 | ≥ 40 | met |",
        "| work | peer | 3.0e-07 | ≤ 1e-04 | met |",
        "| long | 200 | ≤ 300 | 1.50 | met |",
        "|   peer | 700 |  |  |  |",
        "Not measured: other: why.",
    ):
        assert line in lines


def test_engine_report_on_the_console(engine_results: dict):
    console = measure.make_console()
    with console.capture() as capture:
        engine_report.print_report(console, engine_results)
    shown = capture.get()
    assert "missed" in shown
    assert "not measured: other: why" in shown


def test_a_dense_row_agrees_with_hmmlearn():
    pytest.importorskip("hmmlearn", reason="needs the extra bench")
    pytest.importorskip("librosa", reason="needs the extra bench")
    import engine_dense
    from engine_peers import DenseProblem

    case = engine_dense.viterbi(DenseProblem(2, 10, 3), engine_dense.Bars({}))
    measured = engine_case.measure(case, rounds=1)
    assert measured["differences"]["hmmlearn"]["relative"] < 1e-6
