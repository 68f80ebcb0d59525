"""The TensorRT backend up to the calls into the library, which a stand-in takes."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import stub_tensorrt
import torch
from test_network import random_checkpoint, whole

from streamhmm.acoustic import RuntimeSettings
from streamhmm.acoustic.backends import Backend, open_backend, tensorrt_runtime
from streamhmm.acoustic.backends.tensorrt_runtime import MAX_GRAPHS, TensorRtRuntime, open_runtime
from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.acoustic.exported import ExportedModel, example, load_model, onnx_file, write_onnx_header, writing
from streamhmm.acoustic.exported.onnx_conversions import onnx_file_in
from streamhmm.acoustic.exported.writing import export_model
from streamhmm.cli import main
from streamhmm.errors import BackendUnavailable, ModelError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a card, whose cache holds exported networks only: PyTorch's exporter asks for a real card."""
    graph, fingerprints = onnx_file(random_checkpoint()), [random_checkpoint(seed=seed).fingerprint for seed in (0, 1)]
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("STREAMHMM_CACHE", str(folder))
    for fingerprint in fingerprints:
        (folder / graph.name.replace(fingerprints[0], fingerprint)).write_bytes(graph.read_bytes())
    stub_tensorrt.stand_in(monkeypatch, stub_tensorrt)
    return folder


