"""The ONNX backend: providers, options, kept graphs. CUDA's and TensorRT's sessions are recorded, not run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from test_network import random_checkpoint

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import onnx_runtime, onnx_sessions, open_backend
from streamhmm.acoustic.backends.onnx_runtime import OnnxCudaRuntime
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.exported import example, load_model, onnx_file, write_onnx_header
from streamhmm.acoustic.exported.onnx_conversions import onnx_file_in, to_fp16
from streamhmm.errors import BackendUnavailable


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache but for the exported network."""
    graph = onnx_file(random_checkpoint())
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path))
    (tmp_path / graph.name).write_bytes(graph.read_bytes())
    return tmp_path


def settings(precision: str = "auto", device: str = "auto", hint: str = "latency", **options: Any) -> RuntimeSettings:
    return RuntimeSettings("onnx", precision, device, hint, options)


class Recorder:
    """Stands for ``onnxruntime.InferenceSession``."""

    opened: list[Recorder]

    def __init__(self, path: str, options: Any, providers: list[Any]) -> None:
        self.path, self.options, self.providers = path, options, providers
        if options.optimized_model_filepath:
            Path(options.optimized_model_filepath).write_bytes(Path(path).read_bytes())
        Recorder.opened.append(self)

    def get_providers(self) -> list[str]:
        return [each if isinstance(each, str) else each[0] for each in self.providers]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[Recorder]:
    """A machine with two cards, as far as the calls into the libraries; the sessions that were opened."""
    Recorder.opened = []
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorder)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: SimpleNamespace(cuda_stream=77, device=device))
    return Recorder.opened


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.05), ("int8", 0.5)])
def test_converted_graphs_stay_near_the_network(precision: str, tolerance: float, cache: Path) -> None:
    checkpoint = random_checkpoint()
    frames, states = (torch.randn_like(each) for each in example(checkpoint.network))
    path = onnx_file_in(checkpoint, precision)
    onnx.checker.check_model(onnx.load(path))
    assert path.parent == cache
    session = onnxruntime.InferenceSession(path)
    found = session.run(["log_posteriors", "states_after"], {"frames": frames.numpy(), "states": states.numpy()})
    for array, tensor in zip(found, checkpoint.network.trunk(frames, states), strict=True):
        torch.testing.assert_close(torch.from_numpy(array), tensor, atol=tolerance, rtol=0)
    assert path.stat().st_size < 0.9 * onnx_file(checkpoint).stat().st_size
    made = path.stat().st_mtime_ns
    assert onnx_file_in(checkpoint, precision).stat().st_mtime_ns == made


def test_int8_keeps_weights_of_products_in_8_bits(cache: Path) -> None:
    operators = [node.op_type for node in onnx.load(onnx_file_in(random_checkpoint(), "int8")).graph.node]
    assert "MatMul" not in operators
    assert operators.count("MatMulInteger") == 8
    assert open_backend(random_checkpoint(), settings("int8")).precision == "int8"


def test_optimised_graph_is_kept_and_used_again(cache: Path) -> None:
    first = open_backend(random_checkpoint(), settings())
    (optimised,) = cache.glob("*-optimised.onnx")
    assert any(node.domain == "com.microsoft" for node in onnx.load(optimised).graph.node)
    made = optimised.stat().st_mtime_ns
    second = open_backend(random_checkpoint(), settings())
    assert optimised.stat().st_mtime_ns == made
    features = torch.randn(1, 30, 80)
    assert torch.equal(first.log_posteriors(features, None)[0], second.log_posteriors(features, None)[0])
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("change", ["level", "version", "processor"])
def test_optimised_graph_is_made_anew(change: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_backend(random_checkpoint(), settings())
    if change == "version":
        monkeypatch.setattr(onnxruntime, "__version__", "9.9")
    if change == "processor":
        monkeypatch.setattr(onnx_sessions, "_processor", lambda: "another")
    open_backend(random_checkpoint(), settings(optimisation="basic" if change == "level" else "all"))
    assert len(list(cache.glob("*-optimised.onnx"))) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimisation": "most"}, "option optimisation must be one of none, basic, extended, all, got 'most'"),
        ({"threads": 0}, "option threads must be a whole number of at least 1, got 0"),
        ({"threads": "two"}, "option threads must be a whole number of at least 1, got 'two'"),
        ({"provider": "npu"}, "option provider must be one of cpu, cuda, tensorrt, got 'npu'"),
        ({"gpu_mem_limit": 1}, "option gpu_mem_limit goes with provider cuda or tensorrt only"),
        ({"trt_fp16_enable": True}, "option trt_fp16_enable goes with provider cuda or tensorrt only"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_backend(random_checkpoint(), settings(device="cpu", **options))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            settings(device="cuda"),
            r"can't run on device cuda: it takes onnxruntime-gpu .* \(pip install ",
        ),
        (settings(provider="tensorrt"), "can't run on device cuda: it takes onnxruntime-gpu"),
        (settings("fp16"), "backend onnx has no precision fp16; choose one of: auto, fp32, int8"),
    ],
)
def test_what_is_missing_is_named(wanted: RuntimeSettings, message: str) -> None:
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), wanted)


