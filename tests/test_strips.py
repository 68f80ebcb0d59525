"""Threads within one sequence: strips of states, each a block of frames behind the one before."""

from __future__ import annotations

import torch
from test_threads import torch_threads

import streamhmm as sh


def test_two_threads_give_the_path_of_one() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2650, 7, generator=generator)  # small enough to be recorded for the sanitizers
    graph = sh.Graph.ctc(torch.randint(1, 7, (400,), generator=generator))
    with torch_threads(1):
        alone = sh.viterbi(scores, graph)
    with torch_threads(2):
        shared = sh.viterbi(scores, graph)
    assert torch.equal(shared.states, alone.states)
    assert shared.score.item() == alone.score.item()
