"""Models of hmmlearn, taken over."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from streamhmm.models import families
from streamhmm.models.estimator import Estimator
from streamhmm.models.variational import Variational

_POSTERIORS = tuple(
    f"{name}_posterior_" for name in ("startprob", "transmat", "emissionprob", "means", "beta", "dof", "scale")
)
_PARAMETERS = ("startprob_", "transmat_", "means_", "covars_", "weights_", "lambdas_", "emissionprob_")
_APART = ("topology", "dtype", "n_features", "random_state")


def from_hmmlearn(fitted: Any) -> Estimator:
    """The same model, from a fitted one of hmmlearn: it scores, decodes and goes on training as that one does.

    A variational model comes over with its posteriors, and with the priors that it was fitted with.

    Raises:
        TypeError: not a model of hmmlearn that has a counterpart here.
        ValueError: it has no parameters yet.
    """
    name = type(fitted).__name__
    made: type[Estimator] | None = families().get(name)
    if made is None or not type(fitted).__module__.startswith("hmmlearn."):
        raise TypeError(f"a fitted model of hmmlearn must be one of {', '.join(sorted(families()))}, got {name}")
    given = fitted.get_params()
    wanted = {each.name for each in fields(made)} - set(_APART)
    if issubclass(made, Variational):
        given |= {key: getattr(fitted, f"{key}_") for key in wanted if hasattr(fitted, f"{key}_")}
    if "n_trials" in given and np.unique(given["n_trials"]).size == 1:
        given["n_trials"] = int(np.unique(given["n_trials"])[0])
    elif "n_trials" in given:
        given["n_trials"] = None  # those of each frame of its data
    model = made(**{key: given[key] for key in wanted & set(given)})
    names = _POSTERIORS if issubclass(made, Variational) else _PARAMETERS
    wanted = {key for key in names if isinstance(getattr(made, key, None), property)}
    values = {key: _value(fitted, key) for key in wanted}
    if any(value is None for value in values.values()):
        raise ValueError(f"this {name} has no parameters yet; fit it first")
    for key in sorted(values, key=lambda key: not key.startswith("means_")):  # the others need their shape
        setattr(model, key, values[key])
    return model


def _value(fitted: Any, key: str) -> Any:
    """hmmlearn shows the covariances of its Gaussian models as matrices, and only of fitted ones."""
    if key != "covars_" or type(fitted).__name__ == "GMMHMM":
        return getattr(fitted, key, None)
    stored = getattr(fitted, "_covars_", None)
    if stored is None:
        return None
    values = np.asarray(stored)
    if fitted.covariance_type == "spherical":
        return values if values.ndim == 1 else values[:, 0].copy()  # (S,), or (S, D) of equal numbers
    return values
