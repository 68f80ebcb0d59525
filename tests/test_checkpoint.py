"""Model files: what is saved comes back, and what is not a model is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_network import noise, random_checkpoint

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamhmm.errors import ModelError


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    checkpoint = random_checkpoint()
    path = tmp_path / "model.safetensors"
    save_checkpoint(Checkpoint(checkpoint.network, checkpoint.log_prior, training={"seed": 7}), path)
    return path


def rewrite(path: Path, header: dict[str, object] | None = None, **tensors: torch.Tensor | None) -> None:
    """Change header entries and tensors of a model file (None removes)."""
    original = load_checkpoint(path)
    saved = load_file(path)
    for name, tensor in tensors.items():
        key = name.replace("__", ".")
        if tensor is None:
            del saved[key]
        else:
            saved[key] = tensor
    full = {
        "kind": "streamhmm-acoustic",
        "format_version": 2,
        "architecture": {**original.network.config.__dict__},
        "labels": original.labels,
    }
    save_file(saved, path, metadata={"streamhmm": json.dumps({**full, **(header or {})})})


def test_saved_model_comes_back(model_file: Path) -> None:
    original, loaded = random_checkpoint(), load_checkpoint(model_file)
    assert loaded.network.config == original.network.config
    assert loaded.labels == original.labels
    assert loaded.training == {"seed": 7}
    assert torch.equal(loaded.log_prior, original.log_prior)
    samples = noise(4000)
    assert torch.equal(AcousticModel(loaded).scores(samples), AcousticModel.load(model_file).scores(samples))
    assert torch.equal(AcousticModel(loaded).scores(samples), AcousticModel(original).scores(samples))
    assert not list(model_file.parent.glob("*.part"))


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        ({"kind": "other"}, {}, "not a streamhmm acoustic model; give a file that `streamhmm train` wrote"),
        ({"format_version": 3}, {}, "format version 3, this streamhmm reads 2; install another release"),
        ({"architecture": {"wings": 2}}, {}, "the header is damaged .*get the model file again"),
        ({"labels": ["AA"]}, {}, "1 labels for 40 outputs"),
        ({"labels": [str(label) for label in range(40)]}, {}, "its labels are not AA AE AH"),
        ({}, {"log_prior": torch.zeros(3)}, r"tensor log_prior has shape \(3,\), expected \(40,\)"),
        ({}, {"log_prior": None}, r"tensor log_prior has shape None, expected \(40,\)"),
        ({}, {"extra": torch.zeros(3)}, r"tensor extra has shape \(3,\), expected None"),
        ({}, {"log_prior": torch.full((40,), torch.nan)}, "tensor log_prior is not finite"),
    ],
)
def test_unfit_files_are_named(
    model_file: Path, header: dict[str, object], tensors: dict[str, torch.Tensor | None], message: str
) -> None:
    rewrite(model_file, header, **tensors)
    with pytest.raises(ModelError, match=message) as caught:
        load_checkpoint(model_file)
    assert str(model_file) in str(caught.value)


def test_foreign_safetensors_is_named(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="not a streamhmm acoustic model"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_header_that_is_no_object_is_named(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={"streamhmm": "[]"})
    with pytest.raises(ModelError, match="not a streamhmm acoustic model"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_damaged_file_is_named(model_file: Path) -> None:
    model_file.write_bytes(model_file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"model\.safetensors: not a safetensors file, or damaged"):
        load_checkpoint(model_file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors: no such model file; name a file or a shipped model"):
        AcousticModel.load(tmp_path / "none.safetensors")


def test_missing_name_is_named() -> None:
    with pytest.raises(
        ModelError, match=r"no shipped model is called 'xx'; shipped are: .*; or give a model file's path"
    ):
        AcousticModel.load("xx")
