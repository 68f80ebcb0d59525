"""The doctor: what works, what is missing and how to get it, what is broken; growth of memory; saved set-ups."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_network import random_checkpoint

import streamhmm as sh
from streamhmm import _C, cli
from streamhmm.acoustic import RuntimeSettings
from streamhmm.acoustic.backends import proven
from streamhmm.acoustic.backends.proven import add_record
from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.audio.devices import InputDevice
from streamhmm.errors import AudioError
from streamhmm.measure import combinations, doctor, growth
from streamhmm.measure.combinations import Opened
from streamhmm.measure.doctor import examine
from streamhmm.measure.growth import Growth, growth_of, resident_bytes, usual_work

CHECKPOINT = random_checkpoint()


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(CHECKPOINT, path)
    return str(path)


@pytest.fixture(autouse=True)
def a_small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(proven, "SHIPPED", tmp_path / "parity.json")
    monkeypatch.setattr(combinations, "MODULES", {"torch": ""})
    monkeypatch.setattr(combinations, "PRECISIONS", ("fp32", "int4"))
    monkeypatch.setattr(doctor, "input_devices", list)


def states(found: doctor.Diagnosis) -> dict[str, tuple[str, str]]:
    return {f"{state.backend} {state.precision}": (state.state, state.note) for state in found.backends}


def opening(monkeypatch: pytest.MonkeyPatch, change: Callable[[Opened], Opened]) -> None:
    """Changes what opens in the doctor's table, but not the reference."""
    real = doctor.open_combination

    def changed(model: str, backend: str, precision: str, device: str, **options: Any) -> Opened:
        opened = real(model, backend, precision, device, **options)
        return change(opened) if options else opened

    monkeypatch.setattr(doctor, "open_combination", changed)


def test_what_works_and_what_is_missing(model_file: str) -> None:
    steps: list[str] = []
    found = examine(model_file, on_progress=steps.append)
    assert steps == ["torch fp32", "torch int4", "auto for latency", "auto for throughput"]
    assert states(found)["torch fp32"] == ("works", "")
    state, note = states(found)["torch int4"]
    assert (state, note[:36]) == ("missing", "backend torch has no precision int4;")
    assert found.problems == []
    (working, _) = found.backends
    assert (working.device, set(working.ms), working.parity, working.growth) == (
        "cpu",
        {"latency", "throughput"},
        "unproven",
        None,
    )
    assert found.auto["throughput"].settings == RuntimeSettings("torch", "fp32", "cpu", "throughput")
    assert found.auto["latency"].reason == "STREAMHMM_BACKEND names it"
    assert found.core == {"available": _C.available_isas(), "used": _C.available_isas()[0]}
    assert found.versions["torch"] == torch.__version__
    assert found.cuda["engine"] == hasattr(_C, "cuda")
    assert json.loads(json.dumps(found.as_dict()))["auto"]["latency"]["backend"] == "torch"


@pytest.mark.parametrize(("passed", "word"), [(True, "same"), (False, "flagged")])
def test_parity_that_is_known_is_told(model_file: str, passed: bool, word: str) -> None:
    entry = {"backend": "torch", "precision": "fp32", "device": "cpu", "passed": passed}
    add_record({"fingerprint": CHECKPOINT.fingerprint, "combinations": [entry]})
    assert examine(model_file, device="cpu").backends[0].parity == word


