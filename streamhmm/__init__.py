"""Word and phone times of a known text in speech, and the HMM engine underneath."""

from __future__ import annotations

from streamhmm.graph import Graph
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi
from streamhmm.segment import Segment

__version__ = "0.1.0"

__all__ = ["Graph", "Path", "Segment", "log_likelihood", "posteriors", "viterbi"]
