"""What stands around each word in the text: punctuation, which the labels of an alignment lack and captions need."""

from __future__ import annotations

import re
from typing import NamedTuple

from streamhmm.formats.reading import one_line
from streamhmm.formats.tiers import Tiers

_SPACES = re.compile(r"[ \t]+")
_CHUNK = re.compile(r"\S*\w\S*")
_LETTER = re.compile(r"\w")
_AFTER = re.compile(r"[^\s\w]*(?:[ \t]+[^\s\w]+(?=\s))*")  # with what stands alone in the same line
_BEFORE = re.compile(r"(?:[^\s\w]+[ \t]+)*[^\s\w]*$")
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"[.!?…。！？][^\w\s]*$")
_ABBREVIATION = re.compile(r"(?:.*[^\w.])?(?:[a-z]|[b-df-hj-np-tv-xz]+)\.", re.IGNORECASE)  # "Dr.", "J."
_PHRASE = re.compile(r"[,;:—–\-、，；：][^\w\s]*$")

NONE, PHRASE, SENTENCE = range(3)


class Written(NamedTuple):
    """A word as it is written in the text.

    Attributes:
        before, label, after: the word and the punctuation at it, single lines.
        is_joined: no white space comes between this word and the next.
        ends: ``PHRASE`` or ``SENTENCE`` where one ends with it, else ``NONE``.
    """

    before: str
    label: str
    after: str
    is_joined: bool
    ends: int

    @property
    def text(self) -> str:
        """All of it."""
        return self.before + self.label + self.after


def written_words(tiers: Tiers) -> list[Written]:
    """Each of ``tiers.words`` with its punctuation; just the label where the text does not have it."""
    written = _written(tiers.text, _find(tiers))
    found = []
    following = (*tiers.word_indices, -1)[1:]
    for word, index, next_index in zip(tiers.words, tiers.word_indices, following, strict=True):
        label = one_line(word.label)
        here = written.get(index)
        if here is None or here.label != label:
            here = Written("", label, "", False, _end(label))
        found.append(here if next_index == index + 1 else here._replace(is_joined=False))
    return found


def _find(tiers: Tiers) -> dict[int, tuple[int, int]]:
    """Where the words of the text begin and end in it, by index: no letter comes between one and the next.

    Of words that were skipped the labels are not known: as many chunks between white space are passed over. A word that
    does not stand right there then is left out.
    """
    labels = dict(zip(tiers.word_indices, (word.label for word in tiers.words), strict=True))
    spans: dict[int, tuple[int, int]] = {}
    expected, place = 0, 0
    for index in sorted(labels):
        for _ in range(expected, index):
            chunk = _CHUNK.search(tiers.text, place)
            place = chunk.end() if chunk else len(tiers.text)
        letter = _LETTER.search(tiers.text, place)
        limit = letter.start() if letter else len(tiers.text)
        start = tiers.text.find(labels[index], place, limit + len(labels[index]))
        expected = index
        if start >= 0:
            expected, place = index + 1, start + len(labels[index])
            spans[index] = (start, place)
    return spans


def _written(text: str, spans: dict[int, tuple[int, int]]) -> dict[int, Written]:
    padded = text + "\n"  # a mark that stands alone at the very end has white space after it, too
    next_starts = [*(start for start, _ in spans.values()), len(padded)][1:]
    found, done = {}, 0
    for (index, (start, end)), next_start in zip(spans.items(), next_starts, strict=True):
        after = _AFTER.match(padded, end, next_start)
        before = _BEFORE.search(padded[done:start])
        assert after is not None  # both fit nothing, too
        assert before is not None
        done = after.end()
        gap = padded[done:next_start]
        ends = SENTENCE if _PARAGRAPH.search(gap) else max(_end(text[start:done]), PHRASE if "\n" in gap else NONE)
        before_word, after_word = (_SPACES.sub(" ", match[0].rstrip("\n")) for match in (before, after))
        found[index] = Written(before_word, one_line(text[start:end]), after_word, not gap, ends)
    return found


def _end(text: str) -> int:
    if _SENTENCE.search(text) and not _ABBREVIATION.fullmatch(text):
        return SENTENCE
    return PHRASE if _PHRASE.search(text) else NONE
