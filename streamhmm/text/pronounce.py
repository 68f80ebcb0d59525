"""From the user's words to the phones that may be heard for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TypeAlias

from streamhmm.errors import TextError
from streamhmm.text.lexicon import Lexicon
from streamhmm.text.phones import Pronunciation
from streamhmm.text.spelling import spell
from streamhmm.text.tokens import Token

Reading: TypeAlias = tuple[tuple[Pronunciation, ...], ...]
"""One way to read a word: its parts in order, the alternative pronunciations of each."""

_SPELLABLE = frozenset(ascii_lowercase + "'")
_MOST_NAMED = 10


@dataclass(frozen=True)
class SpokenWord:
    """A word of the user's and how it may sound.

    Attributes:
        label: the user's own spelling.
        readings: at least one, the most likely first; each has the spoken words that make it up, in order, and each
            of these one or more alternative pronunciations.
    """

    label: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Script:
    """What is to be aligned.

    Attributes:
        words: one for each token.
        unknown: the labels, each once, whose pronunciation was guessed from the spelling.
    """

    words: tuple[SpokenWord, ...]
    unknown: tuple[str, ...]


def pronounce(tokens: Sequence[Token], lexicon: Lexicon, *, strict: bool = False) -> Script:
    """Look up every token, first as a whole ("x-ray"), then by its spoken words; spell what the lexicon lacks.

    Raises:
        TextError: words of another script than Latin that the lexicon lacks; with ``strict`` any word that it lacks.
    """
    words: list[SpokenWord] = []
    unknown: dict[str, None] = {}
    unspeakable: dict[str, None] = {}
    for label, readings in tokens:
        whole = lexicon.lookup(label)
        if whole:
            words.append(SpokenWord(label, ((whole,),)))
            continue
        missing = {form for reading in readings for form in reading if not lexicon.lookup(form)}
        if any(not _SPELLABLE.issuperset(form) for form in missing):
            unspeakable[label] = None
            continue
        if missing:
            unknown[label] = None
        words.append(SpokenWord(label, tuple(_parts(reading, label, lexicon) for reading in readings)))
    _refuse(unspeakable, "can't be read, they are not in Latin script")
    if strict:
        _refuse(unknown, "are not in the lexicon")
    return Script(tuple(words), tuple(unknown))


def _parts(reading: Sequence[str], label: str, lexicon: Lexicon) -> Reading:
    return tuple(lexicon.lookup(form) or _spelled(form, label) for form in reading)


def _spelled(form: str, label: str) -> tuple[Pronunciation, ...]:
    capitals = form.upper()
    return spell(capitals if capitals in label else form)


def _refuse(labels: Iterable[str], problem: str) -> None:
    names = [repr(label) for label in labels]
    if not names:
        return
    if len(names) > _MOST_NAMED:
        names[_MOST_NAMED:] = [f"and {len(names) - _MOST_NAMED} more"]
    raise TextError(
        f"these words {problem}: {', '.join(names)}; give their phones in a lexicon file, one WORD PH PH PH a line, "
        "and name it with --lexicon"
    )