def test_what_raises_or_is_wrong_is_broken(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opening(monkeypatch, lambda opened: Opened("torch", opened.precision, problem="symbol not found"))
    found = examine(model_file)
    assert states(found)["torch fp32"] == ("fails", "symbol not found")
    assert found.problems == ["torch fp32: symbol not found", "torch int4: symbol not found"]


def test_a_runtime_that_computes_something_else_is_broken(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "what_is_wrong", lambda *_: "its log-posteriors are off by up to 3, 1 in the mean")
    found = examine(model_file)
    assert found.problems == ["torch fp32: its log-posteriors are off by up to 3, 1 in the mean"]


def test_a_runtime_that_breaks_at_work_is_broken(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "what_is_wrong", lambda *_: 1 / 0)
    assert states(examine(model_file))["torch fp32"] == ("fails", "division by zero")


def test_memory_that_grows_is_told(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "growth_of", lambda work, rounds: Growth(300 * 1024.0, 3e6))
    found = examine(model_file, rounds=4)
    assert found.problems == ["torch fp32: memory grows by 300 KiB a round"]
    monkeypatch.setattr(doctor, "growth_of", lambda work, rounds: Growth(300.0, 3e6))
    found = examine(model_file, rounds=4)
    assert (found.problems, found.backends[0].growth) == ([], 300.0)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([5, 9, 20, 20, 20, 20], Growth(0.0, 0.0)), ([0, 0, 0, 10, 20, 30], Growth(10.0, 20.0))],
)
def test_growth_is_the_slope_over_the_later_half(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], expected: Growth
) -> None:
    left = iter(sizes)
    monkeypatch.setattr(growth, "resident_bytes", lambda: next(left))
    found = growth_of(lambda: None, len(sizes))
    assert found is not None
    assert found == pytest.approx(expected, abs=1e-9)
    assert not found.is_too_much


def test_growth_needs_rounds_and_a_system_that_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rounds must be at least 4, got 3"):
        growth_of(lambda: None, 3)
    monkeypatch.setattr(growth, "STATM", tmp_path / "none")
    assert growth_of(lambda: None, 4) is None


def test_held_memory_is_seen() -> None:
    held = []
    before = resident_bytes()
    held.append(b"x" * 400_000_000)
    after = resident_bytes()
    assert before is not None
    assert after is not None
    assert 250_000_000 < after - before < 600_000_000  # other threads may free what they held
    assert Growth(200 * 1024, 1e7).is_too_much


