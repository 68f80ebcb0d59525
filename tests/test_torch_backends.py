"""PyTorch's backends: rewritten networks, devices, CUDA graphs (recorded by a stand-in), scripts and compiled files."""

from __future__ import annotations

import contextlib
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch._inductor.config
from test_network import noise, random_checkpoint
from torch import Tensor, nn

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import cuda_graphs, inductor, open_backend
from streamhmm.acoustic.backends.cuda_graphs import GraphedStep
from streamhmm.acoustic.backends.devices import devices, precisions, products_in
from streamhmm.acoustic.backends.inductor import compiled_file, in_int8
from streamhmm.acoustic.backends.rewrites import NarrowLinear, TapSum, rewritten
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.exported import load_model
from streamhmm.acoustic.exported.torch_files import write_program, write_torchscript
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.network import Trunk
from streamhmm.errors import BackendUnavailable, ModelError

CPU = torch.device("cpu")


def inputs(trunk: Trunk, batch: int = 3, steps: int = 9, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(batch, 2 * steps + 6, N_MELS, generator=generator)
    return frames, torch.randn(batch, sum(trunk.config.pasts), trunk.config.width, generator=generator)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says that there are two cards."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("taps", [False, True])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("tf32", 1e-5), ("fp16", 3e-3), ("bf16", 3e-2)])
def test_rewritten_trunk_computes_the_same(precision: str, tolerance: float, taps: bool) -> None:
    trunk = random_checkpoint().network.trunk
    before = {name: type(layer) for name, layer in trunk.named_modules()}
    frames, states = inputs(trunk, steps=80)
    expected = trunk(frames, states)
    found = rewritten(trunk, precision, taps)(frames, states)
    assert [tensor.dtype for tensor in found] == [torch.float32, torch.float32]
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    assert {name: type(layer) for name, layer in trunk.named_modules()} == before


def test_rewritten_trunk_has_narrow_weights_and_tap_sums() -> None:
    layers = list(rewritten(random_checkpoint().network.trunk, "bf16", taps=True).modules())
    assert not any(isinstance(layer, (nn.Linear, nn.Conv2d)) for layer in layers)
    narrow = [layer for layer in layers if isinstance(layer, NarrowLinear)]
    assert {layer.get_buffer("weight").dtype for layer in narrow} == {torch.bfloat16}
    assert (len(narrow), sum(isinstance(layer, TapSum) for layer in layers)) == (8, 3)


def test_devices_without_and_with_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices() == ("cpu",)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices() == ("cuda", "cuda:0", "cuda:1", "cpu")
    assert precisions(CPU) == ("fp32", "bf16")
    assert precisions(torch.device("cuda:1")) == ("fp32", "tf32", "fp16", "bf16")


@pytest.mark.parametrize(("precision", "expected"), [("fp32", False), ("tf32", True), ("bf16", False)])
@pytest.mark.parametrize("outer", ["fp32", "tf32"])
def test_tf32_is_set_within_and_as_before_after(precision: str, expected: bool, outer: str) -> None:
    def flags() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    first = flags()
    with products_in(outer):
        with products_in(precision):
            assert flags() == (expected, expected)
        assert flags() == (outer == "tf32", outer == "tf32")
    assert flags() == first


@pytest.mark.parametrize("name", ["torch", "torchscript", "torch-compile"])
@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_what_only_a_card_computes_is_refused_on_the_cpu(name: str, precision: str) -> None:
    message = f"backend {name} has no precision {precision}; choose one of: auto, fp32, bf16"
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings(name, precision))


@pytest.mark.parametrize("name", ["torch", "torchscript", "torch-compile"])
def test_cards_that_are_not_there_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendUnavailable, match=f"backend {name} can't run on device cuda; choose one of: auto, cpu"):
        open_backend(random_checkpoint(), RuntimeSettings(name, device="cuda"))


def test_card_by_its_number(cuda: None) -> None:
    message = "backend torch can't run on device cuda:2; choose one of: auto, cuda, cuda:0, cuda:1, cpu"
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings("torch", device="cuda:2"))


