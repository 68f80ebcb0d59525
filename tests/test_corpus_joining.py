"""Parts of a recording as one alignment."""

from __future__ import annotations

from streamhmm import Alignment, Segment
from streamhmm.align.quality import Quality
from streamhmm.corpus.joining import Placed, join

QUALITY = Quality(-1.0, -0.5, 0.9, 1.0, -20.0, 30.0, 0.0)


def part(duration: float, *words: str, quality: Quality = QUALITY, **fields) -> Alignment:
    """Words of a second each, which are their own phones."""
    segments = tuple(Segment(word, float(i), i + 1.0, 0.5, 10.0, None) for i, word in enumerate(words))
    return Alignment(
        words=segments,
        phones=segments,
        phone_words=tuple(range(len(words))),
        duration=duration,
        audio="a.wav",
        text=" ".join(words),
        quality=quality,
        **fields,
    )


def test_one_part_that_is_all_stays_as_it_is():
    alignment = part(3.0, "a", "b", warnings=("odd",))
    assert join([Placed(0.0, alignment)], 3.0) == alignment
    assert join([Placed(0.0, alignment)], 3.0, ["first"]).warnings == ("first", "odd")


def test_parts_are_moved_to_their_places():
    worse = Quality(-4.0, -2.0, 0.1, 3.0, -32.0, None, 0.3)
    followed = part(4.0, "c", "e", quality=worse, word_indices=(0, 2), skipped=(1, 3), warnings=("odd",))
    whole = join([Placed(1.0, part(2.0, "a", "b")), Placed(5.5, followed), Placed(10.0, part(1.0, "g"))], 10.9999995)
    assert [(word.label, word.start, word.end) for word in whole.words] == [
        ("a", 1.0, 2.0),
        ("b", 2.0, 3.0),
        ("c", 5.5, 6.5),
        ("e", 6.5, 7.5),
        ("g", 10.0, 10.9999995),
    ]
    assert whole.phones == whole.words
    assert whole.phone_words == (0, 1, 2, 3, 4)
    assert whole.word_indices == (0, 1, 2, 4, 6)
    assert whole.skipped == (3, 5)
    assert whole.duration == 10.9999995
    assert whole.text == "a b\nc e\ng"
    assert whole.warnings == ("from 5.50 s on: odd",)
    assert whole.quality == Quality(
        (-1.0 * 2 - 4.0 * 4 - 1.0) / 7, (-0.5 * 3 - 2.0 * 4) / 7, 0.1, 3.0, (-60 - 32 * 4) / 7, 30.0, 0.3 * 4 / 7
    )
