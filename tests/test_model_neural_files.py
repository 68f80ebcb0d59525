"""Models with networks on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_model_files import rewrite
from test_model_neural import FEATURES, ONE, TOPOLOGIES, Pairs, data, model_of
from torch import nn

from streamhmm import models
from streamhmm.errors import ModelError
from streamhmm.models import GaussianHMM, GaussianNetwork, NeuralHMM


@pytest.mark.parametrize("options", [{}, {"network": "gaussian", "transitions": "mlp"}, {"state_priors": [0.3, 0.7]}])
def test_networks_of_ours_are_kept_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    x = data().numpy()
    model = NeuralHMM(2, n_iter=2, random_state=0, receptive_field=(3, 1), **options).fit(x)
    models.save(model, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    assert loaded.score(x) == model.score(x)
    assert not loaded.training
    for name, value in model.get_params().items():
        assert name in ("topology", "random_state") or loaded.get_params()[name] == value, name


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_modules_of_ours_come_back_with_their_topology(tmp_path: Path, name: str) -> None:
    model = model_of(name, "arcs")
    models.save(model, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    assert loaded.score(data()) == model.score(data())
    assert loaded.network.settings == model.network.settings
    assert loaded.network is not model.network


def test_the_users_modules_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = NeuralHMM(2, network=nn.Linear(FEATURES, 2), transitions=Pairs(2)).eval()
    models.save(model, path)
    with pytest.raises(ValueError, match=r"network is a Linear of your own; give it: load\(path, network=module\)"):
        models.load(path)
    with pytest.raises(ValueError, match=r"transitions is a Pairs of your own; give it: load\(path, transitions=mod"):
        models.load(path, network=nn.Linear(FEATURES, 2))
    with pytest.raises(ModelError, match=r"tensor network.bias has shape \(2,\), expected \(3,\); give the module th"):
        models.load(path, network=nn.Linear(FEATURES, 3), transitions=Pairs(2))
    with pytest.raises(ModelError, match=r"tensor network.0.bias has shape None, expected \(2,\); give the module th"):
        models.load(path, network=nn.Sequential(nn.Linear(FEATURES, 2)), transitions=Pairs(2))
    own = nn.Linear(FEATURES, 2)
    loaded = models.load(path, network=own, transitions=Pairs(2))
    assert loaded.network is own
    assert loaded.score(ONE) == model.score(ONE)


def test_modules_that_are_not_asked_for_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    models.save(NeuralHMM(2, network=GaussianNetwork(FEATURES, 2)), path)
    with pytest.raises(ValueError, match="network is no module of your own in that file; leave it out"):
        models.load(path, network=nn.Linear(FEATURES, 2))
    with pytest.raises(ValueError, match="transitions is no module of your own in that file; leave it out"):
        models.load(path, transitions=nn.Linear(FEATURES, 2))
    models.save(GaussianHMM(2, n_features=2), path)
    with pytest.raises(ValueError, match="network is no module of your own in that file; leave it out"):
        models.load(path, network=nn.Linear(FEATURES, 2))


SETTINGS = {"n_features": 2, "n_outputs": 2, "hidden": 10**9}  # 4 · 10¹⁸ bytes


def test_weights_that_are_shared_are_kept(tmp_path: Path) -> None:
    def tied() -> nn.Sequential:
        layer = nn.Linear(2, 2)
        return nn.Sequential(layer, nn.Tanh(), layer)

    model = NeuralHMM(2, network=tied()).eval()
    models.save(model, tmp_path / "model.safetensors")
    assert models.load(tmp_path / "model.safetensors", network=tied()).score(ONE) == model.score(ONE)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"networks": 3}, "the header is damaged"),
        ({"networks": {"network": {"class": "Oracle", "given": None, "settings": {}}}}, "the header is damaged"),
        ({"settings": {"speed": 1}}, r"the header is damaged \(unknown settings \['speed'\]\)"),
        ({"dtype": "complex"}, "the header is damaged"),
        (
            {"networks": {"network": {"class": "FrameNetwork", "given": "mlp", "settings": SETTINGS}}},
            r"tensor built_network.hidden.0.weight has shape \(64, 2\), expected \(1000000000, 2\)",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, header: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.safetensors"
    models.save(NeuralHMM(2, n_features=2), path)
    rewrite(path, header, {})
    with pytest.raises(ModelError, match=message):
        models.load(path)


def test_a_model_without_networks_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model has no network yet"):
        models.save(NeuralHMM(2), tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_precision_is_kept(tmp_path: Path) -> None:
    model = NeuralHMM(2, n_features=2, dtype=torch.float64).eval()
    models.save(model, tmp_path / "model.safetensors")
    assert models.load(tmp_path / "model.safetensors").predict_proba(ONE).dtype == np.float64
