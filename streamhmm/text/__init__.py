"""Text in: the user's words, how they are spoken, and the phones that may be heard for them."""

from streamhmm.text.breaks import Break
from streamhmm.text.lexicon import Lexicon
from streamhmm.text.phones import PHONES, SILENCE, Pronunciation
from streamhmm.text.pronounce import Script, SpokenWord, pronounce
from streamhmm.text.source import read_text
from streamhmm.text.spelling import spell
from streamhmm.text.tokens import Token, tokenize

__all__ = [
    "PHONES",
    "SILENCE",
    "Break",
    "Lexicon",
    "Pronunciation",
    "Script",
    "SpokenWord",
    "Token",
    "pronounce",
    "read_text",
    "spell",
    "tokenize",
]