def test_threads_and_spinning_reach_the_session(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder.opened = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorder)
    for hint, options in (("latency", {"threads": 3}), ("throughput", {}), ("throughput", {"spinning": True})):
        open_backend(random_checkpoint(), settings(hint=hint, **options))
    opened = [session.options for session in Recorder.opened if not session.options.optimized_model_filepath]
    spinning = [each.get_session_config_entry("session.intra_op.allow_spinning") for each in opened]
    assert [each.intra_op_num_threads for each in opened] == [3, torch.get_num_threads(), torch.get_num_threads()]
    assert spinning == ["1", "0", "1"]
    assert {each.graph_optimization_level for each in opened} == {onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL}


@pytest.mark.parametrize(
    ("machine", "capabilities", "entry"),
    [
        ("x86_64", {"avx2": True, "avx512_vnni": False, "avx_vnni": False}, "1"),
        ("AMD64", {}, "1"),
        ("x86_64", {"avx512_vnni": True}, None),
        ("x86_64", {"avx_vnni": True}, None),
        ("aarch64", {}, None),
    ],
)
def test_products_of_bytes_dont_saturate_without_vnni(
    machine: str, capabilities: dict[str, bool], entry: str | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimiser has to be told: it is what changes the weights."""
    Recorder.opened = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorder)
    monkeypatch.setattr(onnx_sessions.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    open_backend(random_checkpoint(), settings("int8"))
    assert [_entry(session.options, "session.x64quantprecision") for session in Recorder.opened] == [entry, entry]


def _entry(options: Any, key: str) -> str | None:
    try:
        return str(options.get_session_config_entry(key))
    except RuntimeError:
        return None


def test_exact_products_of_bytes_give_what_vnni_gives(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.randn(1, 30, 80)
    here = open_backend(random_checkpoint(), settings("int8")).log_posteriors(features, None)[0]
    monkeypatch.setattr(onnx_sessions, "has_vnni", lambda: False)
    monkeypatch.setattr(onnx_sessions, "_processor", lambda: "without VNNI")
    exact = open_backend(random_checkpoint(), settings("int8")).log_posteriors(features, None)[0]
    torch.testing.assert_close(exact, here, atol=0.05, rtol=0)


def test_cuda_is_taken_where_it_is_and_gets_its_options(cuda: list[Recorder]) -> None:
    runtime = onnx_runtime.open_runtime(random_checkpoint(), settings(gpu_mem_limit=1 << 30))
    assert (runtime.device, runtime.precision) == (torch.device("cuda"), "fp32")
    expected = {"device_id": 0, "user_compute_stream": "77", "gpu_mem_limit": 1 << 30}
    assert [session.providers for session in cuda] == [
        [("CUDAExecutionProvider", expected), "CPUExecutionProvider"],
        [("CUDAExecutionProvider", expected), "CPUExecutionProvider"],
    ]
    assert cuda[1].path.endswith("-optimised.onnx")


def test_tensorrt_keeps_its_engines_in_the_cache(cuda: list[Recorder]) -> None:
    options = {"trt_max_workspace_size": 1 << 28, "trt_engine_cache_enable": False}
    wanted = settings("fp16", "cuda:1", provider="tensorrt", **options)
    runtime = onnx_runtime.open_runtime(random_checkpoint(), wanted)
    assert (runtime.device, runtime.precision) == (torch.device("cuda:1"), "fp16")
    shared = {"device_id": 1, "user_compute_stream": "77"}
    folder = str(cache_folder())
    (session,) = cuda
    assert session.path == str(onnx_file_in(random_checkpoint(), "fp16"))
    assert session.options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert session.providers == [
        (
            "TensorrtExecutionProvider",
            {
                **shared,
                "trt_engine_cache_enable": False,
                "trt_engine_cache_path": folder,
                "trt_timing_cache_enable": True,
                "trt_timing_cache_path": folder,
                "trt_fp16_enable": True,
                "trt_max_workspace_size": 1 << 28,
            },
        ),
        ("CUDAExecutionProvider", shared),
        "CPUExecutionProvider",
    ]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (settings(device="cuda", provider="cpu"), "option provider cpu does not go with device cuda"),
        (settings(device="cpu", provider="cuda"), "option provider cuda does not go with device cpu"),
        (settings(trt_fp16_enable=True), "option trt_fp16_enable goes with provider tensorrt only"),
    ],
)
def test_options_that_contradict_are_named(cuda: list[Recorder], wanted: RuntimeSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_backend(random_checkpoint(), wanted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (settings(device="cuda:2"), "can't run on device cuda:2; choose one of: auto, cuda, cuda:0, cuda:1, cpu"),
        (settings("int8", "cuda"), "has no precision int8; choose one of: auto, fp32, fp16"),
    ],
)
def test_what_cuda_lacks_is_named(cuda: list[Recorder], wanted: RuntimeSettings, message: str) -> None:
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), wanted)


def test_a_provider_that_falls_back_without_a_word_is_refused(
    cuda: list[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "get_providers", lambda self: ["CPUExecutionProvider"])
    with pytest.raises(BackendUnavailable, match="the execution provider cuda did not load; check that the CUDA and"):
        open_backend(random_checkpoint(), settings())


def test_bound_tensors_give_what_the_network_gives(cache: Path) -> None:
    """The path of CUDA, on tensors of the CPU."""
    checkpoint = random_checkpoint()
    session = onnxruntime.InferenceSession(onnx_file(checkpoint))
    runtime = OnnxCudaRuntime(session, "fp32", torch.device("cpu"), 40, None)
    frames, states = (torch.randn_like(each) for each in example(checkpoint.network, batch=3, steps=9))
    posteriors, after = runtime.step(frames[:, 2:], states)
    again, _ = runtime.step(2 * frames[:, 2:], states)
    expected = checkpoint.network.trunk(frames[:, 2:], states)
    torch.testing.assert_close((posteriors, after), expected, atol=1e-4, rtol=0)
    assert not torch.equal(posteriors, again)


def test_own_stream_waits_and_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    callers = SimpleNamespace(wait_stream=lambda other: said.append("caller waits"))
    own = SimpleNamespace(wait_stream=lambda other: said.append("own waits"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: callers)
    binding = SimpleNamespace(bind_input=lambda *_: None, bind_output=lambda *_: None)
    session = SimpleNamespace(io_binding=lambda: binding, run_with_iobinding=lambda _: said.append("runs"))
    OnnxCudaRuntime(session, "fp32", torch.device("cpu"), 40, own).step(torch.zeros(1, 8, 80), torch.zeros(1, 4, 16))
    assert said == ["own waits", "runs", "caller waits"]


def test_a_file_runs_in_the_precision_it_brings(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    to_fp16(onnx_file(random_checkpoint()), path)
    write_onnx_header(path, random_checkpoint(), "fp16")
    assert open_backend(load_model(path)).precision == "fp16"
    with pytest.raises(BackendUnavailable, match="backend onnx has no precision fp32; choose one of: auto, fp16"):
        AcousticModel.load(path, settings("fp32"))


def test_a_file_in_single_precision_is_converted_on_demand(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    path.write_bytes(onnx_file(random_checkpoint()).read_bytes())
    write_onnx_header(path, random_checkpoint(), "fp32")
    assert open_backend(load_model(path), settings("int8")).precision == "int8"


def test_missing_converter_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    with pytest.raises(BackendUnavailable, match=r"needs onnxruntime\.quantization.*pip install 'streamhmm\[onnx\]'"):
        open_backend(random_checkpoint(), settings("int8"))
    assert len(list(cache.iterdir())) == 1
