"""The choice of a runtime: the fastest that works and is proven; remembered; explained."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from test_network import random_checkpoint
from torch import Tensor

import streamhmm as sh
from streamhmm.acoustic import RuntimeSettings, automatic, network
from streamhmm.acoustic import backends as backends_package
from streamhmm.acoustic.backends import (
    auto,
    inductor,
    open_backend,
    proven,
    ready,
    remembered,
    tensorrt_engine,
    tensorrt_runtime,
    trial,
)
from streamhmm.acoustic.backends.auto import Opener, choose
from streamhmm.acoustic.backends.inductor import compiled_name
from streamhmm.acoustic.backends.proven import Combination, add_record, is_proven, verdicts
from streamhmm.acoustic.backends.ready import is_ready
from streamhmm.acoustic.backends.tensorrt_engine import Sizes, engine_name
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.acoustic.exported.onnx_conversions import converted_name
from streamhmm.acoustic.exported.onnx_graph import onnx_name
from streamhmm.acoustic.shipped import find_model
from streamhmm.corpus.settings import Settings
from streamhmm.errors import BackendUnavailable

CHECKPOINT = random_checkpoint()
NAMES = ("torch", "onnx", "openvino", "torchscript", "torch-compile")


class Fake:
    """The network itself under another name; ``wrong`` is added to what it gives, for so many ``frames`` only."""

    device = torch.device("cpu")

    def __init__(self, name: str, precision: str, wrong: float = 0.0, frames: int | None = None) -> None:
        self.name, self.precision, self._wrong, self._frames = name, precision, wrong, frames

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        posteriors, after = CHECKPOINT.network.trunk(frames, states)
        return posteriors + (self._wrong if self._frames in (None, frames.shape[1]) else 0.0), after


class Table:
    """A table of backends; ``speeds`` in ms by combination, what has none can't be opened. Counts what is opened."""

    def __init__(self, speeds: dict[str, float], **wrong: Any) -> None:
        self.speeds, self.wrong = speeds, wrong
        self.opened: list[str] = []

    def open(self, checkpoint: object, settings: RuntimeSettings) -> Fake:
        one = f"{settings.backend} {settings.precision}"
        self.opened.append(one)
        if settings.backend == "torch" and settings.precision == "auto":
            return Fake("torch", "fp32")
        if one not in self.speeds:
            raise BackendUnavailable(f"backend {settings.backend} has no precision {settings.precision}")
        return Fake(settings.backend, settings.precision, **self.wrong.get(settings.backend, {}))

    def choose(self, **asked: str) -> auto.Chosen:
        return choose(CHECKPOINT, RuntimeSettings(**asked), Opener(NAMES, self.open))


@pytest.fixture(autouse=True)
def an_empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STREAMHMM_BACKEND")
    monkeypatch.setattr(proven, "SHIPPED", tmp_path / "parity.json")
    monkeypatch.setattr(auto, "is_ready", lambda *_: True)
    monkeypatch.setattr(auto, "BUDGET_S", 1e9)  # however busy the machine is
    monkeypatch.setattr(auto, "LONGEST_LOAD_S", dict.fromkeys(trial.FRAMES, 1e9))
    for module in (auto, automatic):
        monkeypatch.setattr(module, "installed_backends", lambda: ("onnx", "openvino"))


def timed(monkeypatch: pytest.MonkeyPatch, table: Table) -> Table:
    """The table with its speeds instead of measured ones."""
    monkeypatch.setattr(auto, "ms_a_second", lambda runtime, *_: table.speeds[f"{runtime.name} {runtime.precision}"])
    return table


def entry(backend: str, precision: str, passed: bool, **ms: float) -> dict[str, Any]:
    return {"backend": backend, "precision": precision, "device": "cpu", "passed": passed, "ms": ms}


def prove(*entries: dict[str, Any], path: Path | None = None) -> None:
    add_record({"fingerprint": CHECKPOINT.fingerprint, "combinations": entries}, path)


