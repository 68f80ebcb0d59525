"""A path as runs, held against going through it frame by frame."""

from __future__ import annotations

import random
from itertools import groupby

import pytest
import torch
from planted import random_runs, random_words, runs_to_scores

import streamhmm as sh
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.topology import SILENCE_FRAMES, build_topology
from streamhmm.text import SILENCE, SpokenWord

COLUMNS = {SILENCE: 0, "K": 1, "AE": 2}


def test_a_path_written_out():
    word = SpokenWord("kack", (((("K", "AE", "K"),),),))
    topology = build_topology([word], COLUMNS)
    k, ae, second_k = (SILENCE_FRAMES + 5 * phone for phone in range(3))
    states = [*range(SILENCE_FRAMES), k, k + 2, k + 4, ae, ae + 1, ae + 2, ae + 4, ae + 4, second_k, second_k + 2]
    runs = read_runs(torch.tensor(states), topology)
    assert runs.phones.tolist() == [-1, 0, 1, 2]
    assert runs.pdfs.tolist() == [0, 1, 2, 1]
    assert runs.bounds.tolist() == [0, 8, 11, 16, 18]
    assert runs.frames.tolist() == [8, 3, 5, 2]
    assert runs.spoken.tolist() == [False, True, True, True]


def test_the_same_phone_twice_is_two_runs():
    words = [SpokenWord("k", (((("K",),),),))] * 2
    topology = build_topology(words, COLUMNS)
    first, second = SILENCE_FRAMES, 2 * SILENCE_FRAMES + 5
    runs = read_runs(torch.tensor([first, first + 2, first + 4, second, second + 2, second + 4]), topology)
    assert (runs.phones.tolist(), runs.pdfs.tolist(), runs.bounds.tolist()) == ([0, 1], [1, 1], [0, 3, 6])


def test_a_single_frame():
    topology = build_topology([SpokenWord("k", (((("K",),),),))], COLUMNS)
    runs = read_runs(torch.tensor([SILENCE_FRAMES]), topology)
    assert (runs.phones.tolist(), runs.pdfs.tolist(), runs.bounds.tolist()) == ([0], [1], [0, 1])


@pytest.mark.parametrize("seed", range(10))
def test_random_paths(seed):
    rng = random.Random(seed)
    words, columns = random_words(rng, rng.randint(1, 8))
    planted, _ = random_runs(rng, words, lambda label: 8 if label == SILENCE else 5, silence=0.5)
    topology = build_topology(words, columns)
    states = sh.viterbi(runs_to_scores(planted, columns), topology.graph).states
    runs = read_runs(states, topology)
    along = [int(topology.phone_of_state[state]) for state in states]
    expected = [(phone, len(list(frames))) for phone, frames in groupby(along)]
    assert list(zip(runs.phones.tolist(), runs.frames.tolist(), strict=True)) == expected
    assert runs.of_frames(runs.phones).tolist() == along
    assert runs.of_frames(runs.pdfs).tolist() == [int(topology.graph.pdfs[state]) for state in states]
    assert runs.bounds[0] == 0
    assert runs.bounds[-1] == len(states)


def test_values_of_runs_and_of_frames():
    runs = Runs(torch.tensor([0, -1, 1]), torch.tensor([3, 0, 4]), torch.tensor([0, 1, 3, 6]))
    assert runs.of_frames(torch.tensor([7, 8, 9])).tolist() == [7, 8, 8, 9, 9, 9]
    means = runs.means(torch.tensor([5.0, 1.0, 2.0, 0.0, 1.0, 8.0]))
    assert means.tolist() == [5.0, 1.5, 3.0]
    assert means.dtype == torch.float64


def test_means_do_not_lose_precision_over_an_hour():
    frames = 360_000
    runs = Runs(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([0, frames - 3, frames]))
    values = torch.full((frames,), -12.3456)
    values[-3:] = torch.tensor([-0.001, -0.002, -0.003])
    assert runs.means(values)[1] == pytest.approx(-0.002, abs=1e-7)
