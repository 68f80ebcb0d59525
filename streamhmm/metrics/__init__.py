"""How good alignments are, held against a reference: pure functions on times and labels."""

from streamhmm.metrics.boundaries import THRESHOLDS_MS, Shifts, Summary, shifts, summarise
from streamhmm.metrics.comparison import TIERS, RecordingComparison, TierComparison, compare_tiers
from streamhmm.metrics.evaluation import Evaluation, Figure, Row, evaluate
from streamhmm.metrics.matching import TOLERANCE_MS, Detection, Matches, detection, match_times
from streamhmm.metrics.pairing import pair_words
from streamhmm.metrics.phone_classes import CLASSES, phone_class
from streamhmm.metrics.phones import PhoneErrors, pair_phones, phone_errors
from streamhmm.metrics.recordings import FilePair, FilePairs, find_pairs

__all__ = [
    "CLASSES",
    "THRESHOLDS_MS",
    "TIERS",
    "TOLERANCE_MS",
    "Detection",
    "Evaluation",
    "Figure",
    "FilePair",
    "FilePairs",
    "Matches",
    "PhoneErrors",
    "RecordingComparison",
    "Row",
    "Shifts",
    "Summary",
    "TierComparison",
    "compare_tiers",
    "detection",
    "evaluate",
    "find_pairs",
    "match_times",
    "pair_phones",
    "pair_words",
    "phone_class",
    "phone_errors",
    "shifts",
    "summarise",
]
