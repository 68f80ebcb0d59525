"""What a reader gives: the ways to read a token, and how they are put together."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import NamedTuple, TypeAlias

Readings: TypeAlias = tuple[tuple[str, ...], ...]
"""The ways to read a token, each once and the most likely first; each the words that are spoken, in lower case."""

MOST_READINGS = 8


class Context(NamedTuple):
    """What stands around a token.

    Attributes:
        previous, following: the neighbouring tokens, as ``readable`` gives them; empty at either end of a clause.
        before, after: the punctuation directly around the token.
        mark: a sign before the token that may be silent: "10 - 15", "© 2020".
        shouted: the text around the token is in capitals, so that they say nothing about it.
    """

    previous: str = ""
    following: str = ""
    before: str = ""
    after: str = ""
    mark: str = ""
    shouted: bool = False


ALONE = Context()

Reader: TypeAlias = Callable[[re.Match[str], Context], Readings]
"""Reads what its pattern matched; gives nothing to leave it to the patterns that follow."""

Rule: TypeAlias = tuple[re.Pattern[str], Reader]


def any_of(*choices: Readings | str) -> Readings:
    """All of these readings, the likeliest first; a string is one reading."""
    found = (reading for choice in choices for reading in _readings(choice))
    return tuple(dict.fromkeys(found))[:MOST_READINGS]


def in_sequence(*pieces: Readings | str) -> Readings:
    """The readings of pieces that are spoken one after the other: the likeliest of each, then with later choices."""
    joined: Readings = ((),)
    for piece in pieces:
        pairs = sorted(product(enumerate(joined), enumerate(_readings(piece))), key=_rank)
        likeliest = pairs[: 2 * MOST_READINGS]  # some may say the same
        joined = tuple(dict.fromkeys(before + after for (_, before), (_, after) in likeliest))[:MOST_READINGS]
    return joined


def _readings(choice: Readings | str) -> Readings:
    return (tuple(choice.split()),) if isinstance(choice, str) else choice


def _rank(pair: tuple[tuple[int, tuple[str, ...]], tuple[int, tuple[str, ...]]]) -> int:
    return pair[0][0] + pair[1][0]


def rules(*pairs: tuple[str, Reader]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), reader) for pattern, reader in pairs)
