"""The free phone loop, held against every sequence of phones."""

from __future__ import annotations

import itertools
import random
from itertools import groupby

import numpy as np
import pytest
import torch
from cases import random_scores
from planted import random_words

import streamhmm as sh
from streamhmm.align.phone_loop import LOOP_FRAMES, phone_loop
from streamhmm.align.topology import build_topology


def best_by_hand(scores: np.ndarray) -> float:
    """The best of all V^T sequences in which every phone but the last keeps to its least duration."""
    frames, columns = scores.shape
    best = -np.inf
    for sequence in itertools.product(range(columns), repeat=frames):
        *lengths, _ = [len(list(run)) for _, run in groupby(sequence)]
        if all(length >= LOOP_FRAMES for length in lengths):
            best = max(best, scores[np.arange(frames), sequence].sum())
    return best


@pytest.mark.parametrize(("frames", "columns"), [(1, 2), (2, 2), (3, 2), (4, 3), (7, 2), (7, 3), (10, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_sequences(frames: int, columns: int, seed: int) -> None:
    scores = random_scores(np.random.default_rng(seed), frames, columns)
    loop = phone_loop(columns)
    path = sh.viterbi(scores, loop)
    assert path.score == best_by_hand(scores.numpy())
    heard = loop.pdfs[path.states]
    assert scores.gather(1, heard[:, None]).sum() == path.score


def test_a_loop_of_one_phone_stays_in_it() -> None:
    assert sh.viterbi(torch.ones(9, 1), phone_loop(1)).score == 9


@pytest.mark.parametrize("seed", range(5))
def test_each_phone_but_the_last_lasts_three_frames(seed: int) -> None:
    scores = random_scores(np.random.default_rng(seed), 500, 40)
    loop = phone_loop(40)
    heard = loop.pdfs[sh.viterbi(scores, loop).states].tolist()
    *lengths, _ = [len(list(run)) for _, run in groupby(heard)]
    assert len(lengths) > 20
    assert min(lengths) == LOOP_FRAMES == 3


def test_clear_phones_are_heard_to_the_frame() -> None:
    spoken = [7] * 3 + [39] * 12 + [0] * 3 + [7] * 5 + [12] * 30
    scores = torch.full((len(spoken), 40), -12.0)
    scores[torch.arange(len(spoken)), spoken] = 0.0
    loop = phone_loop(40)
    assert loop.pdfs[sh.viterbi(scores, loop).states].tolist() == spoken


@pytest.mark.parametrize("seed", range(10))
def test_no_text_fits_better(seed: int) -> None:
    rng = random.Random(seed)
    words, columns = random_words(rng, rng.randint(1, 5))  # of long phones: none is cut below three frames
    topology = build_topology(words, columns)
    frames = topology.min_frames + rng.randint(0, 100)
    scores = torch.randn(frames, len(columns), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scores[:, 0] -= 1
    states = sh.viterbi(scores, topology.graph).states
    of_text = scores.gather(1, topology.graph.pdfs[states][:, None]).sum()
    assert of_text <= sh.viterbi(scores, phone_loop(len(columns))).score + 1e-9