def test_the_fastest_is_taken_and_the_reason_has_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.1, "onnx fp32": 0.61, "openvino fp32": 1.4}))
    chosen = table.choose()
    assert (chosen.runtime.name, chosen.runtime.precision) == ("onnx", "fp32")
    assert chosen.reason.startswith(
        "onnx fp32: 0.61 ms for a second of audio (latency); others: openvino fp32 1.40, torch fp32 2.10; measured 20"
    )
    assert chosen.reason.endswith(
        "; reduced precision was not tried: streamhmm parity has not proven any for this model"
    )
    assert "torchscript fp32 was not taken: backend torchscript has no precision fp32; " in chosen.reason
    assert not {one for one in table.opened if not one.endswith(" fp32")}


def test_what_is_hardly_faster_than_torch_is_not_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 1.0, "onnx fp32": 0.95}))
    assert table.choose().runtime.name == "torch"


def test_reduced_precision_needs_a_record_and_failed_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    prove(entry("onnx", "int8", True), entry("onnx", "fp32", False), entry("openvino", "bf16", False))
    table = timed(monkeypatch, Table({"torch fp32": 3.0, "onnx fp32": 0.1, "onnx int8": 0.5, "openvino bf16": 0.1}))
    chosen = table.choose()
    assert (chosen.runtime.name, chosen.runtime.precision) == ("onnx", "int8")
    assert not {"onnx fp32", "openvino bf16"} & set(table.opened)
    assert "reduced precision was not tried" not in chosen.reason


def test_a_named_precision_is_taken_from_any_backend_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    prove(entry("onnx", "int8", False))
    table = timed(monkeypatch, Table({"torch fp32": 3.0, "onnx int8": 0.1, "openvino int8": 0.5}))
    assert table.choose(precision="int8").runtime.name == "openvino"
    assert "onnx int8" not in table.opened
    with pytest.raises(
        BackendUnavailable, match=r"no backend works here with precision int4, device cpu \(torch int4: "
    ):
        table.choose(precision="int4", device="cpu")


def test_a_named_precision_is_made_if_no_other_backend_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "is_ready", lambda checkpoint, settings: settings.backend == "torch")
    monkeypatch.setattr(auto, "LONGEST_LOAD_S", dict.fromkeys(trial.FRAMES, -1.0))
    table = timed(monkeypatch, Table({"torch fp32": 3.0, "onnx int8": 0.5, "openvino int8": 0.1}))
    chosen = table.choose(precision="int8")
    assert chosen.runtime.name == "onnx"
    assert table.opened == ["torch int8", "onnx int8"]
    assert "openvino int8 was not tried: its file is not made yet" in chosen.reason
    assert "onnx int8 was not tried" not in chosen.reason


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"wrong": 1.0}, "onnx fp32 was not taken: its log-posteriors are off by up to 1, 1 in the mean"),
        ({"wrong": float("nan")}, "its log-posteriors are off by up to nan"),
        ({"wrong": 1.0, "frames": 12}, "its log-posteriors are in chunks off by up to 1,"),
    ],
)
def test_a_broken_runtime_is_not_taken(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], message: str) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}, onnx=wrong))
    chosen = table.choose()
    assert chosen.runtime.name == "torch"
    assert message in chosen.reason


@pytest.mark.parametrize(
    ("wrong", "taken"),
    [
        (0.038, "onnx"),  # as the shipped INT8 is
        (0.25, "torch"),  # on a processor whose products saturate
    ],
)
def test_int8_that_saturates_is_not_taken(monkeypatch: pytest.MonkeyPatch, wrong: float, taken: str) -> None:
    prove(entry("onnx", "int8", True))
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx int8": 0.1}, onnx={"wrong": wrong}))
    chosen = table.choose()
    assert chosen.runtime.name == taken
    refused = "onnx int8 was not taken: its log-posteriors are off by up to 0.25, 0.25 in the mean"
    assert (refused in chosen.reason) == (taken == "torch")


