"""From the user's words to the phones that may be heard for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from string import ascii_lowercase
from typing import TypeAlias

from streamhmm.errors import TextError
from streamhmm.text.breaks import Break
from streamhmm.text.keys import lookup_key, without_accents
from streamhmm.text.lexicon import Lexicon
from streamhmm.text.readers.initials import is_sayable
from streamhmm.text.readers.readings import Readings
from streamhmm.text.spelling import LETTER_NAMES, spell
from streamhmm.text.supplement import supplement
from streamhmm.text.thrift import Part, Reading, affordable, likeliest
from streamhmm.text.tokens import Token

LookUp: TypeAlias = Callable[[str], Part]

_PLAIN = re.compile(
    r"(?:[^\W\d_]\.?'?)[^\W\d_A-Z.']*(?:[.'][^\W\d_]*)*|[A-Z.]+(?:'?s)?"
)  # neither "x-ray" nor "iPhone"
_SPELLABLE = frozenset(ascii_lowercase + "'")
_MOST_NAMED = 10


@dataclass(frozen=True)
class SpokenWord:
    """A word of the user's and how it may sound.

    Attributes:
        label: the user's own spelling.
        readings: at least one, the most likely first; each has the spoken words that make it up, in order, and each
            of these one or more alternative pronunciations. Likely readings only, where a token has many: the graph
            has states for each of them.
        followed_by: the break after it in the text.
    """

    label: str
    readings: tuple[Reading, ...]
    followed_by: Break = Break.NONE


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

    What the lexicon has for a whole token is all that it may be, unless it is a plain word, which may be short for
    another one besides ("St.", "US"). A reading with a word that must be guessed is left out if there is another.

    Raises:
        TextError: words of another script than Latin that the lexicon lacks; with ``strict`` any word that it lacks.
    """
    words: list[SpokenWord] = []
    unknown: dict[str, None] = {}
    unspeakable: dict[str, None] = {}
    look_up = cache(lambda form: lexicon.lookup(form) or supplement(form))
    guess = cache(spell)
    for token in tokens:
        whole = look_up(token.label)
        readings = _besides(token) if whole else token.readings
        known = [reading for reading in readings if all(map(look_up, reading))]
        guessed = [reading for reading in readings if reading not in known and _can_be_guessed(reading, look_up)]
        if not (whole or known or guessed):
            unspeakable[token.label] = None
            continue
        if not (whole or known):
            unknown[token.label] = None
        if known:
            guessed = [reading for reading in guessed if is_sayable("".join(reading))]
        if whole or any(len(form) > 1 for reading in known for form in reading):
            guessed = []
        spoken = [_parts(reading, token.label, look_up, guess) for reading in (*known, *guessed)]
        words.append(SpokenWord(token.label, _merged(whole, spoken), token.followed_by))
    _refuse(unspeakable, "can't be read, they are not in Latin script")
    if strict:
        _refuse(unknown, "are not in the lexicon")
    return Script(tuple(words), tuple(unknown))


def _besides(token: Token) -> Readings:
    """What a token may be besides what the lexicon has for it as it stands."""
    if not _PLAIN.fullmatch(token.label):
        return ()
    itself = (without_accents(lookup_key(token.label)),)
    return tuple(reading for reading in token.readings if reading != itself)


def _can_be_guessed(reading: Sequence[str], look_up: LookUp) -> bool:
    return all((_SPELLABLE.issuperset(form) and form.strip("'")) or look_up(form) for form in reading)


def _parts(reading: Sequence[str], label: str, look_up: LookUp, guess: LookUp) -> Reading:
    """The pronunciations of each word; "a" beside another letter is the letter."""
    around = ["", *reading, ""]
    parts = [
        (LETTER_NAMES["a"],)
        if form == "a" and (len(before) == 1 or len(after) == 1)
        else look_up(form) or guess(form.upper() if form.upper() in label else form)
        for before, form, after in zip(around, reading, around[2:], strict=False)
    ]
    return tuple(map(likeliest, reading, parts)) if len(parts) > 1 else tuple(parts)


def _merged(whole: Part, spoken: Sequence[Reading]) -> tuple[Reading, ...]:
    """The entry for the whole token, and the readings that say something else."""
    if not whole:
        return affordable(spoken)
    others = [parts for parts in spoken if tuple(chain.from_iterable(part[0] for part in parts)) not in whole]
    return affordable([(whole,), *others])


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
