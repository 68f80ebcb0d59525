"""Words and phones as boxes in a row, with labels that stay readable, and what else the row of words tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamhmm.formats import Tiers
from streamhmm.plots.canvas import DOTS_PER_INCH
from streamhmm.segment import Segment

if TYPE_CHECKING:
    from streamhmm.plots.canvas import Axes

INK, GREY = "#1b1f24", "#67707b"
LOW_SCORE = (0.835, 0.369, 0.0)
"""Okabe & Ito's vermilion: a score of 0; a score of 1 is white."""
_POINTS_PER_INCH = 72
_CHARACTER_EMS = 0.62
_LEAST_POINTS = 5.5


def score_colour(score: float | None) -> tuple[float, float, float]:
    """From white, for 1 and for an unknown score, to vermilion."""
    lack = 0.0 if score is None else 1 - score
    red, green, blue = (1 - lack * (1 - part) for part in LOW_SCORE)
    return red, green, blue


def draw_tier(axes: Axes, segments: Sequence[Segment], start_s: float, end_s: float, points: float) -> None:
    """Draw what of the segments lies between two times, coloured by score; the row is 0 to 1 high.

    A label that its box has no room for stands higher or lower than its neighbours, in turn, and if need be smaller;
    where even that is too much, the end is left out.
    """
    inches_a_second = axes.get_window_extent().width / DOTS_PER_INCH / (end_s - start_s)
    shown = [segment for segment in segments if segment.end > start_s and segment.start < end_s]
    upper = False
    for index, segment in enumerate(shown):
        left, right = max(segment.start, start_s), min(segment.end, end_s)
        colour = score_colour(segment.score)
        axes.axvspan(left, right, facecolor=colour, edgecolor=GREY, linewidth=0.6)
        if right - left < segment.duration / 2 and (left, right) != (start_s, end_s):
            continue  # the label stands where more of it is seen
        room_in = (right - left) * inches_a_second
        size = _size(segment.label, points, room_in)
        height = 0.5
        if size < points:  # over the boxes beside it
            upper = not upper
            height = 0.71 if upper else 0.29
            before = left - (shown[index - 1].start if index else start_s)
            after = (shown[index + 1].end if index + 1 < len(shown) else end_s) - right
            room_in += min(before, after) * inches_a_second  # half of each: the other half is for the box beyond
            size = _size(segment.label, points, room_in)
        label = _shortened(segment.label, max(size, _LEAST_POINTS), room_in)
        place = (left + right) / 2
        axes.text(place, height, label, ha="center", va="center", fontsize=max(size, _LEAST_POINTS), color=INK)
    axes.set(xlim=(start_s, end_s), ylim=(0, 1), yticks=[])
    axes.spines[:].set_visible(False)


def mark_others(axes: Axes, tiers: Tiers, start_s: float, end_s: float) -> None:
    """Hatches for off-script speech, triangles where words of the text were not read."""
    for stretch in tiers.offscript:
        if stretch.end > start_s and stretch.start < end_s:
            left, right = max(stretch.start, start_s), min(stretch.end, end_s)
            axes.axvspan(left, right, facecolor="#e8eaed", edgecolor=GREY, hatch="////", linewidth=0.4)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            middle = (left + right) / 2
            axes.text(middle, 0.5, "off-script", ha="center", va="center", fontsize=7, bbox=box, clip_on=True)
    for time_s, count in skipped_places(tiers):
        if start_s <= time_s <= end_s:
            axes.plot([time_s], [1.0], marker="v", markersize=6, color=LOW_SCORE, clip_on=False, zorder=5)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.text(time_s, 1.22, f"{count} not read", ha="center", fontsize=6.5, color=LOW_SCORE, bbox=box)


def skipped_places(tiers: Tiers) -> list[tuple[float, int]]:
    """When words of the text that were not read would have come, seconds, and how many there.

    That is the end of the last reading of the word before them, or the beginning.
    """
    ends = {index: word.end for index, word in zip(tiers.word_indices, tiers.words, strict=True)}
    places: dict[float, int] = {}
    for index in tiers.skipped:
        before = max((read for read in ends if read < index), default=None)
        time_s = 0.0 if before is None else ends[before]
        places[time_s] = places.get(time_s, 0) + 1
    return sorted(places.items())


def _size(label: str, points: float, room_in: float) -> float:
    """The size at which a label fits, at most ``points``."""
    return min(points, room_in * _POINTS_PER_INCH / (_CHARACTER_EMS * max(_wide_characters(label), 1)))


def _shortened(label: str, points: float, room_in: float) -> str:
    if _size(label, points, room_in) >= 0.85 * points:
        return label
    kept = max(1, int(room_in * _POINTS_PER_INCH / (_CHARACTER_EMS * points)) - 1)
    return label if kept >= len(label) - 1 else label[:kept] + "…"


def _wide_characters(label: str) -> float:
    """The length in Latin letters: ideographs are as wide as about two."""
    return sum(1.7 if ord(character) > 0x2E80 else 1.0 for character in label)
