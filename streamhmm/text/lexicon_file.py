"""A user's pronunciation dictionary: ``WORD PH PH PH`` a line, as the Montreal Forced Aligner writes it."""

from __future__ import annotations

import os
import re

from streamhmm.errors import TextError
from streamhmm.text.keys import lookup_key
from streamhmm.text.phones import PHONES, Pronunciation, without_stress
from streamhmm.text.source import read_text

_VARIANT = re.compile(r"\(\d+\)$")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE]-?\d+)?")
_MOST_PROBABILITIES = 4
_NOT_SPEECH = frozenset(("SPN", "SIL", "SP"))


def read_lexicon_file(path: str | os.PathLike[str]) -> dict[str, list[Pronunciation]]:
    """Read a dictionary; the keys are as ``lookup_key`` makes them.

    A line holds a word, up to four numbers (MFA's probabilities, which are skipped), and ARPAbet phones with or without
    stress digits, separated by tabs or spaces; with a tab after it the word may hold spaces. A word on several lines
    has alternatives, "WORD(2)" too. Empty lines, lines that begin with ";;;", what follows " #", and MFA's words for
    noise and silence are skipped.

    Raises:
        TextError: the file can't be read, or a line has no phones or an unknown one; file and line are named.
    """
    entries: dict[str, list[Pronunciation]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        content = line.split(" #")[0].strip()
        if not content or content.startswith(";;;"):
            continue
        word, phones = _split(content)
        if phones and all(phone.upper() in _NOT_SPEECH for phone in phones):
            continue
        pronunciations = entries.setdefault(lookup_key(_VARIANT.sub("", word)), [])
        pronunciation = _pronunciation(phones, word, f"{os.fspath(path)}, line {number}")
        if pronunciation not in pronunciations:
            pronunciations.append(pronunciation)
    return entries


def _split(content: str) -> tuple[str, list[str]]:
    word, _, rest = content.partition("\t" if "\t" in content else " ")
    fields = rest.split()
    skipped = 0
    while skipped < min(_MOST_PROBABILITIES, len(fields)) and _NUMBER.fullmatch(fields[skipped]):
        skipped += 1
    return word.strip(), fields[skipped:]


def _pronunciation(symbols: list[str], word: str, where: str) -> Pronunciation:
    if not symbols:
        raise TextError(f"{where}: {word!r} has no phones; write WORD PH PH PH")
    phones = []
    for symbol in symbols:
        phone = without_stress(symbol)
        if phone is None:
            raise TextError(f"{where}: {word!r} has the unknown phone {symbol!r}; known are {' '.join(PHONES)}")
        phones.append(phone)
    return tuple(phones)