@pytest.mark.parametrize("name", ["torch", "torchscript"])
def test_on_a_card_the_step_runs_there_in_its_precision(name: str, cuda: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the first call into CUDA, which moves the weights."""
    moved: list[torch.device] = []

    def record(module: nn.Module, device: torch.device) -> nn.Module:
        moved.append(device)
        raise ZeroDivisionError

    monkeypatch.setattr(Trunk, "to", record)
    for wanted, expected in (("auto", "cuda"), ("cuda:1", "cuda:1")):
        with pytest.raises(ZeroDivisionError):
            open_backend(random_checkpoint(), RuntimeSettings(name, "fp16", wanted))
        assert moved.pop() == torch.device(expected)


def test_cuda_graphs_need_a_card() -> None:
    message = "option cuda_graphs of backend torch needs a CUDA device, not cpu; leave it out"
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings("torch", options={"cuda_graphs": True}))


class FakeGraph:
    """A graph whose replay runs what was recorded once more, into the same tensors."""

    replays = 0

    def replay(self) -> None:
        FakeGraph.replays += 1
        recorded = FakeCuda.recorded[id(self)]
        for kept, new in zip(recorded.outputs, recorded.step(*recorded.inputs), strict=True):
            kept.copy_(new)


class FakeCuda:
    """Stands for ``torch.cuda``."""

    CUDAGraph = FakeGraph
    recorded: dict[int, Any]
    open_graph: FakeGraph | None = None

    class Stream:
        def wait_stream(self, other: object) -> None:
            assert isinstance(other, FakeCuda.Stream)

    @staticmethod
    def current_stream() -> FakeCuda.Stream:
        return FakeCuda.Stream()

    @staticmethod
    def stream(stream: FakeCuda.Stream) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    @staticmethod
    @contextlib.contextmanager
    def graph(graph: FakeGraph) -> Iterator[None]:
        FakeCuda.open_graph = graph
        yield
        FakeCuda.open_graph = None


@pytest.fixture
def graphed(monkeypatch: pytest.MonkeyPatch) -> GraphedStep:
    """The small network's step with graphs that :class:`FakeCuda` keeps."""
    trunk = random_checkpoint().network.trunk

    def step(frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        outputs = trunk(frames, states)
        if FakeCuda.open_graph is not None:
            kept = SimpleNamespace(step=trunk, inputs=(frames, states), outputs=outputs)
            FakeCuda.recorded[id(FakeCuda.open_graph)] = kept
        return outputs[0], outputs[1]

    FakeCuda.recorded, FakeGraph.replays = {}, 0
    monkeypatch.setattr(cuda_graphs, "torch", SimpleNamespace(cuda=FakeCuda))
    return GraphedStep(step)


def test_graphs_are_recorded_at_the_second_sight_and_replayed(graphed: GraphedStep) -> None:
    trunk = random_checkpoint().network.trunk
    kept: list[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]] = []
    for seed in range(4):
        for steps in (4, 5):
            given = inputs(trunk, steps=steps, seed=seed)
            kept.append((graphed(*given), trunk(*given)))
    assert (len(FakeCuda.recorded), FakeGraph.replays) == (2, 6)
    for found, expected in kept:  # replays leave earlier results alone
        torch.testing.assert_close(found, expected)


def test_graphs_are_bounded(graphed: GraphedStep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST_GRAPHS", 2)
    trunk = random_checkpoint().network.trunk
    for sizes in ((7, 8, 9), (1, 2, 3), (1, 2, 3), (1, 2, 3)):
        for steps in sizes:
            given = inputs(trunk, steps=steps)
            torch.testing.assert_close(graphed(*given), trunk(*given))
    assert (len(FakeCuda.recorded), FakeGraph.replays) == (2, 4)


def test_int8_rows_are_quantised_one_by_one() -> None:
    """What stands beside or after them changes nothing, however loud: one scale for all would be 100 times coarser."""
    trunk = random_checkpoint().network.trunk
    narrow = in_int8(rewritten(trunk, "int8"))
    frames, states = inputs(trunk, batch=3, steps=12)
    expected, _ = trunk(frames, states)
    alone, _ = narrow(frames[:1, :14], states[:1])
    frames[1:] *= 100
    frames[0, 14:] *= 100
    beside, _ = narrow(frames, states)
    torch.testing.assert_close(beside[0, :8], alone[0], atol=0.02, rtol=0)
    torch.testing.assert_close(alone[0], expected[0, :8], atol=0.1, rtol=0)


def test_int8_needs_torchao(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torchao", None)
    install = r"backend torch-compile needs torchao, which is not installed: pip install 'streamhmm\[torchao\]'"
    with pytest.raises(BackendUnavailable, match=install):
        open_backend(random_checkpoint(), RuntimeSettings("torch-compile", "int8"))
    assert not list(tmp_path.iterdir())


def test_compiled_network_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled_file(random_checkpoint(), "fp32", CPU)
    monkeypatch.setattr(inductor, "_compile", None)
    assert compiled_file(random_checkpoint(), "fp32", CPU) == first
    assert first.parent == cache_folder()


@pytest.mark.parametrize("change", ["weights", "precision", "threads", "torch", "processor"])
def test_compiled_network_is_only_for_what_it_was_made_for(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    made: list[str] = []
    monkeypatch.setattr(inductor, "kept_file", lambda name, make: made.append(name))
    compiled_file(random_checkpoint(), "fp32", CPU)
    compiled_file(random_checkpoint(), "fp32", CPU)
    if change == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    if change == "torch":
        monkeypatch.setattr(torch, "__version__", "9.9")
    if change == "processor":
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Abacus"})
    seed, precision = int(change == "weights"), "bf16" if change == "precision" else "fp32"
    compiled_file(random_checkpoint(seed=seed), precision, CPU)
    assert made[0] == made[1] != made[2]


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path))
    message = r"backend torch-compile needs a C\+\+ compiler, and there is none: install g\+\+, or name one in CXX"
    without = torch._inductor.config.patch("cpp.cxx", (None, "no-such-compiler"))
    with without, pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings("torch-compile"))
    assert not list(tmp_path.iterdir())


def test_failed_compilation_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no space on device\nand more")

    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.export, "export", fail)
    message = r"could not compile the network \(no space on device\); take another backend"
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings("torch-compile"))
    assert not list(tmp_path.iterdir())


