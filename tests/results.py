"""Alignments to write, for the tests of the formats."""

from streamhmm.formats import Tiers
from streamhmm.segment import Segment

SUFFIXES = ".TextGrid, .json, .csv, .ctm, .phones.ctm, .labels.txt, .phones.txt, .srt, .vtt, .ass"
"""What the message about an unknown suffix names."""


def small():
    """Two words with a pause between them and at both ends."""
    words = (Segment("Hello,", 0.1, 0.4, 0.9, 7.5, 12.0), Segment("O’Neill", 0.5, 0.75))
    phones = (
        Segment("HH", 0.1, 0.2, 0.5, 7.5, 0.0),
        Segment("OW", 0.2, 0.4, 1.0),
        Segment("N", 0.5, 0.75, None),
    )
    return Tiers(words, phones, (0, 0, 1), 1.0, "café.wav", 'Hello,\n"O’Neill"', ("too quiet", "says “what”"))
