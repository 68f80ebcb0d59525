"""What a stream has told, as one alignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from streamhmm.align.reading import check_reading
from streamhmm.align.results import Alignment
from streamhmm.align.transcript import Reading
from streamhmm.align.unknown import UNCALIBRATED_WARNING, unknown_words
from streamhmm.errors import AlignmentError

LIVE = "<stream>"


def as_alignment(
    readings: Iterable[Reading],
    labels: Sequence[str],
    *,
    duration: float,
    keep: float,
    text: str,
    unknown: Sequence[str],
    complete: bool,
    calibrated: bool,
    takes: Counter[int],
) -> Alignment:
    """The readings of ``duration`` seconds of audio; ``takes`` counts all there ever were, by the word's index.

    Raises:
        AlignmentError: no audio was received.
    """
    if duration == 0:
        raise AlignmentError("no audio was received; push samples before finish")
    words = [reading for reading in readings if reading.index is not None]
    offscript = tuple(reading.segment for reading in readings if reading.index is None)
    skipped = tuple(index for index in range(len(labels)) if takes[index] == 0)
    segments = tuple(word.segment for word in words)
    told = tuple(word.take for word in words)
    return Alignment(
        words=segments,
        phones=tuple(phone for word in words for phone in word.phones),
        phone_words=tuple(place for place, word in enumerate(words) for _ in word.phones),
        duration=duration,
        audio=LIVE,
        text=text,
        warnings=(
            *([] if calibrated else [UNCALIBRATED_WARNING]),
            *unknown_words(unknown),
            *check_reading(segments, told, skipped, offscript, labels),
            *_given_up(takes, words, duration - keep),
            *([] if complete else ["the text was not read to its end"]),
        ),
        word_indices=tuple(word.index for word in words if word.index is not None),
        takes=told,
        skipped=skipped,
        offscript=offscript,
    )


def _given_up(takes: Counter[int], words: Sequence[Reading], before_s: float) -> list[str]:
    count = sum(takes.values()) - len(words)
    if count == 0:
        return []
    return [f"{count} words before {before_s:.0f} s were told and are not in this result; see keep"]