def test_damaged_package_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "damaged.pt2"
    path.write_bytes(b"PK")
    monkeypatch.setattr("streamhmm.acoustic.backends.torch_compile.compiled_file", lambda *_: path)
    with pytest.raises(BackendUnavailable, match=r"can't load .*damaged.pt2: .*; delete the file and try again"):
        open_backend(random_checkpoint(), RuntimeSettings("torch-compile"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_scripts_say_nothing(precision: str) -> None:
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        open_backend(random_checkpoint(), RuntimeSettings("torchscript", precision))
    assert [str(warning.message) for warning in said] == []
    assert warnings.filters == before


def test_exported_script_runs(tmp_path: Path) -> None:
    write_torchscript(random_checkpoint(), tmp_path / "model.ts")
    samples = noise(4000)
    model = AcousticModel(load_model(tmp_path / "model.ts"), RuntimeSettings("torchscript"))
    assert (model.backend.name, model.backend.precision) == ("torchscript", "fp32")
    expected = AcousticModel(random_checkpoint()).log_posteriors(samples)
    torch.testing.assert_close(model.log_posteriors(samples), expected, atol=1e-5, rtol=0)
    with pytest.raises(
        BackendUnavailable, match="backend torchscript has no precision bf16; choose one of: auto, fp32"
    ):
        open_backend(load_model(tmp_path / "model.ts"), RuntimeSettings("torchscript", "bf16"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_program(random_checkpoint(), path)
    return path


def test_exported_program_is_what_gets_compiled(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.export.ExportedProgram] = []

    def record(given: torch.export.ExportedProgram, *, package_path: str, inductor_configs: dict[str, Any]) -> None:
        assert (Path(package_path).suffix, inductor_configs) == (".pt2", {"freezing": False})
        compiled.append(given)

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", record)
    compiled_file(load_model(program), "fp32", CPU).unlink()
    trunk = random_checkpoint().network.trunk
    given = inputs(trunk)
    torch.testing.assert_close(compiled[0].module(check_guards=False)(*given), trunk(*given))
    with pytest.raises(
        BackendUnavailable, match="backend torch-compile has no precision int8; choose one of: auto, fp32"
    ):
        open_backend(load_model(program), RuntimeSettings("torch-compile", "int8"))


def test_damaged_program_is_told(program: Path, tmp_path: Path) -> None:
    shutil.copy(program, tmp_path / "model.pt2")
    model = load_model(tmp_path / "model.pt2")
    (tmp_path / "model.pt2").write_bytes(b"PK")
    with pytest.raises(ModelError, match="export the model again with this PyTorch"):
        open_backend(model, RuntimeSettings("torch-compile"))