@pytest.mark.parametrize(("most", "wrong"), [(0.9, False), (1.1, True)])
def test_int8_may_not_be_far_off_anywhere(most: float, wrong: bool) -> None:
    class Spike(Fake):
        def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
            posteriors, after = super().step(frames, states)
            posteriors[0, 0, 0] += most
            return posteriors, after

    expected = trial.log_posteriors(Fake("torch", "fp32"), CHECKPOINT.config, trial.made_up_features())
    problem = trial.what_is_wrong(Spike("onnx", "int8"), CHECKPOINT.config, expected)
    assert (problem is not None) == wrong


def test_what_breaks_in_any_way_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    opened = table.open

    def explode(checkpoint: object, settings: RuntimeSettings) -> Fake:
        if settings.backend == "onnx":
            raise RuntimeError("symbol not found\nin a library")
        return opened(checkpoint, settings)

    monkeypatch.setattr(table, "open", explode)
    chosen = table.choose()
    assert chosen.runtime.name == "torch"
    assert "onnx fp32 was not taken: symbol not found; " in chosen.reason


def test_what_takes_long_to_open_is_taken_for_throughput_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "LONGEST_LOAD_S", {"latency": -1.0, "throughput": 99.0})
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    chosen = table.choose()
    assert chosen.runtime.name == "torch"
    assert re.search(r"onnx fp32 was not taken: it takes \d+\.\d s to open", chosen.reason)
    assert table.choose(hint="throughput").runtime.name == "onnx"


def test_what_is_not_ready_is_not_opened_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    monkeypatch.setattr(auto, "is_ready", lambda checkpoint, settings: settings.backend != "onnx")
    chosen = table.choose()
    assert chosen.runtime.name == "torch"
    assert "onnx fp32 was not tried: its file is not made yet, which naming it once does" in chosen.reason
    assert "onnx fp32" not in table.opened
    monkeypatch.setattr(auto, "is_ready", lambda *_: True)
    assert table.choose().runtime.name == "onnx"


def test_trials_end_when_their_time_is_up_those_first_that_were_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    prove(entry("openvino", "bf16", True, latency=0.2), entry("onnx", "fp32", True, latency=0.4))
    monkeypatch.setattr(auto, "is_ready", lambda *_: True)
    monkeypatch.setattr(auto, "BUDGET_S", 0.0)
    table = timed(monkeypatch, Table({"torch fp32": 2.0}))
    chosen = table.choose()
    assert table.opened == ["torch fp32"]
    places = [chosen.reason.index(f"{name} was not taken: no time") for name in ("openvino bf16", "onnx fp32")]
    assert places == sorted(places)
    monkeypatch.setattr(auto, "BUDGET_S", 1e9)
    table.speeds |= {"openvino bf16": 0.2, "onnx fp32": 0.4, "openvino fp32": 1.0}
    assert "no time" not in table.choose().reason
    table.opened.clear()
    assert table.choose().runtime.name == "openvino"
    assert table.opened == ["openvino bf16"]


def test_a_choice_is_remembered_by_its_circumstances(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    first = table.choose()
    table.opened.clear()
    again = table.choose()
    assert (again.runtime.name, again.reason) == ("onnx", first.reason)
    assert table.opened == ["onnx fp32"]
    table.choose(hint="throughput")
    assert "torch fp32" in table.opened
    assert {choice.settings.hint for choice in remembered.all_choices()} == {"latency", "throughput"}
    table.opened.clear()
    monkeypatch.setattr(remembered, "installed_version", lambda name: "other")
    table.choose()
    assert "torch fp32" in table.opened
    table.opened.clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": False})
    table.choose()
    assert "torch fp32" in table.opened


def test_a_remembered_runtime_that_is_gone_is_chosen_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    table.choose()
    del table.speeds["onnx fp32"]
    assert table.choose().runtime.name == "torch"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"settings": {"backend": 3, "speed": 1}}'])
