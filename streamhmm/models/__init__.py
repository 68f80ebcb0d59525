"""The HMM family as torch modules, with hmmlearn's names.

Names are imported when they are first used, as those of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamhmm.models.categorical import CategoricalHMM
    from streamhmm.models.gaussian import GaussianHMM
    from streamhmm.models.mixture import GMMHMM
    from streamhmm.models.poisson import PoissonHMM
    from streamhmm.models.topology import Topology

_HOMES = {
    "CategoricalHMM": "categorical",
    "GMMHMM": "mixture",
    "GaussianHMM": "gaussian",
    "PoissonHMM": "poisson",
    "Topology": "topology",
}
__all__ = ["GMMHMM", "CategoricalHMM", "GaussianHMM", "PoissonHMM", "Topology"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
