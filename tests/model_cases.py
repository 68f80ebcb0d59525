"""A small model of every family with parameters, and data drawn from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from streamhmm.models import GMMHMM, CategoricalHMM, GaussianHMM, PoissonHMM

STATES = 3
LENGTHS = [40, 1, 25, 34]
NAMES = ("categorical", "poisson", "spherical", "diag", "full", "tied", "mixture diag", "mixture full")
CENTRES = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 4.0]])


def make(name: str, n_components: int = STATES, **options: Any) -> Any:
    """A model of a family without parameters."""
    if name == "categorical":
        return CategoricalHMM(n_components, **options)
    if name == "poisson":
        return PoissonHMM(n_components, **options)
    if name.startswith("mixture"):
        return GMMHMM(n_components, n_mix=2, covariance_type=name.split()[1], **options)
    return GaussianHMM(n_components, covariance_type=name, **options)


def known(name: str, **options: Any) -> Any:
    """The same with parameters, which ``fit`` starts from."""
    model = make(name, init_params="", **options)
    model.startprob_ = [0.5, 0.3, 0.2]
    model.transmat_ = [[0.8, 0.1, 0.1], [0.15, 0.7, 0.15], [0.05, 0.25, 0.7]]
    matrix = np.array([[1.0, 0.3], [0.3, 0.8]])
    if name == "categorical":
        model.emissionprob_ = [[0.6, 0.2, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1], [0.1, 0.1, 0.2, 0.6]]
    elif name == "poisson":
        model.lambdas_ = CENTRES + 2
    elif name.startswith("mixture"):
        model.means_ = CENTRES[:, None] + np.array([[-0.8, 0.0], [0.8, 0.5]])
        model.covars_ = np.ones((3, 2, 2)) if name.endswith("diag") else np.tile(matrix, (3, 2, 1, 1))
        model.weights_ = [[0.5, 0.5], [0.4, 0.6], [0.7, 0.3]]
    else:
        model.means_ = CENTRES
        model.covars_ = {
            "spherical": np.ones(3),
            "diag": np.tile([1.0, 0.7], (3, 1)),
            "full": np.tile(matrix, (3, 1, 1)),
            "tied": matrix,
        }[name]
    return model


def drawn(name: str, count: int = sum(LENGTHS), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the model with its states."""
    return known(name).sample(count, random_state=seed)


def copy_of(model: Any, name: str, **options: Any) -> Any:
    """Another model with the same parameters and other options."""
    other = known(name, **{"dtype": model.dtype, **options})
    other.load_state_dict(model.state_dict())
    return other


def close(a: Any, b: Any, atol: float = 1e-10) -> None:
    """All parameters of two models are equal, up to what softmax makes of logits."""
    np.testing.assert_allclose(a.startprob_, b.startprob_, atol=atol)
    np.testing.assert_allclose(a.transmat_, b.transmat_, atol=atol)
    for key in ("means_", "covars_", "weights_", "lambdas_", "emissionprob_"):
        if hasattr(a, key):
            np.testing.assert_allclose(getattr(a, key), getattr(b, key), atol=atol, err_msg=key)


def valid(model: Any) -> None:
    """Probabilities add up to 1, variances are positive."""
    one = 1e-5 if model.dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(model.startprob_.sum(), 1, atol=one)
    np.testing.assert_allclose(model.transmat_.sum(1), 1, atol=one)
    for key in ("weights_", "emissionprob_"):
        if hasattr(model, key):
            np.testing.assert_allclose(getattr(model, key).sum(-1), 1, atol=one)
    if hasattr(model, "lambdas_"):
        assert (model.lambdas_ > 0).all()
    if hasattr(model, "covars_"):
        values = model.covars_
        square = model.covariance_type in ("full", "tied")
        assert (np.linalg.eigvalsh(values) > 0).all() if square else (values > 0).all()
