"""Models of hmmlearn, taken over."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from streamhmm.models import families
from streamhmm.models.estimator import Estimator

_NAMES = {"VariationalGaussianHMM": "GaussianHMM", "VariationalCategoricalHMM": "CategoricalHMM"}
"""Classes whose fitted model is one of ours: the means of the posterior over parameters."""
_PARAMETERS = ("startprob_", "transmat_", "means_", "covars_", "weights_", "lambdas_", "emissionprob_")
_APART = ("topology", "dtype", "n_features", "random_state")


def from_hmmlearn(fitted: Any) -> Estimator:
    """The same model, from a fitted one of hmmlearn: it scores, decodes and goes on training as that one does.

    Of the variational models, which hmmlearn decodes with parameters that do not add up to 1, what comes over are the
    means of the posterior.

    Raises:
        TypeError: not a model of hmmlearn that has a counterpart here.
        ValueError: it has no parameters yet.
    """
    name = type(fitted).__name__
    made: type[Estimator] | None = families().get(_NAMES.get(name, name))
    if made is None or not type(fitted).__module__.startswith("hmmlearn."):
        raise TypeError(f"a fitted model of hmmlearn must be one of {', '.join(sorted(families()))}, got {name}")
    given = fitted.get_params()
    wanted = {each.name for each in fields(made)} - set(_APART)
    if name in _NAMES:
        wanted = {key for key in wanted if not key.endswith(("_prior", "_weight"))}  # they mean something else there
    if "n_trials" in given and np.unique(given["n_trials"]).size == 1:
        given["n_trials"] = int(np.unique(given["n_trials"])[0])
    elif "n_trials" in given:
        given["n_trials"] = None  # those of each frame of its data
    model = made(**{key: given[key] for key in wanted & set(given)})
    values = {key: getattr(fitted, key) for key in _PARAMETERS if hasattr(fitted, key)}
    if "startprob_" not in values:
        raise ValueError(f"this {name} has no parameters yet; fit it first")
    for key in sorted(values, key=lambda key: key in ("covars_", "weights_")):  # these need the means' shape
        setattr(model, key, _value(fitted, key, values[key]))
    return model


def _value(fitted: Any, key: str, value: Any) -> Any:
    """hmmlearn shows the covariances of its Gaussian models as matrices."""
    if key != "covars_" or type(fitted).__name__ == "GMMHMM":
        return value
    if fitted.covariance_type == "spherical":
        stored = np.asarray(fitted._covars_)  # (S,), or (S, D) of equal numbers
        return stored if stored.ndim == 1 else np.array(stored[:, 0])
    kind, matrices = fitted.covariance_type, np.asarray(value)
    if kind == "tied":
        return matrices if matrices.ndim == 2 else matrices[0]
    return np.array(np.diagonal(matrices, axis1=1, axis2=2)) if kind == "diag" and matrices.ndim == 3 else matrices
