"""What is not known from the start: the pronunciation of words, what a model's scores mean."""

from __future__ import annotations

from collections.abc import Sequence

from streamhmm.align.mismatch import first_named

UNCALIBRATED_WARNING = (
    "the model has no calibration: scores are rough, and a text that does not fit goes unnoticed; "
    "see examples/english_model/calibrate.py"
)


def unknown_words(words: Sequence[str]) -> tuple[str, ...]:
    """A warning that names the words whose pronunciation was guessed."""
    if not words:
        return ()
    names = first_named(words)
    return (f"no pronunciation known, guessed from the spelling: {names} (add them to a lexicon file)",)