def test_a_damaged_memory_is_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    table.choose()
    (path,) = (tmp_path / "cache").glob("auto-*.json")
    whole = path.read_bytes()
    path.write_bytes(content)
    assert table.choose().runtime.name == "onnx"
    assert json.loads(path.read_bytes()) == json.loads(whole)


def test_without_a_place_to_remember_it_is_measured_every_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "file" / "below"))
    table = timed(monkeypatch, Table({"torch fp32": 2.0, "onnx fp32": 0.1}))
    for _ in range(2):
        table.opened.clear()
        assert table.choose().runtime.name == "onnx"
        assert "torch fp32" in table.opened
    assert list(remembered.all_choices()) == []


def test_with_torch_alone_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "installed_backends", lambda: ())
    monkeypatch.setattr(auto, "ms_a_second", None)
    table = Table({})
    chosen = table.choose()
    assert chosen.reason == (
        "no other runtime is installed; there are onnx, openvino, tensorrt: pip install 'streamhmm[onnx]'"
    )
    assert table.opened == ["torch auto"]


def test_options_need_a_named_backend() -> None:
    settings = RuntimeSettings(options={"threads": 1})
    with pytest.raises(ValueError, match="options threads are those of one backend; name it instead of auto"):
        open_backend(CHECKPOINT, settings)


def test_the_environment_may_name_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMHMM_BACKEND", "abacus,torch")
    with pytest.warns(RuntimeWarning, match="passed over backend abacus"):
        backend = open_backend(CHECKPOINT)
    assert (backend.name, backend.reason) == ("torch", "STREAMHMM_BACKEND names it")
    assert open_backend(CHECKPOINT, RuntimeSettings("torch")).reason == "it was named"
    monkeypatch.setenv("STREAMHMM_BACKEND", "auto")
    assert automatic.named_backend() is None


def test_a_real_choice_is_made_among_real_runtimes_and_kept() -> None:
    backend = open_backend(CHECKPOINT, RuntimeSettings(device="cpu"))
    again = open_backend(CHECKPOINT, RuntimeSettings(device="cpu"))
    assert (again.name, again.precision, again.reason) == (backend.name, backend.precision, backend.reason)
    assert " ms for a second of audio (latency)" in backend.reason
    assert backend.with_offsets(torch.zeros(40)).reason == backend.reason


def test_an_aligner_says_why_and_its_set_up_can_be_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMHMM_BACKEND", "torch")
    aligner = sh.Aligner()
    assert (aligner.runtime, aligner.runtime_reason) == ("torch fp32 on cpu", "STREAMHMM_BACKEND names it")
    assert aligner.settings == RuntimeSettings("torch", "fp32", "cpu")
    aligner.settings.save(tmp_path / "fast.json")
    again = sh.Aligner(backend=str(tmp_path / "fast.json"))
    assert (again.settings, again.runtime_reason) == (aligner.settings, "it was named")


def made_by(name: str) -> str:
    """The name of what is kept for a backend and precision."""
    tensorrt = Sizes.of(RuntimeSettings("tensorrt"))
    return {
        "onnx fp32": lambda: onnx_name(CHECKPOINT),
        "onnx auto": lambda: onnx_name(CHECKPOINT),
        "onnx int8": lambda: converted_name(CHECKPOINT, "int8"),
        "openvino bf16": lambda: onnx_name(CHECKPOINT),
        "torch-compile fp32": lambda: compiled_name(CHECKPOINT, "fp32", torch.device("cpu")),
        "torch-compile int8": lambda: compiled_name(CHECKPOINT, "int8", torch.device("cpu")),
        "tensorrt fp16": lambda: engine_name(CHECKPOINT, "fp16", tensorrt, torch.device("cuda:0")),
    }[name]()


