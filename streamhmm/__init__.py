"""Word and phone times of a known text in speech, and the HMM engine underneath.

Names are imported when they are first used: ``streamhmm --help`` need not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner
    from streamhmm.align.batching import BatchingEngine
    from streamhmm.align.events import Event, Position
    from streamhmm.align.results import Alignment
    from streamhmm.align.stream import AlignmentStream
    from streamhmm.counts import ExpectedCounts, ForwardBackward, expected_counts, forward_backward
    from streamhmm.graph import Graph
    from streamhmm.online import OnlineViterbi, Survivors
    from streamhmm.ops import Path, check, log_likelihood, posteriors, viterbi
    from streamhmm.sampling import sample
    from streamhmm.segment import Segment
    from streamhmm.smoothing import filter as filter
    from streamhmm.smoothing import smooth
    from streamhmm.tensor_alignment.ctc_aligner import CTCAligner
    from streamhmm.tensor_alignment.ctc_alignment import CtcAlignment
    from streamhmm.tensor_alignment.ctc_stream import CtcStream
    from streamhmm.tensor_alignment.dtw_aligner import DTWAligner
    from streamhmm.tensor_alignment.dtw_alignment import DtwAlignment
    from streamhmm.tensor_alignment.forced_alignment import ForcedAlignment, TokenSpan, forced_align, merge_tokens
    from streamhmm.warping import WarpingPath, dtw, dtw_from_cost
    from streamhmm.warping_online import Followed, OnlineDTW

__version__ = "0.1.0"

# Without ``filter``: ``from streamhmm import *`` is not to hide Python's own.
__all__ = [
    "Aligner",
    "Alignment",
    "AlignmentStream",
    "BatchingEngine",
    "CTCAligner",
    "CtcAlignment",
    "CtcStream",
    "DTWAligner",
    "DtwAlignment",
    "Event",
    "ExpectedCounts",
    "Followed",
    "ForcedAlignment",
    "ForwardBackward",
    "Graph",
    "OnlineDTW",
    "OnlineViterbi",
    "Path",
    "Position",
    "Segment",
    "Survivors",
    "TokenSpan",
    "WarpingPath",
    "check",
    "dtw",
    "dtw_from_cost",
    "expected_counts",
    "forced_align",
    "forward_backward",
    "log_likelihood",
    "merge_tokens",
    "posteriors",
    "sample",
    "smooth",
    "viterbi",
]

_HOMES = {
    "Aligner": "align.aligner",
    "Alignment": "align.results",
    "AlignmentStream": "align.stream",
    "BatchingEngine": "align.batching",
    "CTCAligner": "tensor_alignment.ctc_aligner",
    "CtcAlignment": "tensor_alignment.ctc_alignment",
    "CtcStream": "tensor_alignment.ctc_stream",
    "DTWAligner": "tensor_alignment.dtw_aligner",
    "DtwAlignment": "tensor_alignment.dtw_alignment",
    "Event": "align.events",
    "ExpectedCounts": "counts",
    "Followed": "warping_online",
    "ForcedAlignment": "tensor_alignment.forced_alignment",
    "ForwardBackward": "counts",
    "Graph": "graph",
    "OnlineDTW": "warping_online",
    "OnlineViterbi": "online",
    "Path": "ops",
    "Position": "align.events",
    "Segment": "segment",
    "Survivors": "online",
    "TokenSpan": "tensor_alignment.forced_alignment",
    "WarpingPath": "warping",
    "check": "ops",
    "dtw": "warping",
    "dtw_from_cost": "warping",
    "expected_counts": "counts",
    "filter": "smoothing",
    "forced_align": "tensor_alignment.forced_alignment",
    "forward_backward": "counts",
    "log_likelihood": "ops",
    "merge_tokens": "tensor_alignment.forced_alignment",
    "posteriors": "ops",
    "sample": "sampling",
    "smooth": "smoothing",
    "viterbi": "ops",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
