"""From sequences of symbols to a pruned n-gram model: modified Kneser-Ney smoothing, weighted-difference pruning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamhmm.text.graphone_ngram import BOUNDARY, NATS_PER_COST, Graphone, GraphoneNgram, pack_tree

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Order(NamedTuple):
    """All n-grams of one length, sorted by their history and then their last symbol.

    Attributes:
        history: index of the n-gram without its last symbol, among those one shorter.
        symbol: the last symbol.
        shorter: index of the n-gram without its first symbol, among those one shorter.
        count: how often it is there.
        discounted: ``seen`` less the discount.
        discount: what Kneser-Ney takes off and gives to the shorter history.
        total: for each history the sum of ``seen``, which is how often the n-gram is there if it begins a word, else
            after how many different symbols.
    """

    history: Ints
    symbol: Ints
    shorter: Ints
    count: Ints
    discounted: Floats
    discount: Floats
    total: Floats


class Estimate(NamedTuple):
    """Probabilities of the n-grams of one length, and the back-off weights of their histories."""

    probability: Floats
    backoff: Floats


def count_ngrams(words: Sequence[Sequence[int]], longest: int) -> list[Order]:
    """The n-grams of 1 to ``longest`` symbols of all words, each between two ``BOUNDARY``."""
    text = np.array([symbol for word in words for symbol in (BOUNDARY, *word, BOUNDARY)])
    word_of = np.repeat(np.arange(len(words)), [len(word) + 2 for word in words])
    n_symbols = int(text.max()) + 1
    is_first = np.diff(word_of, prepend=-1) > 0
    nothing = np.zeros(len(text), dtype=np.int64)
    one_shorter = nothing  # at each place of the text the index of the n-gram that begins there
    found: list[tuple[Ints, Ints, Ints, Ints, Bools]] = []
    for n in range(1, longest + 1):
        begins = np.flatnonzero(word_of[: len(text) - n + 1] == word_of[n - 1 :])
        keys = one_shorter[begins] * n_symbols + text[begins + n - 1]
        distinct, example, inverse, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        examples = begins[example]
        shorter = one_shorter[examples + 1] if n > 1 else nothing[examples]
        found.append((distinct // n_symbols, distinct % n_symbols, shorter, count, is_first[examples]))
        one_shorter = nothing.copy()
        one_shorter[begins] = inverse
    return [_discounted(found, n) for n in range(longest)]


def _discounted(found: list[tuple[Ints, Ints, Ints, Ints, Bools]], n: int) -> Order:
    history, symbol, shorter, count, begins_word = found[n]
    seen = count
    if n + 1 < len(found):
        seen = np.where(begins_word & (n > 0), count, np.bincount(found[n + 1][2], minlength=len(count)))
    discount = _discounts(seen)[np.minimum(seen, 3)]
    n_histories = len(found[n - 1][0]) if n else 1
    total = np.bincount(history, weights=seen, minlength=n_histories)
    return Order(history, symbol, shorter, count, seen - discount, discount, total)


def _discounts(seen: Ints) -> Floats:
    """D(0…3) of modified Kneser-Ney (Chen & Goodman 1998): D(k) = k − (k + 1) Y n(k+1)/n(k), Y = n(1)/(n(1) + 2 n(2)).

    n(k) is the number of n-grams seen k times. With too few to tell, D(k) = k/2. No D(k) is below 0.1, so that
    something is left for symbols that were not seen.
    """
    n = np.bincount(seen, minlength=5).astype(float)
    if not n[1:5].all():
        return np.array([0, 0.5, 1, 1.5])
    y = n[1] / (n[1] + 2 * n[2])
    return np.array([0, *(max(k - (k + 1) * y * n[k + 1] / n[k], 0.1) for k in (1, 2, 3))])


def estimate(orders: Sequence[Order], kept: Sequence[Bools]) -> list[Estimate]:
    """Interpolated probabilities of all n-grams, from those kept.

        P(s | h) = [s kept after h] discounted(h s) / total(h) + γ(h) P(s | h′)

    γ(h) is the share of what was taken off: discounts of what is kept, and all of what is not. P(s) of a symbol
    alone is interpolated with equal probabilities.
    """
    estimates: list[Estimate] = []
    for order, is_kept in zip(orders, kept, strict=True):
        total = np.maximum(order.total, 1e-300)
        given_away = np.where(is_kept, order.discount, order.discount + order.discounted)
        backoff = np.bincount(order.history, weights=given_away, minlength=len(total)) / total
        backoff[order.total == 0] = 1
        shorter = estimates[-1].probability[order.shorter] if estimates else np.array(1 / len(order.symbol))
        own = np.where(is_kept, order.discounted, 0) / total[order.history]
        estimates.append(Estimate(own + backoff[order.history] * shorter, backoff))
    return estimates


def prune(orders: Sequence[Order], least_gain_nats: float) -> list[Bools]:
    """Which n-grams to keep: those that are worth it, and the beginnings of those (Seymore & Rosenfeld 1996).

    An n-gram's worth is count · (log P(s | h) − log of what P(s | h) would be without it).
    """
    kept = [np.ones(len(order.symbol), dtype=bool) for order in orders]
    full = estimate(orders, kept)
    for n in range(len(orders) - 1, 0, -1):
        order, now = orders[n], full[n]
        shorter = full[n - 1].probability[order.shorter]
        backoff = now.backoff[order.history] + order.discounted / np.maximum(order.total, 1e-300)[order.history]
        kept[n] = order.count * np.log(now.probability / (backoff * shorter)) >= least_gain_nats
        if n + 1 < len(orders):
            kept[n][orders[n + 1].history[kept[n + 1]]] = True
    return kept


def packed(
    graphones: Sequence[Graphone], orders: Sequence[Order], kept: Sequence[Bools], training: dict[str, object]
) -> GraphoneNgram:
    """The kept n-grams with their probabilities, rounded down, as the file has them."""
    estimates = estimate(orders, kept)
    is_node = [np.ones(1, dtype=bool), *kept]
    symbols, costs, backoffs, n_children = [np.zeros(1, dtype=np.int64)], [np.zeros(1)], [], []
    for order, is_kept, now, is_history in zip(orders, kept, estimates, is_node[:-1], strict=True):
        symbols.append(order.symbol[is_kept])
        costs.append(-np.log(now.probability[is_kept]))
        children = np.bincount(order.history[is_kept], minlength=len(is_history))
        backoffs.append(-np.log(np.where(children > 0, now.backoff, 1))[is_history])
        n_children.append(children[is_history])
    n_leaves = len(symbols[-1])
    return GraphoneNgram(
        graphones=tuple(graphones),
        symbols=np.concatenate(symbols).astype(np.uint16),
        costs=_quantised(np.concatenate(costs)),
        backoffs=_quantised(np.concatenate([*backoffs, np.zeros(n_leaves)])),
        tree=pack_tree(np.concatenate([*n_children, np.zeros(n_leaves, dtype=np.int64)])),
        training=training,
    )


def _quantised(nats: Floats) -> npt.NDArray[np.uint8]:
    return np.ceil(nats / NATS_PER_COST - 1e-9).clip(0, 255).astype(np.uint8)
