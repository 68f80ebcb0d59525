"""The HMM family as torch modules, with hmmlearn's names.

Names are imported when they are first used, as those of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamhmm.models.categorical import CategoricalHMM
    from streamhmm.models.files import load, save
    from streamhmm.models.gaussian import GaussianHMM
    from streamhmm.models.hmmlearn_models import from_hmmlearn
    from streamhmm.models.mixture import GMMHMM
    from streamhmm.models.multinomial import MultinomialHMM
    from streamhmm.models.networks import FrameNetwork, GaussianNetwork
    from streamhmm.models.neural import NeuralHMM
    from streamhmm.models.poisson import PoissonHMM
    from streamhmm.models.semi_markov import HSMM
    from streamhmm.models.topology import Topology
    from streamhmm.models.variational_categorical import VariationalCategoricalHMM
    from streamhmm.models.variational_gaussian import VariationalGaussianHMM

_FAMILIES = {
    "CategoricalHMM": "categorical",
    "GMMHMM": "mixture",
    "GaussianHMM": "gaussian",
    "HSMM": "semi_markov",
    "MultinomialHMM": "multinomial",
    "NeuralHMM": "neural",
    "PoissonHMM": "poisson",
    "VariationalCategoricalHMM": "variational_categorical",
    "VariationalGaussianHMM": "variational_gaussian",
}
_HOMES = {
    **_FAMILIES,
    "FrameNetwork": "networks",
    "GaussianNetwork": "networks",
    "Topology": "topology",
    "from_hmmlearn": "hmmlearn_models",
    "load": "files",
    "save": "files",
}
__all__ = [
    "GMMHMM",
    "HSMM",
    "CategoricalHMM",
    "FrameNetwork",
    "GaussianHMM",
    "GaussianNetwork",
    "MultinomialHMM",
    "NeuralHMM",
    "PoissonHMM",
    "Topology",
    "VariationalCategoricalHMM",
    "VariationalGaussianHMM",
    "from_hmmlearn",
    "load",
    "save",
]


def families() -> dict[str, Any]:
    """Every class of models, by name."""
    return {name: __getattr__(name) for name in _FAMILIES}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