@pytest.fixture
def a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_engine, "version", lambda: "11.4")
    monkeypatch.setattr(tensorrt_engine, "card", lambda device: f"card {device}")
    monkeypatch.setattr(tensorrt_runtime, "usable_device", lambda settings: torch.device("cuda:0"))
    monkeypatch.setattr(ready, "devices", lambda: ("cpu",))


@pytest.mark.parametrize(
    "one",
    [
        "onnx fp32",
        "onnx auto",
        "onnx int8",
        "openvino bf16",
        "torch-compile fp32",
        "torch-compile int8",
        "tensorrt fp16",
    ],
)
def test_what_is_kept_from_before_is_ready(a_card: None, one: str) -> None:
    settings = RuntimeSettings(*one.split())
    assert is_ready(CHECKPOINT, RuntimeSettings("torchscript"))
    assert not is_ready(CHECKPOINT, settings)
    kept = made_by(one)
    (cache_folder() / kept.replace(CHECKPOINT.fingerprint, "other")).write_text("")
    assert not is_ready(CHECKPOINT, settings)
    (cache_folder() / kept).write_text("")
    assert is_ready(CHECKPOINT, settings)


@pytest.mark.parametrize(
    ("one", "change"),
    [
        ("onnx fp32", "torch"),
        ("onnx int8", "onnxruntime"),
        ("openvino bf16", "torch"),
        ("torch-compile fp32", "torch"),
        ("torch-compile fp32", "threads"),
        ("torch-compile fp32", "processor"),
        ("torch-compile int8", "torchao"),
        ("tensorrt fp16", "tensorrt"),
        *((one, "step") for one in ("onnx fp32", "onnx int8", "openvino bf16", "torch-compile fp32", "tensorrt fp16")),
        *((one, "streamhmm") for one in ("onnx fp32", "onnx int8", "torch-compile fp32", "tensorrt fp16")),
    ],
)
def test_what_other_versions_kept_is_not_ready(
    a_card: None, monkeypatch: pytest.MonkeyPatch, one: str, change: str
) -> None:
    (cache_folder() / made_by(one)).write_text("")
    changes: dict[str, tuple[Any, str, Any]] = {
        "torch": (torch, "__version__", "9.9"),
        "onnxruntime": (onnxruntime, "__version__", "9.9"),
        "threads": (torch, "get_num_threads", lambda: 77),
        "processor": (torch.cpu, "get_capabilities", lambda: {"cpu_name": "Abacus"}),
        "torchao": (inductor, "installed_version", lambda name: "9.9"),
        "tensorrt": (tensorrt_engine, "version", lambda: "9.9"),
        "step": (network, "STEP_VERSION", 99),
        "streamhmm": (network, "__version__", "9.9"),
    }
    monkeypatch.setattr(*changes[change])
    assert not is_ready(CHECKPOINT, RuntimeSettings(*one.split()))


def test_what_was_shipped_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_checkpoint(find_model("en"))
    assert is_ready(shipped, RuntimeSettings("onnx", "int8"))
    assert not is_ready(shipped, RuntimeSettings("onnx"))

    def refuse(checkpoint: object) -> None:
        raise BackendUnavailable("backend onnx needs onnx")

    monkeypatch.setattr("streamhmm.acoustic.backends.ready.shipped_int8", refuse)
    assert not is_ready(shipped, RuntimeSettings("onnx", "int8"))


def test_nothing_is_ready_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "file" / "below"))
    assert not is_ready(CHECKPOINT, RuntimeSettings("onnx"))


