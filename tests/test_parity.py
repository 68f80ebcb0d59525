"""The parity report: what is compared, what is flagged, what is kept."""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from test_network import random_checkpoint
from torch import Tensor

import streamhmm as sh
from streamhmm import cli
from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import Backend, proven
from streamhmm.acoustic.backends.proven import add_record, verdicts
from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.errors import BackendUnavailable, ModelError, OutputError
from streamhmm.formats import Tiers, save
from streamhmm.measure import combinations, parity_report
from streamhmm.measure.combinations import Opened, open_combination, own_model, wanted_combinations
from streamhmm.measure.parity import compare_runtimes, read_samples
from streamhmm.measure.parity_result import Differences, Parity, share_moved, shift_figures
from streamhmm.segment import Segment

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
CHECKPOINT = random_checkpoint()


class Wrong:
    """The network, a little wrong: ``noise`` is added where the step has so many ``frames``, or anywhere."""

    device = torch.device("cpu")

    def __init__(self, precision: str, noise: float, frames: int | None = None) -> None:
        self.name, self.precision, self._noise, self._frames = "onnx", precision, noise, frames

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        posteriors, after = CHECKPOINT.network.trunk(frames, states)
        if self._frames in (None, frames.shape[1]):
            posteriors = posteriors.clone()
            posteriors[..., 0] += self._noise
        return posteriors, after


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(CHECKPOINT, path)
    return str(path)


@pytest.fixture(scope="module")
def aligner(model_file: str) -> sh.Aligner:
    return sh.Aligner(model_file, "torch")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings, one with its truth."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, text in (("a", "ferry"), ("b", "see Karma")):
        soundfile.write(folder / f"{name}.wav", 0.1 * random.standard_normal(20000), 16000)
        (folder / f"{name}.txt").write_text(text)
    ferry = Segment("ferry", 0.1, 0.9)
    phones = tuple(Segment(label, 0.1 + 0.2 * i, 0.3 + 0.2 * i) for i, label in enumerate(["F", "EH", "R", "IY"]))
    save(folder / "a.TextGrid", Tiers((ferry,), phones, (0,) * 4, 1.25))
    return folder


@pytest.fixture(autouse=True)
def own_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(proven, "SHIPPED", tmp_path / "parity.json")
    monkeypatch.setattr(combinations, "MODULES", {"torch": "", "onnx": ""})
    return


def running(aligner: sh.Aligner, runtime: Any, says: str | None = None) -> sh.Aligner:
    """The aligner with another runtime."""
    other = copy.copy(aligner)
    other.model = AcousticModel(CHECKPOINT, RuntimeSettings("torch"))
    other.model.backend = Backend(runtime, CHECKPOINT.config)
    other.runtime = says or f"{runtime.name} {runtime.precision} on cpu"
    return other


def compare(aligner: sh.Aligner, corpus: Path, runtime: Any, says: str | None = None) -> Parity:
    utterances, _ = read_samples(corpus)
    ((result,), problems) = compare_runtimes(utterances, aligner, [running(aligner, runtime, says)])
    assert problems == []
    return result


def test_the_same_network_moves_nothing(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("fp32", 0.0))
    assert result.flags == []
    assert (result.from_reference.largest, share_moved(result.shifts_s, 0)) == (0.0, 0.0)
    assert result.from_whole.mean < 1e-5
    phones = [len(aligner.align(corpus / f"{name}.wav", (corpus / f"{name}.txt").read_text()).phones) for name in "ab"]
    assert len(result.shifts_s) == len(result.cut_shifts_s) == 2 * sum(phones)
    words, all_phones = result.accuracy("words"), result.accuracy("phones")
    assert words is not None
    assert all_phones is not None
    assert (words.boundaries, all_phones.boundaries) == (2, 8)
    assert set(result.ms) == {"latency", "throughput"}


