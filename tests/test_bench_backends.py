"""bench/backends.py: its audio, its bars, its tables; nothing is timed."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import soundfile
from test_network import noise, random_checkpoint
from test_rtf import RATE, long

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import backends
import measure

from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.measure.inputs import Inputs, read_inputs
from streamhmm.measure.report import Report
from streamhmm.measure.rtf import Measured
from streamhmm.measure.scenarios import LONG_BATCH, LONG_CHUNKS, LONG_WHOLE, SINGLE


def results() -> list[Measured]:
    """Of three backends; of the stages nothing is known."""
    factors = {
        ("torch fp32", SINGLE): 0.4,
        ("onnx int8", SINGLE): 0.1,
        ("onnx fp32", SINGLE): 0.3,
        ("torch fp32", LONG_CHUNKS): 0.6,
        ("torch fp32", LONG_BATCH): 0.4,
        ("onnx int8", LONG_BATCH): 0.2,
        ("torch fp32", LONG_WHOLE): 0.3,
    }
    return [long(subject, scenario, factor) for (subject, scenario), factor in factors.items()]


def test_bars_hold_the_fastest_against_the_baseline() -> None:
    assert list(backends.bars(results(), threads=2)) == [
        ("single chunk", "onnx int8", pytest.approx(4.0), 2.0),
        ("10 chunks in batch, eager chunk by chunk", "onnx int8", pytest.approx(3.0), 3.0),
        ("10 chunks in batch, eager in batch", "onnx int8", pytest.approx(2.0), 3.0),
        ("10 s in one pass, eager chunk by chunk", "torch fp32", pytest.approx(2.0), 3.0),
        ("10 s in one pass, eager in one pass", "torch fp32", pytest.approx(1.0), 3.0),
    ]


def test_tables_say_what_is_met() -> None:
    rows = backends.bars_table(results(), 2).rows
    assert rows[0] == (["single chunk", "onnx int8", "4.00", "≥ 2"], True)
    assert rows[2] == (["10 chunks in batch, eager in batch", "onnx int8", "2.00", "≥ 3"], False)
    assert backends.files_table({"fp32": 4e6, "onnx fp32": 4.4e6, "onnx int8": 1.2e6}).rows == [
        (["fp32", "4.00", "100%", ""], None),
        (["onnx fp32", "4.40", "110%", ""], None),
        (["onnx int8", "1.20", "30%", "< 30%"], False),
    ]
    assert backends.tutor_table(results()).rows[-1] == (
        ["combined", "onnx int8", LONG_BATCH, "0.20000", "3.00", "the best combination found"],
        None,
    )


def test_recordings_have_their_texts_beside_them(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    soundfile.write(tmp_path / "there" / "a.wav", noise(RATE).numpy(), RATE)
    audio = tmp_path / "there" / "a.wav"
    paths = backends.lay_out([(audio, "one"), (audio, "two")], tmp_path / "here")
    assert [each.text for each in read_inputs(paths, 60.0).recordings] == ["one", "two"]


def test_results_come_back_from_json() -> None:
    found = results()[0]
    report = Report("en", 1, Inputs([], [], 0), [], [], [found], [])
    (again,) = backends.read_results(json.loads(json.dumps(report.as_dict()))["results"])
    assert again.call == found.call
    assert math.isnan(again.usage.host_peak_bytes)
    assert (again.scenario, again.rtf, again.batch_size) == (found.scenario, found.rtf, None)


def test_children_get_their_number_of_threads(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text("import json, os, sys; print(json.dumps([os.environ['OMP_NUM_THREADS'], json.load(sys.stdin)]))")
    assert measure.run_child(child, request={"a": 1}, threads=3) == ["3", {"a": 1}]
    assert measure.run_child(child) == ["1", None]


def test_the_child_measures_on_the_threads_it_is_given(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", noise(RATE // 2).numpy(), RATE)
    save_checkpoint(random_checkpoint(), tmp_path / "small.safetensors")
    request = {"audio": [str(tmp_path / "one.wav")], "backends": ["torch"], "precisions": ["fp32"], "rounds": 2}
    request |= {"model": str(tmp_path / "small.safetensors"), "seconds": 1}
    answer = measure.run_child(backends.CHILD, request=request)
    assert answer["threads"] == 1
    assert {each["subject"] for each in answer["results"]} == {"torch fp32"}
    assert answer["file_bytes"] == {"fp32": (tmp_path / "small.safetensors").stat().st_size}