def test_usual_work_runs_every_way(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    aligner = sh.Aligner(model_file, "torch")
    called = []
    for name in ("align", "align_batch", "stream"):
        real = getattr(aligner, name)
        monkeypatch.setattr(aligner, name, lambda *given, real=real, name=name: called.append(name) or real(*given))
    usual_work(aligner)()
    assert called == ["align", "align_batch", "stream"]


def test_a_wrong_instruction_set_is_a_problem(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> str:
        raise ValueError("instruction set must be one of baseline, got 'mmx'")

    monkeypatch.setattr(doctor._C, "select_isa", refuse)
    found = examine(model_file)
    assert found.problems == ["STREAMHMM_ISA: instruction set must be one of baseline, got 'mmx'"]


def test_a_cache_that_cant_be_written_is_a_problem(
    model_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "file" / "below"))
    (problem,) = examine(model_file).problems
    assert problem.startswith("the cache folder can't be written to (")
    assert problem.endswith("); name another with STREAMHMM_CACHE")


def test_microphones_are_listed_or_why_there_are_none(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "input_devices", lambda: [InputDevice(3, "Headset", "ALSA", 1, 48000, True)])
    assert examine(model_file).audio == ["3: Headset (ALSA)"]

    def refuse() -> None:
        raise AudioError("the package sounddevice is missing")

    monkeypatch.setattr(doctor, "input_devices", refuse)
    found = examine(model_file)
    assert (found.audio, found.problems) == (["the package sounddevice is missing"], [])


def test_command_tells_everything(model_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, saved = tmp_path / "all.json", tmp_path / "fast.json"
    arguments = ["--model", model_file, "--rounds", "0", "--json", str(written), "--save", str(saved)]
    assert cli.main(["doctor", *arguments, "--hint", "throughput"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0].startswith("torch\tfp32\tworks\tcpu\t")
    assert lines[1].startswith("torch\tint4\tmissing\t")
    for start in ("machine: ", "versions: streamhmm ", "engine: uses ", "CUDA: engine with", f"cache: {tmp_path}"):
        assert [line for line in lines if line.startswith(start)]
    assert lines[-1] == "auto for throughput: torch fp32 on cpu: STREAMHMM_BACKEND names it"
    assert json.loads(written.read_text())["problems"] == []
    assert RuntimeSettings.load(saved) == RuntimeSettings("torch", "fp32", "cpu", "throughput")
    assert sh.Aligner(model_file, str(saved)).settings == RuntimeSettings.load(saved)


def test_command_fails_if_something_is_broken(
    model_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opening(monkeypatch, lambda opened: Opened("torch", opened.precision, problem="symbol not found"))
    assert cli.main(["doctor", "--model", model_file, "--backend", "torch", "--json", "-"]) == 1
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0] == "streamhmm: torch fp32: symbol not found"
    assert json.loads(shown.out)["backends"][0]["state"] == "fails"


@pytest.mark.parametrize("named", [[], ["--backend", "torch"]])
def test_what_is_named_is_compiled(model_file: str, named: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    opening(monkeypatch, lambda opened: opened)
    real = doctor.open_combination
    monkeypatch.setattr(doctor, "open_combination", lambda *given, **how: asked.append(how) or real(*given, **how))
    assert cli.main(["doctor", "--model", model_file, "--rounds", "0", *named]) == 0
    assert asked == [{}, *2 * [{"compile": bool(named)}]]


def test_a_missing_backend_that_was_named_is_told(
    model_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opening(monkeypatch, lambda opened: Opened("torch", opened.precision, problem="install it", is_missing=True))
    assert cli.main(["doctor", "--model", model_file, "--rounds", "0"]) == 0
    assert cli.main(["doctor", "--model", model_file, "--rounds", "0", "--backend", "torch"]) == 1
    assert capsys.readouterr().err == "streamhmm: torch: install it\n"


def test_auto_that_finds_nothing_is_a_problem(
    model_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMHMM_BACKEND", "abacus")
    found = examine(model_file)
    assert found.auto == {}
    assert [problem.split(":")[0] for problem in found.problems] == ["auto for latency", "auto for throughput"]
    assert "backend abacus is unknown" in found.problems[0]
    saved = tmp_path / "fast.json"
    assert cli.main(["doctor", "--model", model_file, "--rounds", "0", "--save", str(saved)]) == 1
    expected = f"streamhmm: {saved} was not written: auto finds nothing for latency here"
    assert capsys.readouterr().err.splitlines()[-1] == expected
    assert not saved.exists()


def test_a_terminal_gets_a_table(
    model_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setattr("streamhmm.cli.doctor.is_terminal", lambda: True)
    assert cli.main(["doctor", "--model", model_file, "--rounds", "4"]) == 0
    shown = capsys.readouterr().out
    assert "KiB/round" in shown
    assert "int4" not in shown  # the backend has no such precision


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamhmm.cli.doctor import shown_steps

    theirs, ours = pty.openpty()
    with os.fdopen(ours, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with shown_steps() as show:
            show("torch fp32")
    os.close(theirs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--save", "fast.txt"], "--save: the name of a set-up ends in .json, got fast.txt\n"),
        (["--backend", "nonsense"], "--backend: nonsense is unknown; choose one of: torch, "),
        (["--rounds", "3"], "must be 0 or a whole number from 4 on, got '3'\n"),
        (["--rounds", "many"], "must be 0 or a whole number from 4 on, got 'many'\n"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_set_up_that_cant_be_written_is_named(model_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--model", model_file, "--rounds", "0", "--save", "/no/such/fast.json"]) == 1
    expected = "streamhmm: /no/such/fast.json: there is no folder /no/such; make it first\n"
    assert capsys.readouterr().err == expected


def test_a_library_that_is_not_there_is_named_before_any_compiling(
    model_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    missing = combinations.open_combination(model_file, "tensorrt", "fp32", compile=False)
    assert missing.is_missing
    assert missing.problem.endswith("which is not installed: pip install 'streamhmm[tensorrt]'")
    long = combinations.open_combination(model_file, "torch-compile", "fp32", compile=False)
    assert long.problem == "it has to compile for a while first; name it with --backend to do so"
