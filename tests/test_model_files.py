"""Models on disk, and models taken over from hmmlearn."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file
from test_model_topology import TOPOLOGIES, model_of
from test_models import CASES, LENGTHS, pair

from streamhmm import models
from streamhmm.errors import ModelError, OutputError
from streamhmm.models import GaussianHMM, from_hmmlearn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn import hmm


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_models_come_back_as_they_were(name: str, kind: str | None, tmp_path: Path) -> None:
    _, ours, x = pair(name, kind)
    models.save(ours, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    assert type(loaded) is type(ours)
    assert loaded.score(x, LENGTHS) == ours.score(x, LENGTHS)
    apart = ("topology", "n_features")
    for key, value in ours.get_params().items():
        assert key in apart or loaded.get_params()[key] == value, key


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_topologies_come_back(name: str, tmp_path: Path) -> None:
    model = model_of(TOPOLOGIES[name])
    models.save(model, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    x = model.sample(30, 1)[0]
    assert loaded.score(x) == model.score(x)
    assert torch.equal(loaded.chain.topology.pdfs, model.chain.topology.pdfs)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    model = pair("PoissonHMM")[1]
    with pytest.raises(OutputError, match=r"a\.safetensors: there is no folder .*none; make it first"):
        models.save(model, tmp_path / "none" / "a.safetensors")
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(OutputError, match=r"a\.safetensors: this is a directory"):
        models.save(model, tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_model_without_parameters_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model has no emissions yet"):
        models.save(GaussianHMM(2), tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def rewrite(path: Path, header: dict[str, Any], tensors: dict[str, torch.Tensor | None]) -> None:
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["streamhmm"])
    kept = {**load_file(path), **tensors}
    save_file({k: v for k, v in kept.items() if v is not None}, path, {"streamhmm": json.dumps({**told, **header})})


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        ({"kind": "other"}, {}, "no model of streamhmm.models; give a file that `save` wrote"),
        ({"format_version": 9}, {}, "format version 9, this streamhmm reads 1; install another"),
        ({"model": "Oracle"}, {}, r"the header is damaged \('Oracle'\); save the model again"),
        ({"settings": {"speed": 1}}, {}, r"the header is damaged \(unknown settings \['speed'\]\)"),
        ({"dtype": "complex"}, {}, "the header is damaged"),
        ({"size": "many"}, {}, "the header is damaged"),
        ({}, {"emission.means": None}, r"tensor emission.means has shape None, expected \(4, 5\)"),
        ({}, {"emission.means": torch.zeros(4, 6)}, r"tensor emission.means has shape \(4, 6\), expected \(4, 5\)"),
        ({}, {"extra": torch.zeros(1)}, r"tensor extra has shape \(1,\), expected None"),
        ({}, {"emission.means": torch.full((4, 5), torch.nan)}, "tensor emission.means has NaN"),
        ({}, {"emission.means": torch.full((4, 5), torch.inf).double()}, "tensor emission.means has inf"),
        ({}, {"emission.means": torch.zeros(4, 5)}, r"tensor emission.means holds torch.float32, expected torch.float"),
        ({}, {"topology.allowed": None}, "the header is damaged"),
        ({"size": float("inf")}, {}, "the header is damaged"),
        ({"size": 10**9}, {}, r"tensor emission.means has shape \(4, 5\), expected \(4, 1000000000\)"),
        ({"settings": {"n_components": 10**9}}, {}, "n_components is 1000000000, the topology has 4 states"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, header: Any, tensors: Any, message: str) -> None:
    path = tmp_path / "model.safetensors"
    models.save(pair("GaussianHMM", "diag")[1], path)
    rewrite(path, header, tensors)
    with pytest.raises(ModelError, match=message) as caught:
        models.load(path)
    assert str(path) in str(caught.value)


def test_a_header_of_endless_depth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"streamhmm": "[" * 100_000})
    with pytest.raises(ModelError, match="no safetensors file, or damaged"):
        models.load(path)


def test_settings_are_kept_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    models.save(GaussianHMM(2, n_features=2, startprob_prior=[np.int64(1), np.float32(2)]), path)
    assert models.load(path).startprob_prior == [1, 2]
    path.unlink()
    with pytest.raises(ValueError, match="settings must be numbers, text, arrays or models to be saved, got <built-in"):
        models.save(GaussianHMM(2, n_features=2, tol=print), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x80\x04K\x01."])
def test_other_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="no safetensors file, or damaged"):
        models.load(path)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_models_of_hmmlearn_are_taken_over(name: str, kind: str | None) -> None:
    theirs, _, x = pair(name, kind)
    theirs.fit(x, LENGTHS)
    ours = from_hmmlearn(theirs)
    np.testing.assert_allclose(ours.score(x, LENGTHS), theirs.score(x, LENGTHS), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(x, LENGTHS), theirs.predict_proba(x, LENGTHS), atol=1e-8)
    assert (ours.n_iter, ours.init_params) == (6, "")


def test_what_is_no_model_of_hmmlearn_is_refused() -> None:
    with pytest.raises(TypeError, match="a fitted model of hmmlearn must be one of CategoricalHMM, "):
        from_hmmlearn(GaussianHMM(2))
    with pytest.raises(TypeError, match="got object"):
        from_hmmlearn(object())
    with pytest.raises(ValueError, match="this GaussianHMM has no parameters yet; fit it first"):
        from_hmmlearn(hmm.GaussianHMM(2))


def test_the_precision_of_the_parameters_is_kept(tmp_path: Path) -> None:
    model = pair("GaussianHMM", "diag")[1].float()
    models.save(model, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    assert loaded.chain.initial_logits.dtype == torch.float32
