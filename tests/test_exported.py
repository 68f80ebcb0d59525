"""Exported files as models: what travels in them comes back, and what is no such file is named."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from test_network import noise, random_checkpoint

from streamhmm import Aligner
from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamhmm.acoustic.exported import ExportedModel, load_model, onnx_file, write_onnx_header
from streamhmm.acoustic.exported.model import HEADER, header_of
from streamhmm.acoustic.shipped import find_model
from streamhmm.errors import BackendUnavailable, ModelError


def full_checkpoint() -> Checkpoint:
    return replace(
        random_checkpoint(),
        training={"seed": 7, "notes": "ä"},
        calibration={"scale": 0.1},
        label_means=torch.randn(40, 80, generator=torch.Generator().manual_seed(0)),
    )


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    shutil.copy(onnx_file(random_checkpoint()), path)
    write_onnx_header(path, full_checkpoint(), "fp32", {"command": "test"})
    return path


def with_header(path: Path, header: str | None) -> None:
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {} if header is None else {HEADER: header})
    onnx.save(graph, path)


def test_all_of_a_checkpoint_but_its_network_comes_back(exported: Path) -> None:
    checkpoint, model = full_checkpoint(), load_model(exported)
    assert isinstance(model, ExportedModel)
    assert (model.path, model.form, model.precision) == (exported, "onnx", "fp32")
    assert (model.config, model.labels) == (checkpoint.config, checkpoint.labels)
    assert (model.training, model.calibration) == (checkpoint.training, checkpoint.calibration)
    assert (model.source, model.provenance) == (checkpoint.fingerprint, {"command": "test"})
    assert torch.equal(model.log_prior, checkpoint.log_prior)
    assert model.label_means is not None
    assert checkpoint.label_means is not None
    assert torch.equal(model.label_means, checkpoint.label_means)
    assert not list(exported.parent.glob("*.part"))


def test_fingerprint_is_that_of_the_file(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    shutil.copy(exported, copy)
    first, second = load_model(exported), load_model(copy)
    assert first.fingerprint == second.fingerprint
    write_onnx_header(copy, full_checkpoint(), "int8")
    assert load_model(copy).fingerprint not in (first.fingerprint, full_checkpoint().fingerprint)


def test_header_of_a_file_made_from_a_file_keeps_where_it_came_from(exported: Path) -> None:
    model = load_model(exported)
    write_onnx_header(exported, model, "int8", {"calibration": "manifest"})
    again = load_model(exported)
    assert isinstance(again, ExportedModel)
    assert again.source == full_checkpoint().fingerprint
    assert again.provenance == {"command": "test", "calibration": "manifest"}


def test_a_graph_in_memory_gets_its_header(exported: Path) -> None:
    graph = onnx.load(onnx_file(random_checkpoint()))
    write_onnx_header(graph, random_checkpoint(), "fp32")
    assert json.loads({entry.key: entry.value for entry in graph.metadata_props}[HEADER])["provenance"] == {}


def test_other_metadata_stays(exported: Path) -> None:
    graph = onnx.load(exported)
    onnx.helper.set_model_props(graph, {"mine": "kept"})
    write_onnx_header(graph, random_checkpoint(), "fp32")
    assert {entry.key for entry in graph.metadata_props} == {"mine", HEADER}


def test_a_checkpoint_is_loaded_as_ever(tmp_path: Path) -> None:
    save_checkpoint(random_checkpoint(), tmp_path / "model.safetensors")
    assert isinstance(load_model(tmp_path / "model.safetensors"), Checkpoint)


def test_exported_model_scores_as_its_checkpoint(exported: Path) -> None:
    samples = noise(9000)
    model = AcousticModel.load(exported)
    assert (model.backend.name, model.backend.precision) == ("onnx", "fp32")
    torch.testing.assert_close(
        model.scores(samples), AcousticModel(full_checkpoint()).scores(samples), atol=1e-4, rtol=0
    )


def test_aligner_takes_an_onnx_file(tmp_path: Path) -> None:
    shipped = load_checkpoint(find_model("en"))
    path = tmp_path / "en.onnx"
    shutil.copy(onnx_file(shipped), path)
    write_onnx_header(path, shipped, "fp32")
    samples, text = (0.1 * torch.randn(16000).clamp(-3, 3)).numpy(), "one two"
    found, expected = Aligner(path).align((samples, 16000), text), Aligner("en", "torch").align((samples, 16000), text)
    for name in ("label", "start", "end"):
        assert [getattr(word, name) for word in found.words] == [getattr(word, name) for word in expected.words]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"backend": "torch"},
            "backend torch can't run model.onnx; choose one of: auto, onnx, openvino, tensorrt; "
            "or give the safetensors file it was made from",
        ),
        ({"backend": "abacus"}, "backend abacus is unknown"),
    ],
)
def test_what_cannot_run_a_file_refuses_it(exported: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(BackendUnavailable, match=message):
        AcousticModel.load(exported, RuntimeSettings(**settings))


def test_a_list_of_backends_goes_on_to_what_runs_the_file(exported: Path) -> None:
    with pytest.warns(RuntimeWarning, match=r"passed over backend torch: backend torch can't run model\.onnx"):
        assert AcousticModel.load(exported, RuntimeSettings("torch,onnx")).backend.name == "onnx"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (None, "no model that streamhmm exported; give a file that `streamhmm export` wrote"),
        ("{", r"its header is damaged \(.*\); export the model again"),
        ("[]", r"its header is damaged"),
        ({"kind": "other"}, r"its header is damaged \(kind other\)"),
        ({"format_version": 2}, "format version 2, this streamhmm reads 1; install another release"),
        ({"labels": ["AA"]}, r"its header is damaged \(its labels are not AA AE"),
        ({"architecture": {"wings": 2}}, "its header is damaged .*wings"),
        ({"log_prior": {"shape": [1], "float32": "AAAAAA=="}}, r"log_prior has shape \(1,\) or is not finite"),
        ({"log_prior": {"shape": [2], "float32": "AAAAAA=="}}, "its header is damaged"),
        ({"log_prior": {"shape": [1], "float32": "!"}}, "its header is damaged"),
        ({"label_means": {"shape": [1], "float32": "AADAfw=="}}, r"label_means has shape \(1,\) or is not finite"),
    ],
)
def test_damaged_headers_are_named(exported: Path, changes: dict[str, Any] | str | None, message: str) -> None:
    valid = header_of(full_checkpoint(), "fp32")
    with_header(exported, json.dumps({**valid, **changes}) if isinstance(changes, dict) else changes)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(exported)
    assert str(exported) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.onnx", "not an ONNX file, or damaged; export the model again"),
        ("x.ts", "not a file of PyTorch, or damaged"),
        ("x.pt2", "not a file of PyTorch, or damaged"),
        ("x.engine", r"its header x\.engine\.json is missing or unreadable; keep both files together"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    with pytest.raises(ModelError, match="no such model file; name a file or a shipped model"):
        load_model(path)
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_truncated_onnx_is_named(exported: Path) -> None:
    exported.write_bytes(exported.read_bytes()[:1000])
    with pytest.raises(ModelError, match="not an ONNX file, or damaged"):
        load_model(exported)


def test_archive_without_header_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.ts", "w") as archive:
        archive.writestr("x/data.pkl", "")
    with pytest.raises(ModelError, match="no model that streamhmm exported"):
        load_model(tmp_path / "x.ts")
