"""The phones: CMUdict's 39, without stress, and silence."""

from __future__ import annotations

from typing import TypeAlias

Pronunciation: TypeAlias = tuple[str, ...]
"""Phones in the order in which they are spoken."""

_IN_ORDER = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
PHONES = tuple(_IN_ORDER.split())
SILENCE = "SIL"


def without_stress(symbol: str) -> str | None:
    """The phone that ``symbol`` names, in any case and with or without a stress digit; None if there is no such."""
    phone = symbol.upper().rstrip("012")
    return phone if phone in PHONES else None
