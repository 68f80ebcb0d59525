"""Many recordings at once: found, aligned by several processes, gone on with after an interruption, reported."""

from __future__ import annotations

from streamhmm.corpus.layouts import find_utterances
from streamhmm.corpus.run import Outcome, Progress, align_corpus
from streamhmm.corpus.settings import Settings
from streamhmm.corpus.utterance import Listing, Part, Problem, Utterance

__all__ = [
    "Listing",
    "Outcome",
    "Part",
    "Problem",
    "Progress",
    "Settings",
    "Utterance",
    "align_corpus",
    "find_utterances",
]
