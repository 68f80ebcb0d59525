"""Words that the readers say for numbers and signs and that CMUdict lacks."""

from __future__ import annotations

from streamhmm.text.inflection import inflected
from streamhmm.text.phones import Pronunciation

_TABLE = """
    centiliter S EH N T AH L IY T ER
    covid K OW V IH D
    eta EY T AH
    gigabit G IH G AH B IH T
    gigahertz G IH G AH HH ER T S
    gigawatt G IH G AH W AA T
    hectopascal HH EH K T OW P AE S K AE L
    kilocalorie K IH L OW K AE L ER IY
    kilohertz K IH L OW HH ER T S
    kilojoule K IH L OW JH UW L
    kilopascal K IH L OW P AE S K AE L
    kilovolt K IH L OW V OW L T
    kopeck K OW P EH K
    microsecond M AY K R OW S EH K AH N D
    milliamp M IH L IY AE M P
    millivolt M IH L AH V OW L T
    paisa P AY S AH
    paise P AY S EY
    quadrillion K W AA D R IH L Y AH N
    quadrillionth K W AA D R IH L Y AH N TH
    tau T AW
    terahertz T EH R AH HH ER T S
    trillionth T R IH L Y AH N TH
"""
_ENTRIES: dict[str, tuple[Pronunciation, ...]] = {
    line.split()[0]: (tuple(line.split()[1:]),) for line in _TABLE.strip().splitlines()
}


def supplement(word: str) -> tuple[Pronunciation, ...]:
    """The pronunciation of such a word or of its regular forms; ``()`` if it is none."""
    return _entry(word) or inflected(word, _entry)


def _entry(word: str) -> tuple[Pronunciation, ...]:
    return _ENTRIES.get(word, ())