def test_accuracy_is_that_of_the_alignment(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("fp32", 0.0))
    (word,) = aligner.align(corpus / "a.wav", "ferry").words
    assert result.errors_s["words"] == pytest.approx([word.start - 0.1, word.end - 0.9])


def test_what_moves_boundaries_is_flagged(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("fp32", 30.0))
    assert result.from_reference.largest == pytest.approx(30.0, abs=1e-3)
    assert result.from_reference.mean == pytest.approx(30.0 / 40, abs=1e-3)
    assert [flag for flag in result.flags if flag.endswith("% of boundaries move by more than 20 ms")]


def test_what_depends_on_the_cut_is_flagged(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("int8", 3.0, frames=8))  # two frames at a time: chunks of 20 ms only
    assert result.from_whole.largest == pytest.approx(3.0, abs=1e-3)
    assert result.flags[0].startswith("results depend on how audio is cut: 0.0")


def test_a_false_name_and_a_precision_that_does_not_run_are_flagged(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("int8", 0.0), "torch fp32 on cpu")
    assert result.flags == [
        "the aligner says torch fp32 on cpu runs",
        "its results are those of fp32 to the bit: the precision does not run",
    ]


@pytest.mark.parametrize("noise", [math.nan, math.inf])
def test_what_is_not_finite_counts_as_far_away(aligner: sh.Aligner, corpus: Path, noise: float) -> None:
    result = compare(aligner, corpus, Wrong("fp32", noise))
    assert result.flags


def test_a_runtime_that_breaks_has_failures(aligner: sh.Aligner, corpus: Path) -> None:
    class Broken(Wrong):
        def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
            if frames.shape[0] > 1 or self.precision == "int8":
                raise RuntimeError("no memory\nfor it")
            return super().step(frames, states)

    utterances, _ = read_samples(corpus)
    for precision, reason in (("fp32", "a: no memory"), ("int8", "a: no memory")):
        broken = running(aligner, Broken(precision, 0.0))
        broken.model.backend.runtime.name = "onnx"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("streamhmm.measure.parity.ms_a_second", lambda *_: 1.0)
            ((result,), _) = compare_runtimes(utterances, aligner, [broken])
        assert result.flags[-1].startswith(f"2 recordings could not be aligned: {reason}")


def test_recordings_that_cant_be_used_are_named(aligner: sh.Aligner, corpus: Path) -> None:
    (corpus / "c.wav").write_bytes(b"RIFF")
    (corpus / "c.txt").write_text("see")
    (corpus / "d.wav").write_bytes(b"RIFF")
    (corpus / "a.txt").write_text("see " * 100)
    utterances, problems = read_samples(corpus)
    assert [problem.split(":")[0] for problem in problems] == ["d"]
    (result,), failed = compare_runtimes(utterances, aligner, [aligner])
    assert [line.split(":")[0] for line in failed] == [str(corpus / "c.wav"), "a"]
    assert result.failures == []


def test_figures_of_shifts() -> None:
    shifts_s = [0.0, 0.01, -0.02, 0.021, math.nan]
    assert share_moved(shifts_s, 10) == pytest.approx(3 / 5)
    assert share_moved(shifts_s, 20) == pytest.approx(2 / 5)
    mean, p99, largest = shift_figures(shifts_s)
    assert (mean, largest) == (pytest.approx(51 / 4), pytest.approx(21.0))
    assert 20 < p99 < 21
    assert (share_moved([], 10), shift_figures([math.nan])) == (0.0, (0.0, 0.0, 0.0))


def test_differences_of_log_posteriors() -> None:
    found = Differences()
    assert found.mean == 0.0
    found.add(torch.tensor([[0.0, -math.inf]]), torch.tensor([[1.0, -math.inf]]))
    found.add(torch.tensor([[2.0, 2.0]]), torch.tensor([[2.0, -1.0]]))
    assert (found.largest, found.mean) == (3.0, 1.0)
    found.add(torch.zeros(0, 2), torch.zeros(0, 2))
    found.add(torch.tensor([[math.nan]]), torch.tensor([[0.0]]))
    assert found.largest == math.inf


