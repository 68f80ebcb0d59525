"""Where a text pauses: what punctuation and line breaks say of phrases and sentences."""

from __future__ import annotations

import re
from enum import IntEnum

_ENDS_CLAUSE = re.compile("[.,!?;:—―⸺⸻…]|--")
_ENDS_SENTENCE = re.compile(r"[!?]|(?<!\.)\.(?!\.)")  # three points are a pause


class Break(IntEnum):
    """What ends with a word; the stronger break is the greater number."""

    NONE = 0
    PHRASE = 1
    SENTENCE = 2


def break_in(punctuation: str) -> Break:
    """The break that the punctuation between two words makes."""
    if _ENDS_SENTENCE.search(punctuation):
        return Break.SENTENCE
    return Break.PHRASE if _ENDS_CLAUSE.search(punctuation) else Break.NONE
