"""``streamhmm rtf`` as its users run it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from made_up_clock import Clock
from test_network import noise, random_checkpoint
from test_rtf import RATE, made_up, run, taking

from streamhmm import cli
from streamhmm.acoustic import RuntimeSettings
from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.cli import rtf_report
from streamhmm.cli.rtf import _complain
from streamhmm.errors import BackendUnavailable
from streamhmm.measure.inputs import Inputs, Recording
from streamhmm.measure.report import Report
from streamhmm.measure.rtf import Failure, Measured, Usage
from streamhmm.measure.scenarios import LONG_CHUNKS
from streamhmm.measure.subjects import Missing
from streamhmm.plots.rtf import plot_rtf


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_checkpoint(random_checkpoint(), path)
    return str(path)


@pytest.fixture
def command(model_file: str, tmp_path: Path) -> Iterator[list[str]]:
    """On half a second with its text, as quickly as it goes."""
    threads = torch.get_num_threads()
    soundfile.write(tmp_path / "one.wav", noise(RATE // 2).numpy(), RATE)
    (tmp_path / "one.lab").write_text("a")
    options = ["--model", model_file, "--backend", "torch", "--precision", "fp32", "--rounds", "2", "--threads", "1"]
    yield ["rtf", str(tmp_path / "one.wav"), *options]
    torch.set_num_threads(threads)


@pytest.fixture
def report() -> Report:
    """Of two backends on a made-up clock; one knows its memory."""
    clock = Clock()
    subjects = [made_up("torch fp32"), made_up("onnx fp32")]
    seconds = {"torch fp32": [0.5] * 12, "onnx fp32": [0.25] * 12}
    found = [each for each in run(clock, subjects, taking(clock, seconds), rounds=2) if isinstance(each, Measured)]
    found = [replace(each, scenario=LONG_CHUNKS, usage=Usage()) for each in found]
    found[1] = replace(found[1], usage=Usage(100e6, 1e6, 50e6, 0.5))
    missing = [Missing("torch int8", "no"), Missing("tensorrt fp32", "install it"), Missing("tensorrt fp16", "too")]
    recordings = [Recording(Path("one.wav"), torch.zeros(RATE), RATE, None)]
    return Report("en", 2, Inputs(recordings, [], 0), subjects, missing, found, [])


def test_lines_and_files(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = ["--json", str(tmp_path / "all.json"), "--plot", str(tmp_path / "all.svg")]
    assert cli.main([*command, *outputs, "--profile", str(tmp_path / "profile")]) == 0
    assert torch.get_num_threads() == 1
    printed = capsys.readouterr()
    lines = [line.split("\t") for line in printed.out.splitlines()]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[1][:2] == ["single chunk, 1 s", "torch fp32"]
    assert lines[-1][0] == "alignment to a file"
    written = json.loads((tmp_path / "all.json").read_text())
    assert (written["streamhmm_rtf"], written["threads"], len(written["results"])) == (1, 1, len(lines) - 1)
    assert (tmp_path / "all.svg").read_text().startswith("<?xml")
    trace = json.loads((tmp_path / "profile" / "torch-fp32.trace.json").read_text())
    assert "aten::addmm" in {event.get("name") for event in trace["traceEvents"]}
    assert "aten::addmm" in (tmp_path / "profile" / "torch-fp32.operations.txt").read_text()
    assert "streamhmm:" not in printed.err


def test_json_on_standard_output(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == command[3]


def test_what_fails_is_named(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.lab").unlink()
    (tmp_path / "torn.wav").write_text("no audio")
    command[command.index("torch")] = "torch,abacus"
    assert cli.main([command[0], str(tmp_path / "torn.wav"), *command[1:]]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"streamhmm: {tmp_path / 'torn.wav'}: ")
    assert said[1].startswith("streamhmm: backend abacus is unknown; choose one of: ")
    assert said[2:] == [
        "streamhmm: no recording has a text beside it (.lab, .txt): measured as far as the network, no alignment"
    ]


@pytest.mark.parametrize(
    ("backends", "precisions", "said"),
    [
        ((), ("int8",), []),
        (("torch", "tensorrt"), (), ["install it"]),
        (("torch", "tensorrt"), ("int8",), ["no", "install it", "too"]),
    ],
)
def test_what_was_named_must_run(
    report: Report,
    backends: tuple[str, ...],
    precisions: tuple[str, ...],
    said: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = argparse.Namespace(backend=backends, precision=precisions)
    assert _complain(report, options) == int(bool(said))
    assert capsys.readouterr().err.splitlines()[:-1] == [f"streamhmm: {reason}" for reason in said]


def test_a_runtime_that_fails_is_named(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(report, failures=[Failure("short, 3 s", "onnx fp32", "RuntimeError: no kernel")])
    assert _complain(failed, argparse.Namespace(backend=(), precision=())) == 0
    assert capsys.readouterr().err.splitlines()[0] == "streamhmm: onnx fp32: short, 3 s: RuntimeError: no kernel"


@pytest.mark.parametrize(("named", "code"), [((), 0), (("torch",), 0), (("torch", "onnx"), 1), (("fast.json",), 1)])
def test_a_runtime_that_was_named_must_not_fail(
    report: Report, named: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RuntimeSettings("onnx", "fp32").save("fast.json")
    failed = replace(report, failures=[Failure("short, 3 s", "onnx fp32", "RuntimeError: no kernel")])
    assert _complain(failed, argparse.Namespace(backend=named, precision=())) == code


def test_a_set_up_that_was_named_must_run(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RuntimeSettings("tensorrt", "fp16").save(tmp_path / "t.json")
    assert _complain(report, argparse.Namespace(backend=(str(tmp_path / "t.json"),), precision=())) == 1
    assert capsys.readouterr().err.splitlines()[0] == "streamhmm: too"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "x.bmp"], "the suffix of 'x.bmp' must be one of .png, .svg, .pdf, got '.bmp'"),
        (["--backend", ","], "argument --backend: must be names with commas between, got ','"),
        (["--rounds", "0"], "argument --rounds: must be a whole number of at least 1, got '0'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rtf", "one.wav", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rtf", str(tmp_path)]) == 1
    assert "there is no recording in it" in capsys.readouterr().err


def test_tables_on_a_terminal(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = rtf_report.tables(report).splitlines()
    rows = [line.split() for line in lines]
    assert max(map(len, lines)) <= 120
    assert "torch: not in int8" in lines
    assert "tensorrt: not here: install it" in lines
    assert ["onnx", "fp32", "4", *["250"] * 1, "0.00", *["250"] * 5, "2.00", "×"] in rows
    assert ["onnx", "fp32", "0.125", "8", "125"] in rows
    assert ["torch", "fp32", "0.250", "4", "250"] in rows
    assert ["onnx", "fp32", "1.00", "100", "1", "50", "50%"] in rows
    assert ["torch", "fp32", "1.00", "–", "–", "–", "–"] in rows
    combined = next(row for row in rows if row[:1] == ["combined"])
    assert combined[:9] == ["combined", "onnx", "fp32", "chunk", "by", "chunk", "0.125", "2.00", "×"]


def test_columns_that_nobody_knows_are_left_out(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    known = replace(report, results=[replace(each, usage=Usage(1e6, 0.0)) for each in report.results])
    assert "GPU" in rtf_report.tables(report)
    assert "GPU" not in rtf_report.tables(known)


def test_plot_needs_matplotlib(report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendUnavailable, match="plots need matplotlib"):
        plot_rtf(report.results, tmp_path / "x.png")


def test_plot_says_what_was_measured(report: Report, tmp_path: Path) -> None:
    batch = [replace(each, scenario="corpus, batch of 4", batch_size=4) for each in report.results]
    plot_rtf([*report.results, *batch], tmp_path / "all.svg")
    drawn = (tmp_path / "all.svg").read_text()
    assert all(
        f"<!-- {text} -->" in drawn for text in ("torch fp32", "onnx fp32", LONG_CHUNKS, "hours of audio an hour")
    )


def test_plot_of_nothing_is_empty(tmp_path: Path) -> None:
    plot_rtf([], tmp_path / "none.svg")
    assert "throughput by batch size" in (tmp_path / "none.svg").read_text()
