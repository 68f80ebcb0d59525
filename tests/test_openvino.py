"""The OpenVINO backend: what it asks of the library, its threads, exported files."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_network import noise, random_checkpoint

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import open_backend, openvino_runtime
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.exported import example, load_model, onnx_file, write_onnx_header
from streamhmm.acoustic.features import N_MELS
from streamhmm.errors import BackendUnavailable


class FakeCore:
    """Stands for ``openvino.Core`` on a processor without bf16."""

    compiled: list[tuple[str, str, dict[str, Any]]]

    def get_property(self, device: str, name: str) -> list[str]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return ["FP32", "INT8"]

    def compile_model(self, path: str, device: str, settings: dict[str, Any]) -> None:
        self.compiled.append((path, device, settings))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCore]:
    FakeCore.compiled = []
    monkeypatch.setattr(openvino_runtime, "require", lambda *_: SimpleNamespace(Core=FakeCore))
    return FakeCore


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_what_the_library_is_asked_for(fake: type[FakeCore], hint: str) -> None:
    open_backend(random_checkpoint(), RuntimeSettings("openvino", hint=hint))
    expected = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": hint.upper(),
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "CACHE_DIR": str(cache_folder() / "openvino"),
    }
    assert fake.compiled == [(str(onnx_file(random_checkpoint())), "CPU", expected)]


def test_bf16_needs_a_processor_that_has_it(fake: type[FakeCore]) -> None:
    message = "backend openvino has no precision bf16; choose one of: auto, fp32"
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings("openvino", "bf16"))


def test_cards_are_refused() -> None:
    with pytest.raises(BackendUnavailable, match="backend openvino can't run on device cuda; choose one of: auto, cpu"):
        open_backend(random_checkpoint(), RuntimeSettings("openvino", device="cuda"))


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    install = r"backend openvino needs openvino, which is not installed: pip install 'streamhmm\[openvino\]'"
    with pytest.raises(BackendUnavailable, match=install):
        open_backend(random_checkpoint(), RuntimeSettings("openvino"))


def test_threads_do_not_disturb_each_other() -> None:
    checkpoint = random_checkpoint()
    step = open_backend(checkpoint, RuntimeSettings("openvino")).runtime.step
    _, states = example(checkpoint.network, batch=1)
    given = [torch.randn(1, 16, N_MELS, generator=torch.Generator().manual_seed(seed)) for seed in range(20)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda frames: step(frames, states), given))
    for frames, (posteriors, after) in zip(given, found, strict=True):
        expected, states_after = checkpoint.network.trunk(frames, states)
        torch.testing.assert_close(posteriors, expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(after, states_after, atol=1e-4, rtol=0)


class Samples:
    """Inputs for onnxruntime's calibration."""

    def __init__(self) -> None:
        frames, states = example(random_checkpoint().network)
        draw = np.random.default_rng(0).standard_normal
        self._left = [
            {"frames": draw(frames.shape, np.float32), "states": draw(states.shape, np.float32)} for _ in range(3)
        ]

    def get_next(self) -> dict[str, Any] | None:
        return self._left.pop() if self._left else None


def test_exported_int8_graph_runs_as_it_is(tmp_path: Path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    path = tmp_path / "model.onnx"
    quantization.quantize_static(onnx_file(random_checkpoint()), path, Samples(), op_types_to_quantize=["MatMul"])
    write_onnx_header(path, random_checkpoint(), "int8")
    samples = noise(4000)
    model = AcousticModel(load_model(path), RuntimeSettings("openvino"))
    assert (model.backend.name, model.backend.precision) == ("openvino", "int8")
    found = model.log_posteriors(samples)
    expected = AcousticModel(load_model(path), RuntimeSettings("onnx")).log_posteriors(samples)
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)
    with pytest.raises(BackendUnavailable, match="backend openvino has no precision bf16; choose one of: auto, int8"):
        open_backend(load_model(path), RuntimeSettings("openvino", "bf16"))
