"""Word and phone times of a known text in speech, and the HMM engine underneath."""

from __future__ import annotations

from streamhmm.align.aligner import Aligner
from streamhmm.align.results import Alignment
from streamhmm.graph import Graph
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi
from streamhmm.segment import Segment

__version__ = "0.1.0"

__all__ = ["Aligner", "Alignment", "Graph", "Path", "Segment", "log_likelihood", "posteriors", "viterbi"]
