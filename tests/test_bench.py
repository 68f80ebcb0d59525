"""The benches' own arithmetic: how boundary errors are counted, and what counts as below a bar."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import streamhmm as sh
from streamhmm import formats

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import accuracy  # noqa: E402
import accuracy_report  # noqa: E402
import recordings  # noqa: E402
import truth  # noqa: E402
import truth_corpus  # noqa: E402


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


def test_truth_sets_become_a_corpus(utterance: truth.Utterance, tmp_path: Path) -> None:
    sets = tmp_path / "sets" / "one"
    sets.mkdir(parents=True)
    soundfile.write(sets / "one.flac", np.zeros(9600), 16000)
    content = json.loads((tmp_path / "one.json").read_text())
    content["phones"][2]["end"], content["phones"][3]["start"] = None, None
    content["phones"][5]["start"] = 0.539  # a little before the end of the last
    (sets / "one.json").write_text(json.dumps(content))
    for _ in range(2):
        arguments = [str(tmp_path / "corpus"), "--sets", "one", "--truth", str(tmp_path / "sets")]
        assert truth_corpus.main(arguments) == 0
    folder = tmp_path / "corpus" / "one"
    assert (folder / "one.flac").resolve() == sets / "one.flac"
    assert (folder / "one.txt").read_text() == "to be\n"
    tiers = formats.load(folder / "one.TextGrid")
    assert [(word.label, word.start, word.end) for word in tiers.words] == [("to", 0.2, 0.4), ("be", 0.5, 0.58)]
    phones = [(phone.label, phone.start, phone.end) for phone in tiers.phones]
    assert phones == [("T", 0.2, 0.3), ("B", 0.5, 0.54), ("IY", 0.54, 0.58)]
    assert tiers.phone_words == (0, 1, 1)
