"""Quantised networks: near the float one, the same for any cut and any batch, with all a model needs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
from test_network import random_checkpoint
from torch import Tensor

from streamhmm import cli
from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import Backend, open_backend
from streamhmm.acoustic.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamhmm.acoustic.compress.agreement import agreement_of, whole_log_posteriors
from streamhmm.acoustic.compress.integer_kernels import use_integer_kernels
from streamhmm.acoustic.compress.quantise import quantise_dynamic, quantise_static, quantise_weights
from streamhmm.acoustic.compress.steps import calibration_steps
from streamhmm.acoustic.compress.writing import write_quantised
from streamhmm.acoustic.exported import ExportedModel, load_model
from streamhmm.acoustic.exported.onnx_conversions import onnx_file_in
from streamhmm.acoustic.features import SILENCE
from streamhmm.acoustic.network import NetworkConfig
from streamhmm.acoustic.shipped import find_model, shipped_int8
from streamhmm.errors import OutputError

MATRICES = 2 + 2 * 3  # of random_checkpoint: input, output, two a block


def utterances(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(length, 80, generator=generator) for length in lengths]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return random_checkpoint(NetworkConfig(width=32, hidden=64, dilations=(1, 2, 1)))


@pytest.fixture(scope="module")
def static(checkpoint: Checkpoint) -> onnx.ModelProto:
    return quantise_static(checkpoint, utterances(150, 90, 210))


def written(model: onnx.ModelProto, checkpoint: Checkpoint, path: Path, precision: str = "int8") -> Backend:
    write_quantised(model, checkpoint, precision, {"method": "test"}, utterances(80), path)
    return open_backend(load_model(path), RuntimeSettings("onnx"))


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def chunked(backend: Backend, features: Tensor, size: int) -> Tensor:
    cache, parts = None, []
    for chunk in features.split(size, dim=1):
        part, cache = backend.log_posteriors(chunk, cache)
        parts.append(part)
    return torch.cat((*parts, backend.finish(cache)), dim=1)


def test_every_matrix_runs_in_integers_with_its_bias(static: onnx.ModelProto) -> None:
    found = operators(static)
    assert found.count("MatMulIntegerToFloat") == found.count("QuantizeLinear") == MATRICES
    assert not {"MatMul", "DequantizeLinear"} & set(found)
    assert all(len(node.input) == 7 for node in static.graph.node if node.op_type == "MatMulIntegerToFloat")


def test_pairs_stay_where_they_are_wanted(checkpoint: Checkpoint) -> None:
    model = quantise_static(checkpoint, utterances(90), pairs=True)
    found = operators(model)
    assert (found.count("MatMul"), found.count("QuantizeLinear")) == (MATRICES, MATRICES)
    assert found.count("DequantizeLinear") == 2 * MATRICES
    assert {opset.domain for opset in model.opset_import} == {""}
    assert use_integer_kernels(model) == MATRICES
    assert use_integer_kernels(model) == 0


@pytest.mark.parametrize("calibration", ["minmax", "entropy", "percentile"])
def test_static_is_near_the_network(checkpoint: Checkpoint, calibration: str, tmp_path: Path) -> None:
    model = quantise_static(checkpoint, utterances(150, 90, 210), calibration=calibration)
    backend = written(model, checkpoint, tmp_path / "a.onnx")
    expected = whole_log_posteriors(open_backend(checkpoint), utterances(150, 90))
    found = agreement_of(expected, whole_log_posteriors(backend, utterances(150, 90)))
    assert found.largest < 0.1
    assert found.divergence < 1e-3


@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_static_does_not_depend_on_chunks_and_batches(
    static: onnx.ModelProto, checkpoint: Checkpoint, size: int, tmp_path: Path
) -> None:
    backend = written(static, checkpoint, tmp_path / "a.onnx")
    features = torch.stack(utterances(61, 61, 61)) * torch.tensor([1.0, 0.1, 3.0])[:, None, None]
    whole = [chunked(backend, row[None], 61) for row in features]
    found = chunked(backend, features, size)
    # A value on the edge between two steps of the quantiser may fall on either side of it.
    torch.testing.assert_close(found, torch.cat(whole), atol=0.02, rtol=0)


def test_dynamic_and_4_bits_are_near_the_network(checkpoint: Checkpoint, tmp_path: Path) -> None:
    expected = whole_log_posteriors(open_backend(checkpoint), utterances(150))
    handlers = logging.getLogger().handlers[:]
    for model, precision, operator, limit in (
        (quantise_dynamic(checkpoint), "int8", "DynamicQuantizeLinear", 0.1),
        (quantise_weights(checkpoint), "int4", "MatMulNBits", 0.6),
    ):
        assert operator in operators(model)
        backend = written(model, checkpoint, tmp_path / "a.onnx", precision)
        assert backend.precision == precision
        assert agreement_of(expected, whole_log_posteriors(backend, utterances(150))).largest < limit
    assert logging.getLogger().handlers == handlers


def test_file_has_what_a_model_needs(static: onnx.ModelProto, checkpoint: Checkpoint, tmp_path: Path) -> None:
    result = write_quantised(static, checkpoint, "int8", {"method": "test"}, utterances(80), tmp_path / "a.onnx")
    assert result.size == (tmp_path / "a.onnx").stat().st_size
    assert result.float_size == 4 * sum(weight.numel() for weight in checkpoint.network.parameters())
    model = load_model(tmp_path / "a.onnx")
    assert isinstance(model, ExportedModel)
    assert (model.precision, model.source, model.config) == ("int8", checkpoint.fingerprint, checkpoint.config)
    assert model.provenance["method"] == "test"
    assert model.provenance["agreement"] == result.agreement._asdict()
    assert {"streamhmm", "torch", "onnx", "onnxruntime"} <= model.provenance.keys()


def test_calibration_runs_the_step_as_it_is_used(checkpoint: Checkpoint) -> None:
    """In batches of equal chunks, with the states that the network itself carries from one to the next."""
    short, long, middle = utterances(40, 100, 73)
    steps = list(calibration_steps(checkpoint.network, [short, long, middle], batch=2, steps=10))
    assert [tuple(frames.shape) for frames, _ in steps] == [(2, 26, 80)] * (4 + 5)
    assert torch.equal(steps[0][0][0, 3:], short[:23])
    assert torch.equal(steps[0][0][1, 3:], middle[:23])
    assert torch.equal(steps[4][0][1, 3:], short[:23])  # again: it fills up the last batch
    assert bool((steps[2][0][0] == SILENCE).sum() == 3 * 80 + 80 * 20)  # behind its end
    for index, (_, states) in enumerate(steps[4:]):
        if index == 0:
            expected = torch.zeros_like(states[0])
        else:
            _, cache = checkpoint.network(long[None, : 20 * index + 3])
            expected = cache.states[0]
        torch.testing.assert_close(states[0], expected, atol=1e-5, rtol=0)


def test_unknown_calibration_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="calibration must be one of minmax, entropy, percentile, got 'guess'"):
        quantise_static(checkpoint, utterances(50), calibration="guess")


def test_place_that_is_not_there_is_named(static: onnx.ModelProto, checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.onnx: there is no folder .*none; make it first"):
        write_quantised(static, checkpoint, "int8", {}, utterances(80), tmp_path / "none" / "a.onnx")


# ---- what is shipped


def test_shipped_int8_is_that_of_the_shipped_network() -> None:
    english = load_checkpoint(find_model("en"))
    path = shipped_int8(english)
    assert path == find_model("en").with_name("int8.onnx")
    assert path.stat().st_size < 0.3 * find_model("en").stat().st_size
    assert shipped_int8(random_checkpoint()) is None
    assert onnx_file_in(english, "int8") == path


def test_shipped_int8_hears_what_the_network_hears() -> None:
    exact, fast = AcousticModel.load("en"), AcousticModel.load("en", RuntimeSettings("onnx", "int8"))
    assert (fast.backend.name, fast.backend.precision) == ("onnx", "int8")
    time = torch.arange(16_000) / 16_000
    sweep = 0.1 * torch.sin(2 * torch.pi * (100 + 900 * time) * time) * (1 + torch.sin(60 * time))
    found = agreement_of(exact.log_posteriors(sweep), fast.log_posteriors(sweep))
    assert found.divergence < 5e-3
    assert found.same_label > 0.9


# ---- the command


def corpus(folder: Path, lengths: Sequence[int] = (8000, 12000, 9000)) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(2)
    for index, length in enumerate(lengths):
        soundfile.write(folder / f"{index}.wav", 0.1 * generator.standard_normal(length), 16000)
    return folder


@pytest.fixture
def model(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    save_checkpoint(checkpoint, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("method", ["static", "dynamic", "weights4"])
def test_command_writes_a_model(method: str, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "small.onnx"
    recordings = corpus(tmp_path / "in")
    arguments = ["quantize", str(model), "-o", str(output), "--method", method, "--corpus", str(recordings)]
    assert cli.main(arguments) == 0
    said = capfd.readouterr()
    assert said.err == ""
    first, second = said.out.splitlines()
    assert first.startswith(f"{output}: 0.0")
    assert second.startswith("on 1 recordings beside those: ")
    found = load_model(output)
    assert isinstance(found, ExportedModel)
    assert found.provenance["method"] == method
    if method == "static":
        assert found.provenance["calibration"] == "minmax"
        assert found.provenance["corpus"] == {"source": "in", "recordings": 2, "seconds": pytest.approx(1.25, abs=0.1)}


def test_output_of_another_kind_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["quantize", "en", "-o", "a.safetensors", "--corpus", "b"])
    assert ended.value.code == 2
    assert "--output must be an .onnx file, got a.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime.quantization"])
def test_what_is_not_installed_is_named_before_any_recording_is_read(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert cli.main(["quantize", "en", "-o", str(tmp_path / "q.onnx"), "--corpus", str(tmp_path / "nowhere")]) == 1
    assert f"needs {library}, which is not installed: pip install 'streamhmm[onnx]'" in capsys.readouterr().err
