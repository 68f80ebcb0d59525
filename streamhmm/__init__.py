"""Word and phone times of a known text in speech, and the HMM engine underneath.

Names are imported when they are first used: ``streamhmm --help`` need not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner
    from streamhmm.align.results import Alignment
    from streamhmm.graph import Graph
    from streamhmm.ops import Path, log_likelihood, posteriors, viterbi
    from streamhmm.segment import Segment
    from streamhmm.warping import WarpingPath, dtw, dtw_from_cost
    from streamhmm.warping_online import Followed, OnlineDTW

__version__ = "0.1.0"

__all__ = [
    "Aligner",
    "Alignment",
    "Followed",
    "Graph",
    "OnlineDTW",
    "Path",
    "Segment",
    "WarpingPath",
    "dtw",
    "dtw_from_cost",
    "log_likelihood",
    "posteriors",
    "viterbi",
]

_HOMES = {
    "Aligner": "align.aligner",
    "Alignment": "align.results",
    "Followed": "warping_online",
    "Graph": "graph",
    "OnlineDTW": "warping_online",
    "Path": "ops",
    "Segment": "segment",
    "WarpingPath": "warping",
    "dtw": "warping",
    "dtw_from_cost": "warping",
    "log_likelihood": "ops",
    "posteriors": "ops",
    "viterbi": "ops",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
