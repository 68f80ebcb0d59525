"""The network on every runtime: the same log-posteriors, and clear words about what is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from test_network import noise, random_checkpoint, whole

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import MODULES, Backend, open_backend
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.features import N_MELS
from streamhmm.errors import BackendUnavailable

CASES = [
    ("torch", "fp32", 1e-5),
    ("torch", "bf16", 0.03),
    ("torch-compile", "fp32", 1e-4),  # bf16 and int8 would each take as long to compile
    ("torchscript", "fp32", 1e-4),
    ("torchscript", "bf16", 0.03),
    ("onnx", "fp32", 1e-4),
    ("openvino", "fp32", 1e-4),
    ("openvino", "bf16", 0.03),
]
"""Backend, precision, and how far its log-posteriors may be from those of the network itself."""
_NOT_EVERYWHERE = ("openvino", "bf16")
RUN_HERE = [name for name in MODULES if name != "tensorrt"]
"""Backends that need no card."""


def opened(checkpoint: Checkpoint, name: str, precision: str) -> Backend:
    try:
        return open_backend(checkpoint, RuntimeSettings(name, precision))
    except BackendUnavailable as error:
        if (name, precision) != _NOT_EVERYWHERE:
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(("name", "precision", "tolerance"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_runtime_gives_what_the_network_gives(name: str, precision: str, tolerance: float, batch: int) -> None:
    checkpoint = random_checkpoint()
    backend = opened(checkpoint, name, precision)
    assert (backend.name, backend.precision) == (name, precision)
    features = torch.randn(batch, 61, N_MELS, generator=torch.Generator().manual_seed(3))
    expected = whole(checkpoint.network, features)
    for size in (1, 2, 7, 60, 61):
        cache, parts = None, []
        for chunk in features.split(size, dim=1):
            part, cache = backend.log_posteriors(chunk, cache)
            parts.append(part)
        found = torch.cat((*parts, backend.finish(cache)), dim=1)
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "precision", "tolerance"), CASES)
def test_loud_neighbours_change_nothing(name: str, precision: str, tolerance: float) -> None:
    """Neither in the batch nor later in the chunk: a scale common to them would be 100 times coarser."""
    backend = opened(random_checkpoint(), name, precision)
    features = torch.randn(1, 30, N_MELS, generator=torch.Generator().manual_seed(3))
    alone, _ = backend.log_posteriors(features, None)
    loud = torch.cat((features, 100 * features))
    beside, _ = backend.log_posteriors(torch.cat((loud, loud.flip(0)), dim=1), None)
    torch.testing.assert_close(beside[:1, : alone.shape[1]], alone, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "precision"), [case[:2] for case in CASES])
def test_a_cache_can_be_used_again(name: str, precision: str) -> None:
    backend = opened(random_checkpoint(), name, precision)
    _, cache = backend.log_posteriors(torch.randn(1, 20, N_MELS), None)
    features = torch.randn(1, 12, N_MELS)
    first, _ = backend.log_posteriors(features, cache)
    kept = first.clone()
    backend.log_posteriors(torch.randn(1, 12, N_MELS), cache)
    second, _ = backend.log_posteriors(features, cache)
    assert torch.equal(first, kept)
    torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", RUN_HERE)
def test_backend_finishes_without_frames(name: str) -> None:
    assert open_backend(random_checkpoint(), RuntimeSettings(name)).finish(None).shape == (1, 0, 40)


def test_offsets_are_added_and_normalised() -> None:
    checkpoint = random_checkpoint()
    backend = open_backend(checkpoint)
    offsets = torch.linspace(-1, 1, 40)
    features = torch.randn(1, 20, N_MELS)
    plain, _ = backend.log_posteriors(features, None)
    once, cache = backend.with_offsets(offsets).log_posteriors(features, None)
    twice, _ = backend.with_offsets(offsets).with_offsets(offsets).log_posteriors(features, None)
    torch.testing.assert_close(once, (plain + offsets).log_softmax(-1))
    torch.testing.assert_close(twice, (plain + 2 * offsets).log_softmax(-1))
    rest = backend.with_offsets(offsets).finish(cache)
    torch.testing.assert_close(rest, (backend.finish(cache) + offsets).log_softmax(-1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "abacus"}, "backend abacus is unknown; choose one of: auto, torch, "),
        ({"backend": "torch", "precision": "int4"}, "backend torch has no precision int4; choose one of: auto, fp32"),
        ({"precision": "fp7"}, "precision fp7 is unknown; choose one of: auto, fp32, tf32, fp16, bf16, int8, int4"),
        ({"backend": "torch", "device": "tpu"}, "backend torch can't run on device tpu; choose one of: auto, cpu"),
    ],
)
def test_what_is_missing_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(BackendUnavailable, match=message):
        open_backend(random_checkpoint(), RuntimeSettings(**settings))


def test_list_of_backends_warns_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    install = r"backend onnx needs onnxruntime, which is not installed: pip install 'streamhmm\[onnx\]'"
    with pytest.warns(RuntimeWarning, match=f"passed over backend onnx: {install}"):
        assert open_backend(random_checkpoint(), RuntimeSettings("onnx, torch")).name == "torch"
    with pytest.raises(BackendUnavailable, match=install):
        open_backend(random_checkpoint(), RuntimeSettings("onnx"))


@pytest.mark.parametrize("name", MODULES)
def test_unknown_options_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"backend {name} has no option colour; it has: "):
        open_backend(random_checkpoint(), RuntimeSettings(name, options={"colour": "red"}))


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    settings = RuntimeSettings("onnx", "int8", "cpu", "throughput", {"threads": 1})
    settings.save(tmp_path / "fast.json")
    assert RuntimeSettings.load(tmp_path / "fast.json") == settings


@pytest.mark.parametrize("content", ["", "[]", "{", '{"backend": "torch", "speed": 3}', "3", None])
def test_damaged_settings_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "fast.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BackendUnavailable, match=r"fast.json: no runtime settings \("):
        RuntimeSettings.load(path)


@pytest.mark.parametrize("name", ["backend", "precision", "device", "hint", "options"])
@pytest.mark.parametrize("value", [5, None, ["torch"]])
def test_settings_of_the_wrong_type_are_refused(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "fast.json"
    path.write_text(json.dumps({name: value}))
    with pytest.raises(BackendUnavailable, match=rf"fast\.json: no runtime settings \(of the wrong type: {name}\)"):
        RuntimeSettings.load(path)


def test_wrong_hint_is_refused() -> None:
    with pytest.raises(ValueError, match="hint must be one of latency, throughput, got 'speed'"):
        RuntimeSettings(hint="speed")


@pytest.mark.parametrize("name", RUN_HERE)
def test_streams_of_a_model_equal_the_whole(name: str) -> None:
    model = AcousticModel(random_checkpoint(), RuntimeSettings(name))
    samples = noise(7000)
    stream = model.stream()
    streamed = torch.cat([*(stream.push(chunk) for chunk in samples.split(900)), stream.finish()])
    torch.testing.assert_close(streamed, model.scores(samples), atol=2e-4, rtol=0)
