"""What the shipped model says of itself, for tests that hold with its calibration and without."""

from __future__ import annotations

import streamhmm as sh
from streamhmm.align.unknown import UNCALIBRATED_WARNING


def hints(aligner: sh.Aligner) -> tuple[str, ...]:
    """The warnings that each of its alignments begins with."""
    return () if aligner.model.calibration else (UNCALIBRATED_WARNING,)


def hint_lines(aligner: sh.Aligner, audio: str) -> str:
    """The same as the command line says it of a recording."""
    return "".join(f"streamhmm: {audio}: {hint}\n" for hint in hints(aligner))
