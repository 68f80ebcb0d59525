"""TextGrids that hold what is spoken and roughly when."""

from __future__ import annotations

from streamhmm.corpus.utterance import Part
from streamhmm.errors import CorpusError
from streamhmm.formats.reading import damaged, read_result

WORDS = ("words", "word")


def read_tiers(path: str) -> dict[str, tuple[Part, ...]]:
    """By its name each interval tier with text: its intervals, or one part of all of a tier ``words``.

    Raises:
        OutputError: the file can't be read or is damaged.
        CorpusError: there is no text in it.
    """
    from praatio.utilities import textgrid_io  # type: ignore[import-untyped]  # only TextGrids need it

    text = read_result(path)
    try:
        grid = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=False)
        tiers = {str(tier["name"]): tier["entries"] for tier in grid["tiers"] if tier["class"] == "IntervalTier"}
        found = {
            name: tuple(Part(str(label), float(start), float(end)) for start, end, label in entries if label.strip())
            for name, entries in tiers.items()
        }
    except Exception as error:  # praatio raises whatever its parsing runs into
        raise damaged(path, f"not a TextGrid ({type(error).__name__}: {error})") from error
    for name, parts in found.items():
        if name.lower() in WORDS and parts:
            return {name: (Part(" ".join(part.text for part in parts)),)}
    spoken = {name: parts for name, parts in found.items() if parts}
    if not spoken:
        raise CorpusError(f"{path}: no interval has a text; write what is spoken into an interval tier")
    return spoken
