"""The benches' own arithmetic: how boundary errors are counted, and what counts as below a bar."""

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
import recordings  # noqa: E402
import truth  # noqa: E402
from boundaries import Span  # noqa: E402


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
