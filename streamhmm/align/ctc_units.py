"""What a text's words are made of for a CTC network: its letters, or its phones, as units of one or more columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from streamhmm.acoustic.ctc_model import CtcLayout
from streamhmm.errors import ModelError, TextError
from streamhmm.text import Lexicon, Script, SpokenWord, Token, pronounce
from streamhmm.text.ipa import inventory, looks_phonetic
from streamhmm.text.letters import UNKNOWN, Spelling, spell_out
from streamhmm.text.thrift import Reading

UNKNOWN_COST = 1.0
"""Nats a frame that any sound costs, so that it leaves to letters what is theirs."""


class UnitScores(NamedTuple):
    """Scores of the units of a text.

    Attributes:
        scores: (T, U) log-posteriors: of a unit, that of any of its columns.
        columns: which of the U is which unit.
        blank, delimiter: which of them they are; there may be no delimiter.
    """

    scores: Tensor
    columns: Mapping[str, int]
    blank: int
    delimiter: int | None


class Vocabulary:
    """The units of a CTC network: its letters, in any case, or our phones as it writes them.

    ``sounds`` are the columns that stand for any.

    Raises:
        ModelError: they are neither, or phones that English needs are not among them.
    """

    def __init__(self, layout: CtcLayout) -> None:
        self._layout = layout
        silent = {layout.blank, layout.delimiter, *layout.specials}
        tokens = {label: column for column, label in enumerate(layout.labels) if column not in silent}
        self.sounds = sorted(tokens.values())
        self._phones = inventory(tokens) if layout.is_phonetic or looks_phonetic(tokens) else None
        self._columns: dict[str, list[int]] = defaultdict(list)
        if self._phones is not None:
            if self._phones.lacking:
                raise ModelError(
                    f"the model's phones are not those of English: {', '.join(self._phones.lacking)} can't be written "
                    "with them; name a model of English phones, or one of letters"
                )
            for unit, symbols in self._phones.units.items():
                self._columns[unit] = [tokens[symbol] for symbol in symbols]
        else:
            for label, column in tokens.items():
                if len(label) == 1:
                    self._columns[label.lower()].append(column)
            if not self._columns:
                raise ModelError("the model's vocabulary has neither letters nor phones; name another model")

    def spell(self, tokens: Sequence[Token], lexicon: Lexicon, strict: bool) -> Spelling:
        """The words in units.

        Raises:
            TextError: words that can't be pronounced; with ``strict`` words that no lexicon, or no letter, is for.
        """
        if self._phones is not None:
            script = pronounce(tokens, lexicon, strict=strict)
            words = tuple(replace(word, readings=tuple(map(self._in_units, word.readings))) for word in script.words)
            return Spelling(Script(words, script.unknown), ())
        spelling = spell_out(tokens, self._columns)
        if strict and spelling.script.unknown:
            raise TextError(
                f"the model has no letters for: {', '.join(map(repr, spelling.script.unknown))}; write them otherwise"
            )
        return spelling

    @property
    def is_phonetic(self) -> bool:
        """Whether units are phones."""
        return self._phones is not None

    def scores(self, log_posteriors: Tensor, words: Sequence[SpokenWord]) -> UnitScores:
        """What (T, V) log-posteriors say of the units of ``words``."""
        used = sorted(
            {unit for word in words for reading in word.readings for part in reading for way in part for unit in way}
        )
        groups = [[self._layout.blank], *([] if self._layout.delimiter is None else [[self._layout.delimiter]])]
        first = len(groups)
        groups += [self.sounds if unit == UNKNOWN else self._columns[unit] for unit in used]
        scores = log_posteriors.new_empty(len(log_posteriors), len(groups))
        for place, group in enumerate(groups):
            scores[:, place] = log_posteriors[:, group].logsumexp(1) if len(group) > 1 else log_posteriors[:, group[0]]
        columns = {unit: first + place for place, unit in enumerate(used)}
        if UNKNOWN in columns:
            scores[:, columns[UNKNOWN]] -= UNKNOWN_COST
        return UnitScores(scores, columns, 0, None if first == 1 else 1)

    def label(self, unit: str, log_posteriors: Tensor) -> str:
        """The token that a unit was heard as in (T, V) frames."""
        if unit == UNKNOWN:
            return UNKNOWN
        columns = self._columns[unit]
        return self._layout.labels[columns[int(log_posteriors[:, columns].logsumexp(0).argmax())]]

    def _in_units(self, reading: Reading) -> Reading:
        assert self._phones is not None
        return tuple(
            tuple(dict.fromkeys(units for phones in part for units in self._phones.spell(phones))) for part in reading
        )