def test_records_are_merged_and_this_machines_own_counts(tmp_path: Path) -> None:
    prove(entry("onnx", "int8", True, latency=0.5), entry("onnx", "fp32", True), path=tmp_path / "parity.json")
    prove(entry("onnx", "int8", False))
    prove(entry("openvino", "bf16", True))
    known = verdicts(CHECKPOINT.fingerprint)
    assert {str(one): verdict.passed for one, verdict in known.items()} == {
        "onnx int8": False,
        "onnx fp32": True,
        "openvino bf16": True,
    }
    assert verdicts("other") == {}
    assert str(Combination("torch", "fp16", "cuda")) == "torch fp16 on cuda"
    assert is_proven(Combination("onnx", "fp32", "cpu"), {})
    assert not is_proven(Combination("onnx", "bf16", "cpu"), {})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"streamhmm_parity": 2, "models": {}}',
        '{"streamhmm_parity": 1, "models": {"x": {"combinations": 3}}}',
    ],
)
def test_a_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "parity.json").write_text(content)
    assert verdicts(CHECKPOINT.fingerprint) == {}


def test_a_record_that_cant_be_written_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(proven.os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        prove(entry("onnx", "int8", True), path=tmp_path / "record.json")
    assert list(tmp_path.glob("*record*")) + list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_speed_is_the_median_over_the_audio_of_a_call(monkeypatch: pytest.MonkeyPatch, hint: str) -> None:
    clock = iter([0.0, 1.0, 1.0, 3.0, 3.0, 9.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    seconds = trial.FRAMES[hint] / 100
    assert trial.ms_a_second(Fake("torch", "fp32"), CHECKPOINT.config, hint) == pytest.approx(2000 / seconds)


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    save_checkpoint(CHECKPOINT, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_a_corpus_is_decided_once_with_one_thread(monkeypatch: pytest.MonkeyPatch, model_file: str) -> None:
    seen = []

    def chosen(checkpoint: object, asked: RuntimeSettings, opener: Opener) -> auto.Chosen:
        seen.append((asked, torch.get_num_threads()))
        return auto.Chosen(Fake("onnx", "int8"), "because")

    monkeypatch.setattr(backends_package, "choose", chosen)
    monkeypatch.setattr("streamhmm.corpus.settings.installed_backends", lambda: ("onnx",))
    threads = torch.get_num_threads()
    settings = Settings(model_file, device="cpu")
    decided = settings.decided()
    assert seen == [(RuntimeSettings("auto", "auto", "cpu", "throughput"), 1)]
    assert torch.get_num_threads() == threads
    assert decided.backend == RuntimeSettings("onnx", "int8", "cpu", "throughput")
    assert (decided.precision, decided.device, decided.runtime) == ("auto", "auto", "onnx int8 on cpu")
    assert decided.decided() == decided
    assert decided.digest([model_file]) != settings.digest([model_file])
    assert Settings("no such model", "torch").decided().runtime == "torch auto on auto"


def test_a_corpus_without_a_choice_needs_no_model(monkeypatch: pytest.MonkeyPatch, model_file: str) -> None:
    settings = Settings("no such model")
    monkeypatch.setattr("streamhmm.corpus.settings.installed_backends", lambda: ())
    assert settings.decided() == settings
    monkeypatch.setattr("streamhmm.corpus.settings.installed_backends", lambda: ("onnx",))
    plain = Settings(model_file).digest([model_file])
    monkeypatch.setenv("STREAMHMM_BACKEND", "torch")
    assert settings.decided() == settings
    assert Settings(model_file).digest([model_file]) != plain


def test_a_corpus_takes_a_saved_set_up(tmp_path: Path, model_file: str) -> None:
    path = tmp_path / "fast.json"
    RuntimeSettings("torch", device="cpu").save(path)
    assert Settings(model_file, str(path)).decided().backend == RuntimeSettings("torch", "fp32", "cpu")
    with pytest.raises(ValueError, match="the settings name precision and device already, got 'int8' and 'auto', too"):
        Settings(model_file, str(path), "int8").decided()
    RuntimeSettings("torch", options={"colour": 1}).save(path)
    with pytest.raises(ValueError, match="backend torch has no option colour"):
        Settings(model_file, str(path)).decided()
