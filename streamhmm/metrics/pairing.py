"""Which labels of two sequences belong together: in order, by least edit distance."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamhmm.segment import Segment

SwapCosts = Callable[[int, int, int], NDArray[np.float64]]
"""``(row, low, high)`` → (high − low,) what it costs to pair that row with the columns low … high − 1."""

_NEVER = 3.0  # more than to leave both out
_FIRST_BAND = 32
_MOST_CELLS = 2**28
_TINY = 1e-9
_SWAP, _DELETE, _INSERT = range(3)


def pair_words(reference: Sequence[Segment], hypothesis: Sequence[Segment]) -> list[int | None]:
    """For each word of the reference the index of its partner, None where the hypothesis lacks it.

    Only equal words are partners, whatever their case and punctuation. As many as possible are paired; of several ways
    the one that is nearest in time, so that of a word said twice and found once the right one counts as missing.
    """
    numbers: dict[str, int] = {}
    ours, theirs = (
        np.array([numbers.setdefault(word_key(word.label), len(numbers)) for word in words], dtype=np.int64)
        for words in (reference, hypothesis)
    )
    our_middles, their_middles = (
        np.array([(word.start + word.end) / 2 for word in words], dtype=np.float64) for words in (reference, hypothesis)
    )
    most_pairs = min(len(ours), len(theirs)) + 1

    def swap_costs(row: int, low: int, high: int) -> NDArray[np.float64]:
        distance = np.abs(their_middles[low:high] - our_middles[row])
        nearness = distance / (1 + distance) / (2 * most_pairs)  # all together less than half an edit
        return np.where(theirs[low:high] == ours[row], nearness, _NEVER)

    return pair(len(ours), len(theirs), swap_costs)


def word_key(label: str) -> str:
    """What two spellings of a word have in common: no case, no punctuation; of punctuation only, the label itself."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    kept = "".join(character for character in folded if unicodedata.category(character)[0] in "LMN")
    return kept or folded.strip()


def pair(rows: int, columns: int, swap_costs: SwapCosts) -> list[int | None]:
    """For each row the column of its partner, None without one; in order, at least cost.

    To leave out a row or a column costs 1, a pair what ``swap_costs`` says. Of equal ways the one that pairs most at
    the end. Time and memory grow with rows × cost (Ukkonen 1985): a way that costs c never strays further than c from
    the diagonal, so a band around it is searched, four times as wide until that holds. Beyond 2²⁸ cells the best way
    within the widest band is taken.
    """
    if not rows or not columns:
        return [None] * rows
    widest = max(_MOST_CELLS // (2 * rows), abs(rows - columns))
    band = min(max(_FIRST_BAND, 2 * abs(rows - columns)), widest)
    while True:
        cost, moves = _search(rows, columns, swap_costs, band)
        if cost < band + 1 or band >= min(max(rows, columns), widest):
            return _trace(rows, columns, moves, band)
        band = min(4 * band, widest)


def _search(rows: int, columns: int, swap_costs: SwapCosts, band: int) -> tuple[float, NDArray[np.int8]]:
    """The least cost, and the last move to each cell: row i − 1 has the columns from i − band on."""
    moves = np.full((rows, 2 * band + 1), _INSERT, np.int8)
    above, current = np.full(columns + 1, np.inf), np.full(columns + 1, np.inf)
    above[: band + 1] = np.arange(min(band, columns) + 1)
    ramp = np.arange(columns + 1, dtype=np.float64)
    for row in range(1, rows + 1):
        low, high = max(1, row - band), min(columns, row + band)
        swap = above[low - 1 : high] + swap_costs(row - 1, low - 1, high)
        delete = above[low : high + 1] + 1
        best = np.minimum(swap, delete)
        current[low - 1] = row if low == 1 and row <= band else np.inf
        best[0] = min(best[0], current[low - 1] + 1)
        current[low : high + 1] = np.minimum.accumulate(best - ramp[low : high + 1]) + ramp[low : high + 1]
        reached = current[low : high + 1] + _TINY
        place = low - row + band
        moves[row - 1, place : place + high - low + 1] = np.where(
            swap <= reached, _SWAP, np.where(delete <= reached, _DELETE, _INSERT)
        )
        above, current = current, above
    return float(above[columns]), moves


def _trace(rows: int, columns: int, moves: NDArray[np.int8], band: int) -> list[int | None]:
    partners: list[int | None] = [None] * rows
    row, column = rows, columns
    while row and column:
        move = moves[row - 1, column - row + band]
        row, column = row - (move != _INSERT), column - (move != _DELETE)
        if move == _SWAP:
            partners[row] = column
    return partners
