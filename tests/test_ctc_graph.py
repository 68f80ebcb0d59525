"""The graph of a text for a CTC network."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

import streamhmm as sh
from streamhmm.align.ctc_graph import BETWEEN, build_ctc_graph, least_frames
from streamhmm.text import SpokenWord

BLANK, MARK = 0, 1
COLUMNS = {"a": 2, "b": 3, "c": 4}
FEW = {"a": 2, "b": 3}


def word(*readings):
    """A word with readings such as "ab c" (two words), "ab/b c" (the first with two pronunciations)."""
    return SpokenWord(
        readings[0],
        tuple(tuple(tuple(tuple(way) for way in part.split("/")) for part in reading.split()) for reading in readings),
    )


def random_scores(frames, columns, seed=0):
    return torch.randn(frames, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("letters", ["a", "aa", "abc", "abbaca", "aaab"])
@pytest.mark.parametrize("frames", [7, 12, 40])
def test_one_word_without_delimiters_is_the_ctc_topology(letters, frames):
    scores = random_scores(frames, 5, len(letters))
    expected = sh.viterbi(scores, sh.Graph.ctc([COLUMNS[letter] for letter in letters], BLANK))
    found = build_ctc_graph([word(letters)], COLUMNS, BLANK, None)
    path = sh.viterbi(scores, found.graph)
    assert path.score == expected.score
    assert path.states.tolist() == expected.states.tolist()


def collapsed(columns):
    return [column for column, _ in itertools.groupby(columns) if column != BLANK]


def accepts(words, heard, delimiter):
    """Whether labels, repeats and blanks left out, are the words with any number of delimiters at and between them."""
    if heard and delimiter is not None and heard[0] == delimiter:
        return accepts(words, heard[1:], delimiter)
    if not words:
        return not heard
    for reading in words[0].readings:
        for ways in itertools.product(*reading):
            first = [COLUMNS[unit] for unit in ways[0]]
            if heard[: len(first)] == first:
                rest = [SpokenWord("", (tuple((way,) for way in ways[1:]),))] if len(ways) > 1 else []
                if accepts([*rest, *words[1:]], heard[len(first) :], delimiter):
                    return True
    return False


def best_by_enumeration(words, scores, delimiter):
    best = -math.inf
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        if accepts(words, collapsed(path), delimiter):
            best = max(best, float(scores[range(len(scores)), path].sum()))
    return best


TEXTS = [
    [word("a"), word("b")],
    [word("a"), word("a")],
    [word("ab", "b")],
    [word("a b"), word("b")],
    [word("a/bb", "b a")],
    [word("aa", "a"), word("a/b")],
]


@pytest.mark.parametrize("words", TEXTS, ids=lambda words: " ".join(one.label for one in words))
@pytest.mark.parametrize("delimiter", [None, MARK])
@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_best_path_is_the_best_of_all_that_say_the_text(words, delimiter, frames):
    for seed in range(3):
        scores = random_scores(frames, 4, seed)
        expected = best_by_enumeration(words, scores, delimiter)
        graph = build_ctc_graph(words, FEW, BLANK, delimiter).graph
        assert float(sh.viterbi(scores, graph).score) == pytest.approx(expected)


@pytest.mark.parametrize("words", TEXTS, ids=lambda words: " ".join(one.label for one in words))
def test_the_least_frames_leave_out_no_path(words):
    least = least_frames(words)
    graph = build_ctc_graph(words, FEW, BLANK, None).graph
    shortest = next(n for n in range(1, 9) if sh.viterbi(torch.zeros(n, 4), graph).score > -math.inf)
    assert 0 <= shortest - least <= len(words) - 1  # equal letters on both sides of a gap are not counted


def test_states_tell_the_tokens_and_the_words_that_they_belong_to():
    text = build_ctc_graph([word("ab"), word("b", "c")], COLUMNS, BLANK, MARK)
    assert text.tokens == (("a", 0), ("b", 0), ("b", 1), ("c", 1))
    of_tokens = text.token_of_state != BETWEEN
    assert text.token_of_state[of_tokens].tolist() == [0, 1, 2, 3]
    assert text.graph.pdfs[of_tokens].tolist() == [2, 3, 3, 4]
    assert set(text.graph.pdfs[~of_tokens].tolist()) == {BLANK, MARK}


def test_a_lasting_unit_goes_on_over_blanks():
    text = build_ctc_graph([word("a"), word("b"), word("a")], COLUMNS, BLANK, None, "b")
    scores = torch.full((8, 5), -9.0)
    scores[range(8), [2, 0, 3, 0, 0, 3, 0, 2]] = 0.0
    path = sh.viterbi(scores, text.graph)
    assert path.score == 0.0
    assert text.token_of_state[path.states].tolist() == [0, BETWEEN, 1, 1, 1, 1, BETWEEN, 2]


def test_long_texts_run_on_the_linear_kernel():
    words = [word("abc", "ab c"), word("aab"), word("c/ab")] * 50
    assert build_ctc_graph(words, COLUMNS, BLANK, MARK).graph.family == "linear"
