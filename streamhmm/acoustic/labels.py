"""The phones that the network tells apart: one column of its output each."""

from __future__ import annotations

SILENCE = "SIL"

LABELS: tuple[str, ...] = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY"),
    *("F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY"),
    *("P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
    SILENCE,
)
"""The 39 phones of CMUdict without stress in alphabetical order, then silence."""

VOWELS = frozenset(("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"))
SONORANTS = frozenset(("L", "M", "N", "NG", "R", "W", "Y"))
