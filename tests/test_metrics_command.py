"""``streamhmm metrics`` as its users run it."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from test_comparison import SPOKEN, tiers
from test_speech_features import RATE, buzz

from streamhmm import cli
from streamhmm.cli.options import interruptible
from streamhmm.formats import save
from streamhmm.metrics import SpeechComparison, SpeechFeatures, compare_speech

MEASURES = [
    *("mcd_db", "f0_rmse_hz", "f0_rmse_cents", "f0_bias_cents", "f0_log_correlation"),
    *("f0_voicing_error_percent", "f0_gross_error_percent", "f0_frame_error_percent"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[str, str]:
    """Two speakers with two recordings each; the second side is a semitone higher and a little longer."""
    pytest.importorskip("pyworld", reason="pyworld is not installed")
    for speaker, pitch in (("anna", 200.0), ("ben", 110.0)):
        for side, factor, length in (("ref", 1.0, 0.3), ("hyp", 2 ** (1 / 12), 0.35)):
            (tmp_path / side / speaker).mkdir(parents=True)
            for index in range(2):
                samples = buzz(factor * (pitch + 10 * index), length, silent_s=0.1)
                soundfile.write(tmp_path / side / speaker / f"{index}.wav", samples, RATE)
    return str(tmp_path / "ref"), str(tmp_path / "hyp")


def table(text: str) -> dict[tuple[str, str], list[str]]:
    header, *rows = (line.split("\t") for line in text.splitlines())
    assert header == ["of", "measure", "value", "from", "to", "n"]
    return {(unit, measure): cells for unit, measure, *cells in rows}


def test_lines_in_a_pipe(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["metrics", *corpus]) == 0
    captured = capsys.readouterr()
    found = table(captured.out)
    assert list(found) == [("recordings", measure) for measure in MEASURES]
    value, low, high, count = found["recordings", "f0_bias_cents"]
    assert float(value) == pytest.approx(100, abs=10)
    assert float(low) <= float(value) <= float(high)
    assert count == "4"
    assert captured.err == ""


def test_equal_sides(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["metrics", corpus[0], corpus[0]]) == 0
    found = table(capsys.readouterr().out)
    assert found["recordings", "mcd_db"] == ["0", "0", "0", "4"]
    assert found["recordings", "f0_rmse_cents"] == ["0", "0", "0", "4"]


def test_json_and_csv_hold_everything(
    corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, sheet = tmp_path / "f.json", tmp_path / "f.csv"
    options = ["--order", "12", "--frame-shift-ms", "10", "--alpha", "0.3", "--radius", "20", "--seed", "3"]
    assert cli.main(["metrics", *corpus, *options, "--json", str(file), "--csv", str(sheet)]) == 0
    lines = table(capsys.readouterr().out)
    found = json.loads(file.read_text())
    assert (found["streamhmm_metrics"], found["reference"], found["seed"]) == (1, corpus[0], 3)
    assert found["analysis"] == {
        "sample_rate": 16000,
        "frame_shift_ms": 10.0,
        "order": 12,
        "alpha": 0.3,
        "pitch_method": "dio",
        "pitch_floor_hz": 71.0,
        "pitch_ceiling_hz": 800.0,
    }
    assert found["comparison"] == {
        "is_warped": True,
        "step": "symmetric1",
        "radius": 20,
        "with_c0": False,
        "coefficients": 12,
    }
    assert list(found["figures"]) == MEASURES
    rows = list(csv.DictReader(sheet.read_text().splitlines()))
    assert [row["name"] for row in rows] == ["anna/0", "anna/1", "ben/0", "ben/1"]
    assert [row["name"] for row in found["recordings"]] == [row["name"] for row in rows]
    for measure in MEASURES:
        mean = found["figures"][measure]["value"]
        assert np.mean([float(row[measure]) for row in rows]) == pytest.approx(mean)
        assert lines["recordings", measure][0] == f"{mean:.6g}"
    assert {(row["reference_frames"], row["hypothesis_frames"]) for row in rows} == {("41", "46")}
    assert found["recordings"][0]["voiced"] == int(rows[0]["voiced"]) > 20
    assert (found["durations"], found["not_compared"], found["alignments_not_compared"]) == ({}, {}, {})


def test_standard_output(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["metrics", *corpus, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["intervals"] == {"level": 0.95, "units": 4}
    assert cli.main(["metrics", *corpus, "--csv", "-"]) == 0
    assert capsys.readouterr().out.startswith("name,mcd_db,")


def test_a_table_on_a_terminal(
    corpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamhmm.cli.metrics.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    save(Path(corpus[0], "a.TextGrid"), tiers(SPOKEN))
    alignment = str(Path(corpus[0], "a.TextGrid"))
    pair = [f"{corpus[0]}/anna/0.wav", f"{corpus[1]}/anna/0.wav"]
    assert cli.main(["metrics", *pair, "--alignments", alignment, alignment]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [" ".join(line.split()) for line in lines]
    assert "value from to n" in rows
    assert any(row.startswith("mel-cepstral distortion, dB ") and row.endswith(" – – 1") for row in rows)
    assert "words: duration RMSE, ms 0.000 – – 4" in rows
    assert "phones: within 10 % 100.0 – – 8" in rows
    assert "1 recording; too few for intervals" in rows


def test_durations_of_alignments(corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, step_s in (("one", 0.1), ("other", 0.12)):
        (tmp_path / side).mkdir()
        for name in ("a", "b"):
            save(tmp_path / side / f"{name}.json", tiers(SPOKEN, step_s=step_s))
    sides = [str(tmp_path / "one"), str(tmp_path / "other")]
    save(tmp_path / "one" / "lost.json", tiers(SPOKEN))
    assert cli.main(["metrics", *corpus, "--alignments", *sides, "--json", str(tmp_path / "f.json")]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"streamhmm: lost: there is none in {sides[1]}\n"
    found = table(captured.out)
    assert found["phones", "duration_rmse_ms"] == ["20", "20", "20", "16"]
    assert found["phones", "duration_within_20_percent"][0] == "100"
    assert found["phones", "duration_correlation"] == ["", "", "", "16"]
    assert found["words", "duration_correlation"][0] == "1"
    everything = json.loads((tmp_path / "f.json").read_text())
    assert everything["alignments_not_compared"] == {"lost": f"there is none in {sides[1]}"}
    assert (everything["durations"]["words"]["segments"], everything["durations"]["words"]["missed"]) == (8, 0)
    Path(sides[0], "lost.json").unlink()
    save(Path(sides[1], "more.json"), tiers(SPOKEN))
    assert cli.main(["metrics", *corpus, "--alignments", *sides]) == 0  # more than the reference has is no failure


def test_what_can_not_be_compared_is_named(
    corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(corpus[0], "anna", "0.wav").write_bytes(b"RIFF")
    Path(corpus[0], "ben", "1.wav").rename(Path(corpus[0], "lost.wav"))
    assert cli.main(["metrics", *corpus, "--json", str(tmp_path / "f.json")]) == 1
    captured = capsys.readouterr()
    messages = captured.err.splitlines()
    assert messages[:2] == [
        f"streamhmm: lost: there is none in {corpus[1]}",
        f"streamhmm: ben/1: there is none in {corpus[0]}",
    ]
    assert messages[2].startswith(f"streamhmm: {corpus[0]}/anna/0.wav: ")
    assert len(messages) == 3
    assert table(captured.out)["recordings", "mcd_db"][3] == "2"
    assert list(json.loads((tmp_path / "f.json").read_text())["not_compared"]) == ["lost", "ben/1", "anna/0"]


def test_frames_without_warping(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    pair = [f"{corpus[0]}/anna/0.wav", f"{corpus[1]}/anna/0.wav"]
    assert cli.main(["metrics", *pair, "--unwarped"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == (
        "streamhmm: 0: without warping both must have equally many frames, got 81 and 91; warp them, or cut off what "
        "one is longer by"
    )
    assert errors[1] == f"streamhmm: {pair[0]}, {pair[1]}: nothing could be compared; check the two paths"
    assert cli.main(["metrics", *pair, "--unwarped", "--cut", "--with-c0", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["comparison"] == {
        "is_warped": False,
        "step": None,
        "radius": None,
        "with_c0": True,
        "coefficients": 25,
    }
    assert found["recordings"][0]["pairs"] == 81


def test_silence_has_no_pitch(
    corpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(Path(corpus[1], "ben", "1.wav"), np.zeros(RATE // 4), RATE)
    assert cli.main(["metrics", *corpus, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unvoiced"] == ["ben/1"]
    assert (found["figures"]["f0_rmse_hz"]["recordings"], found["figures"]["mcd_db"]["recordings"]) == (3, 4)
    assert found["recordings"][3]["f0_rmse_hz"] is None
    assert cli.main(["metrics", *corpus, "--csv", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[4].startswith("ben/1,")
    monkeypatch.setattr("streamhmm.cli.metrics.is_terminal", lambda: True)
    assert cli.main(["metrics", *corpus]) == 0
    assert "4 recordings; 95 % intervals; 1 without a frame voiced on both sides" in capsys.readouterr().out


def test_rates_that_differ_are_mentioned_once(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(2):
        soundfile.write(Path(corpus[1], "ben", f"{index}.wav"), buzz(116, rate=22_050), 22_050)
    assert cli.main(["metrics", *corpus]) == 0
    assert capsys.readouterr().err == (
        "streamhmm: ben/0: rates of 16000 and 22050 Hz: the edge of the band counts as distortion; "
        "use --sample-rate 14000, or make both recordings at one rate\n"
    )
    assert cli.main(["metrics", *corpus, "--sample-rate", "14000"]) == 0
    assert capsys.readouterr().err == ""
    soundfile.write(Path(corpus[1], "ben", "1.wav"), buzz(116, rate=8_000), 8_000)
    assert cli.main(["metrics", *corpus]) == 0
    assert "ben/1: rates of 8000 and 16000 Hz" in capsys.readouterr().err  # what is told does for all recordings


def test_a_file_that_can_be_written_is_written(
    corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, sheet = tmp_path / "missing" / "f.json", tmp_path / "f.csv"
    assert cli.main(["metrics", *corpus, "--json", str(missing), "--csv", str(sheet)]) == 1
    assert capsys.readouterr().err == f"streamhmm: {missing}: there is no folder {missing.parent}; make it first\n"
    assert len(sheet.read_text().splitlines()) == 5


def test_ctrl_c_need_not_wait_for_a_comparison(
    corpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = []

    def compare(*sides: SpeechFeatures, **options: Any) -> SpeechComparison:
        threads.append(threading.current_thread())
        return compare_speech(*sides, **options)

    monkeypatch.setattr("streamhmm.metrics.compare_speech", compare)
    assert cli.main(["metrics", *corpus]) == 0
    assert len(threads) == 4
    assert threading.main_thread() not in threads


def test_interruptible_work() -> None:
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 / 0)
    is_over = threading.Event()

    def work() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return is_over.wait(60)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interruptible(work)
    finally:
        signal.signal(signal.SIGINT, before)
        is_over.set()


WRONG = {
    "--cut goes with --unwarped": ["a", "b", "--cut"],
    "--radius does not go with --unwarped": ["a", "b", "--unwarped", "--radius", "3"],
    "--json and --csv can't both be standard output": ["a", "b", "--json", "-", "--csv", "-"],
    "sample_rate must be from 6000 to 192000 Hz, got 200000": ["a", "b", "--sample-rate", "200000"],
    "--seed: must be a whole number from 0 on, got '-1'": ["a", "b", "--seed", "-1"],
    "order must be from 1 to 100, got 101": ["a", "b", "--order", "101"],
    "compare two files or two folders": [".", "b"],
    "--alignments: compare two files or two folders": ["a", "b", "--alignments", ".", "b"],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_usage(message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["metrics", *WRONG[message]])
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_without_pyworld(
    corpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    assert cli.main(["metrics", *corpus]) == 1
    assert capsys.readouterr().err == (
        "streamhmm: pitch and mel-cepstra of recordings need pyworld; "
        "install it with: pip install 'streamhmm[metrics]'\n"
    )