@pytest.fixture
def on_cpu(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's tensors are in the host's memory."""
    for module in (tensorrt_runtime, writing):
        monkeypatch.setattr(module, "usable_device", lambda settings: torch.device("cpu"))


def settings(precision: str = "auto", device: str = "auto", hint: str = "latency", **options: Any) -> RuntimeSettings:
    return RuntimeSettings("tensorrt", precision, device, hint, options)


def opened(**options: Any) -> TensorRtRuntime:
    return open_runtime(random_checkpoint(), settings(**options))


def calls(kind: str) -> list[Any]:
    return [call[1] for call in stub_tensorrt.log if call[0] == kind]


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("tf32", 1e-4), ("fp16", 0.05)])
def test_engine_gives_what_the_network_gives(on_cpu: None, precision: str, tolerance: float) -> None:
    checkpoint = random_checkpoint()
    backend = open_backend(checkpoint, settings(precision))
    assert (backend.name, backend.precision) == ("tensorrt", precision)
    features = torch.randn(3, 61, 80, generator=torch.Generator().manual_seed(3))
    cache, parts = None, []
    for chunk in features.split(7, dim=1):
        part, cache = backend.log_posteriors(chunk, cache)
        parts.append(part)
    found = torch.cat((*parts, backend.finish(cache)), dim=1)
    torch.testing.assert_close(found, whole(checkpoint.network, features), atol=tolerance, rtol=0)


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (2, 5), (3, 5), (4, 6), (5, 11), (1, 23)])
def test_what_is_too_large_goes_through_in_pieces(cache: Path, batch: int, steps: int) -> None:
    checkpoint = random_checkpoint()
    runtime = opened(max_batch=2, max_steps=5)
    frames, states = (torch.randn_like(each) for each in example(checkpoint.network, batch, steps))
    posteriors, after = runtime.step(frames, states)
    torch.testing.assert_close((posteriors, after), checkpoint.network.trunk(frames, states), atol=1e-4, rtol=0)
    assert len(calls("run")) == -(-batch // 2) * -(-steps // 5)


def test_results_belong_to_the_caller_and_streams_wait(cache: Path) -> None:
    runtime = opened()
    frames, states = (torch.randn_like(each) for each in example(random_checkpoint().network))
    stub_tensorrt.log.clear()
    first, _ = runtime.step(frames, states)
    kept = first.clone()
    runtime.step(2 * frames, states)
    assert torch.equal(first, kept)
    order = [call if isinstance(call, str) else call[0] for call in stub_tensorrt.log]
    assert order == ["own waits", "run", "caller waits"] * 2


def test_engines_and_timings_are_kept(cache: Path) -> None:
    opened()
    opened()
    assert stub_tensorrt.log.count("builder") == 1
    assert (cache / "tensorrt-11.4.0.stub-Stub_100_9.0.timings").read_bytes() == b"+"
    opened(precision="fp16")
    assert calls("timings") == [b"", b"+"]
    assert len(list(cache.glob("*.engine"))) == 2


@pytest.mark.parametrize("change", ["version", "card", "precision", "hint", "size", "network"])
def test_engine_is_built_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    opened()
    if change == "version":
        monkeypatch.setattr(stub_tensorrt, "__version__", "11.5")
    if change == "card":
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    wanted = {"precision": {"precision": "tf32"}, "hint": {"hint": "throughput"}, "size": {"max_steps": 6}}
    open_runtime(random_checkpoint(seed=int(change == "network")), settings(**wanted.get(change, {})))
    assert stub_tensorrt.log.count("builder") == 2


def test_builder_is_told_what_is_wanted(cache: Path) -> None:
    opened(hint="throughput", max_batch=8, max_steps=50, workspace=1 << 20)
    assert stub_tensorrt.log[:4] == ["builder", ("network", 2), ("workspace", 1 << 20), ("clear", "tf32")]
    opened(precision="tf32")
    assert ("set", "tf32") in stub_tensorrt.log
    shapes = {}
    for engine in cache.glob("*.engine"):
        shapes[json.loads(engine.read_bytes().split(b"\n")[0])["frames"][2][0]] = engine
    profile = json.loads(shapes[8].read_bytes().split(b"\n")[0])
    assert profile == {
        "frames": [[1, 8, 80], [8, 106, 80], [8, 106, 80]],
        "states": [[1, 16, 16], [8, 16, 16], [8, 16, 16]],
    }
    profile = json.loads(shapes[64].read_bytes().split(b"\n")[0])
    assert profile["frames"] == [[1, 8, 80], [1, 26, 80], [64, 1030, 80]]


def test_cuda_graphs_are_recorded_once_a_shape(cache: Path) -> None:
    checkpoint = random_checkpoint()
    runtime = opened(cuda_graph=True)
    for steps in (3, 4, 3):
        frames, states = (torch.randn_like(each) for each in example(checkpoint.network, 2, steps))
        found = runtime.step(frames, states)
        torch.testing.assert_close(found, checkpoint.network.trunk(frames, states), atol=1e-4, rtol=0)
    assert stub_tensorrt.log.count("replay") == 3
    assert stub_tensorrt.log.count("synchronize") == 2
    for steps in range(5, 5 + MAX_GRAPHS):
        runtime.step(*example(checkpoint.network, 1, steps))
    assert stub_tensorrt.log.count("synchronize") == MAX_GRAPHS
    assert stub_tensorrt.log.count("replay") == 3 + MAX_GRAPHS - 2


def test_quantised_graph_is_built_as_it_is(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(onnx_file(random_checkpoint()).read_bytes())
    write_onnx_header(path, random_checkpoint(), "int8")
    model = load_model(path)
    assert open_runtime(model, settings()).precision == "int8"
    with pytest.raises(BackendUnavailable, match="backend tensorrt has no precision fp16; choose one of: auto, int8"):
        open_runtime(model, settings("fp16"))


def test_graph_that_cannot_be_read_is_named(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    path.write_bytes(onnx_file_in(random_checkpoint(), "int8").read_bytes())
    write_onnx_header(path, random_checkpoint(), "int8")
    message = r"can't read dynamic\.onnx \(unknown operator\); choose another precision"
    with pytest.raises(BackendUnavailable, match=message):
        open_runtime(load_model(path), settings())
    assert not list(cache.glob("*.engine"))


def test_failures_of_the_library_are_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = opened()
    inputs = example(random_checkpoint().network)
    with monkeypatch.context() as patch:
        patch.setattr(stub_tensorrt.IExecutionContext, "execute_async_v3", lambda *_: False)
        with pytest.raises(BackendUnavailable, match="the engine did not run; what it logged says why"):
            runtime.step(*inputs)
    with monkeypatch.context() as patch:
        patch.setattr(stub_tensorrt.IExecutionContext, "set_input_shape", lambda *_: False)
        with pytest.raises(BackendUnavailable, match=r"refuses frames of shape \(2, 66, 80\)"):
            runtime.step(*inputs)
    monkeypatch.setattr(stub_tensorrt.Builder, "build_serialized_network", lambda *_: None)
    with pytest.raises(BackendUnavailable, match=r"could not build .*onnx; what it logged says why"):
        opened(precision="fp16")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch": 0}, "option max_batch must be a whole number of at least 1, got 0"),
        ({"max_steps": "many"}, "option max_steps must be a whole number of at least 1, got 'many'"),
        ({"colour": 1}, "backend tensorrt has no option colour; it has: max_batch, max_steps, workspace, cuda_graph"),
    ],
)
def test_wrong_options_are_named(cache: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened(**options)


def test_what_is_missing_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailable, match="can't run on device cpu; choose one of: auto, cuda, cuda:0"):
        opened(device="cpu")
    with pytest.raises(BackendUnavailable, match="has no precision int8; choose one of: auto, fp32, tf32, fp16"):
        opened(precision="int8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendUnavailable, match=r"needs an NVIDIA card that PyTorch sees .*install a PyTorch for"):
        opened()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    install = r"backend tensorrt needs tensorrt, which is not installed: pip install 'streamhmm\[tensorrt\]'"
    with pytest.raises(BackendUnavailable, match=install):
        opened()
    with pytest.warns(RuntimeWarning, match="passed over backend tensorrt: " + install):
        assert open_backend(random_checkpoint(), RuntimeSettings("tensorrt,torch")).name == "torch"


@pytest.mark.usefixtures("on_cpu")
def test_exported_engine_is_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = random_checkpoint()
    written = export_model(checkpoint, tmp_path / "x.engine", "fp16")
    assert (written.form, written.precision) == ("tensorrt", "fp16")
    model = load_model(written.path)
    assert isinstance(model, ExportedModel)
    assert (model.source, model.precision) == (checkpoint.fingerprint, "fp16")
    assert model.provenance == {"tensorrt": "11.4.0.stub", "card": "Stub 100 9.0", "torch": torch.__version__}
    backend = open_backend(model)
    assert (backend.name, backend.precision) == ("tensorrt", "fp16")
    features = torch.randn(1, 30, 80)
    found, _ = backend.log_posteriors(features, None)
    expected, _ = Backend(open_runtime(checkpoint, settings()), checkpoint.config).log_posteriors(features, None)
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)
    assert {each.name for each in tmp_path.iterdir()} == {"cache", "x.engine", "x.engine.json"}
    with pytest.raises(BackendUnavailable, match="has no precision fp32; choose one of: auto, fp16"):
        open_backend(model, settings("fp32"))


@pytest.mark.usefixtures("on_cpu")
def test_engine_of_another_release_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, checkpoint = tmp_path / "x.engine", tmp_path / "x.safetensors"
    save_checkpoint(random_checkpoint(), checkpoint)
    assert main(["export", str(checkpoint), "-o", str(path)]) == 0
    assert f"{path}: tensorrt in fp32, " in capsys.readouterr().out
    path.write_bytes(b"another")
    with pytest.raises(
        BackendUnavailable, match=r"x\.engine: TensorRT 11\.4\.0\.stub can't open it; an engine runs with"
    ):
        open_backend(load_model(path))
    (tmp_path / "x.engine.json").unlink()
    with pytest.raises(ModelError, match=r"its header x\.engine\.json is missing"):
        load_model(path)


def test_the_stand_in_has_no_names_that_the_library_lacks() -> None:
    found = importlib.util.find_spec("tensorrt_bindings")
    if found is None or found.origin is None:
        pytest.skip("tensorrt_bindings is not installed")
    library = (Path(found.origin).parent / "tensorrt.so").read_bytes()
    own = [each for each in vars(stub_tensorrt).values() if getattr(each, "__module__", "") == stub_tensorrt.__name__]
    classes = [each for each in own if inspect.isclass(each) and not each.__name__.startswith("_")]
    names = {each.__name__ for each in classes}
    for each in classes:
        names |= {name for name in vars(each) if not name.startswith("_")} - {"capturing", "profile", "graph"}
    assert len(names) > 30
    assert [name for name in names if name.encode() + b"\0" not in library] == []