def test_combinations_open_or_say_why_not(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted_combinations(["onnx"], ["fp32", "int8"]) == [("onnx", "fp32"), ("onnx", "int8")]
    assert wanted_combinations([], ["fp32"]) == [("torch", "fp32"), ("onnx", "fp32")]
    opened = open_combination(model_file, "torch", "fp32")
    assert opened.aligner is not None
    missing = open_combination(model_file, "abacus", "fp32")
    assert (missing.aligner, missing.is_missing) == (None, True)
    assert missing.problem.startswith("backend abacus is unknown")
    monkeypatch.setattr(combinations, "COMPILERS", ("torch",))
    monkeypatch.setattr(combinations, "is_ready", lambda *_: False)
    waiting = open_combination(model_file, "torch", "fp32", compile=False)
    assert waiting.problem == "it has to compile for a while first; name it with --backend to do so"
    monkeypatch.setattr(combinations, "Aligner", lambda *_: 1 / 0)
    broken = open_combination(model_file, "torch", "fp32")
    assert (broken.problem, broken.is_missing) == ("division by zero", False)


def parity(*arguments: str) -> int:
    return cli.main(["parity", *arguments])


def test_command_tells_writes_and_keeps(
    corpus: Path, model_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parity_report, "LEAST_BOUNDARIES", 1)
    record, figures = tmp_path / "record.json", tmp_path / "all.json"
    wanted = ["--backend", "torch", "--precision", "fp32", "--device", "cpu"]
    assert parity(str(corpus), "--model", model_file, *wanted, "--json", str(figures), "--record", str(record)) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    head, line = shown.out.splitlines()
    assert head.split("\t")[0] == "combination"
    assert line.split("\t")[0] == "torch fp32 on cpu"
    assert line.split("\t")[-1] == "same"
    report = json.loads(figures.read_text())
    assert (report["recordings"], report["fingerprint"]) == (2, CHECKPOINT.fingerprint)
    (entry,) = report["combinations"]
    assert entry["passed"]
    assert entry["accuracy"]["words"]["boundaries"] == 2
    assert report["versions"]["torch"] == torch.__version__
    assert json.loads(record.read_text())["models"] == {CHECKPOINT.fingerprint: report}
    assert {str(one): verdict.passed for one, verdict in verdicts(CHECKPOINT.fingerprint).items()} == {
        "torch fp32": True
    }


def test_too_little_is_not_kept(corpus: Path, model_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(corpus), "--model", model_file, "--backend", "torch", "--precision", "fp32", "--json", "-"]
    assert parity(*arguments, "--limit", "1") == 0
    shown = capsys.readouterr()
    assert "fewer than 1000 boundaries prove nothing: what has fewer is not kept for auto" in shown.err
    assert json.loads(shown.out)["recordings"] == 1
    assert verdicts(CHECKPOINT.fingerprint) == {}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--backend", "torch"], 0, "streamhmm: fewer than 1000"),
        (["--backend", "torch", "--backend", "abacus"], 1, "abacus fp32: backend abacus is unknown"),
        (["--backend", "torch", "--precision", "fp32", "--precision", "int4"], 1, "torch int4: backend torch has no"),
        (["--backend", "abacus"], 1, "nothing of what was named runs here: backend abacus is unknown"),
    ],
)
def test_what_was_named_has_to_run(
    corpus: Path, model_file: str, options: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parity(str(corpus), "--model", model_file, "--limit", "1", *options) == code
    complaint = capsys.readouterr().err
    assert message in complaint
    assert ("has no precision" in complaint) == ("has no" in message)


def test_a_model_that_torch_cant_run_needs_a_reference(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise BackendUnavailable("backend torch can't run x.onnx")

    monkeypatch.setattr("streamhmm.align.aligner.Aligner", refuse)
    assert parity(str(corpus), "--model", "x.onnx") == 1
    expected = "streamhmm: backend torch can't run x.onnx; name a model that torch can run with --reference\n"
    assert capsys.readouterr().err == expected


def test_an_empty_corpus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(str(tmp_path)) == 1
    assert capsys.readouterr().err == f"streamhmm: {tmp_path}: there are no recordings with texts in it\n"


def test_a_record_that_cant_be_written_is_named(
    corpus: Path, model_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parity_report, "LEAST_BOUNDARIES", 1)
    arguments = ["--model", model_file, "--backend", "torch", "--precision", "fp32", "--record", "/no/such/file"]
    assert parity(str(corpus), *arguments) == 1
    assert "streamhmm: /no/such/file: there is no folder /no/such; make it first\n" in capsys.readouterr().err


def test_the_table_shows_flags(aligner: sh.Aligner, corpus: Path) -> None:
    result = compare(aligner, corpus, Wrong("fp32", 30.0))
    result.from_reference.largest = math.inf
    report = parity_report.report_of("m", "f", corpus, 2, [result], [], [])
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(parity_report.parity_table(report))
    assert "onnx fp32 on cpu" in console.export_text()
    assert "∞" in parity_report.parity_lines(report)
    assert json.dumps(report, allow_nan=False)
    assert parity_report.parity_notes(report, [])[0].startswith("onnx fp32 on cpu: ")


def test_a_reason_is_told_once(corpus: Path) -> None:
    others = [
        Opened("tensorrt", "fp32", problem="it is not installed"),
        Opened("tensorrt", "int8", problem="it is not installed"),
        Opened("onnx", "int4", problem="backend onnx has no precision int4"),
        Opened("onnx", "bf16", problem="symbol not found"),
    ]
    report = parity_report.report_of("m", "f", corpus, 0, [], others, [])
    told = ["tensorrt fp32: it is not installed", "onnx bf16: symbol not found"]
    assert parity_report.parity_notes(report, []) == told
    named = parity_report.parity_notes(report, ["int4"])
    assert named == [told[0], "onnx int4: backend onnx has no precision int4", told[1]]
    assert parity_report.telling_part(report)["combinations"] == []


def test_every_combination_is_judged_by_itself() -> None:
    good = Parity("torch", "fp32", "cpu", "torch fp32 on cpu", shifts_s=[0.0] * 1000)
    small = Parity("torch", "bf16", "cpu", "torch bf16 on cpu", shifts_s=[0.001] * 999)
    crashed = Parity("onnx", "int8", "cpu", "onnx int8 on cpu", failures=["a: no memory"])
    report = parity_report.report_of("m", "f", "corpus", 2, [good, small, crashed], [], [])
    kept = parity_report.telling_part(report)
    assert [(one["backend"], one["passed"]) for one in kept["combinations"]] == [("torch", True), ("onnx", False)]
    assert {**kept, "combinations": report["combinations"]} == report


@pytest.mark.parametrize("content", ['{"my": "other report"}', "", "[]", '{"streamhmm_parity": 2, "models": {}}'])
def test_what_is_no_record_is_not_overwritten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(OutputError, match=r"mine\.json: this is no record of parity, or a damaged one; name another"):
        add_record({"fingerprint": "x", "combinations": []}, path)
    assert path.read_text() == content


def test_two_runs_keep_both_their_reports(tmp_path: Path) -> None:
    path, count = tmp_path / "record.json", 20
    each = [{"fingerprint": str(number), "combinations": []} for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda report: add_record(report, path), each))
    assert set(json.loads(path.read_text())["models"]) == {str(number) for number in range(count)}


def test_models_of_others_and_none_are_refused(aligner: sh.Aligner) -> None:
    other = copy.copy(aligner)
    other.model = None  # type: ignore[assignment]
    with pytest.raises(ModelError, match="Hugging Face models run on PyTorch only; name a model of streamhmm"):
        own_model(other)
    with pytest.raises(ModelError, match="no shipped model is called 'nobody'"):
        open_combination("nobody", "torch", "fp32")
