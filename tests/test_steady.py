"""The decoder that tells what is best so far and stays free to think again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import random_scores, words_case
from online_oracle import OnlineOracle

from streamhmm.align.steady import Wanderer

COLUMNS, MEMORY = 5, 30


@pytest.mark.parametrize("size", [1, 4, 60])
@pytest.mark.parametrize("lag", [0, 3, 12])
def test_each_frame_is_told_late_as_the_best_path_then_has_it(lag: int, size: int) -> None:
    rng = np.random.default_rng(lag)
    case = words_case(rng, 90, COLUMNS, 10)
    scores = random_scores(rng, 60, COLUMNS)
    decoder, oracle = Wanderer(case.graph(), MEMORY, None), OnlineOracle(case.arcs(), max_lag=MEMORY)
    decoder.change(lag)
    told: list[int] = []
    leapt = False
    for chunk in scores.split(size):
        oracle.push(chunk)
        path = oracle.live[oracle.current()][1]
        expected = list(path[len(told) : max(len(told), oracle.frames - lag)])
        assert decoder.push(chunk).tolist() == expected
        told += expected
        assert decoder.undecided().tolist() == list(path[len(told) :])
        leapt |= list(path[: len(told)]) != told
    told += decoder.finish().tolist()
    assert len(told) == 60
    if size < 60 and lag < 12:
        assert leapt  # it did think again, else this tests nothing


def test_without_a_lag_only_what_is_decided_for_good_is_told() -> None:
    rng = np.random.default_rng(5)
    case = words_case(rng, 90, COLUMNS, 10)
    scores = random_scores(rng, 80, COLUMNS)
    decoder, oracle = Wanderer(case.graph(), MEMORY, 12.0), OnlineOracle(case.arcs(), max_lag=MEMORY, beam=12.0)
    told: list[int] = []
    for chunk in scores.split(7):
        told += decoder.push(chunk).tolist()
        oracle.push(chunk)
        assert told == oracle.decided
    assert len(told) > 0


def test_its_state_goes_on_in_another_one() -> None:
    rng = np.random.default_rng(7)
    graph = words_case(rng, 90, COLUMNS, 10).graph()
    scores = random_scores(rng, 60, COLUMNS)
    decoders = [Wanderer(graph, MEMORY, None) for _ in range(3)]
    for decoder in decoders[:2]:
        decoder.change(4)
    expected = torch.cat([decoders[0].push(scores[:31]), decoders[0].push(scores[31:]), decoders[0].finish()])
    first = decoders[1].push(scores[:31])
    decoders[2].load_state_dict(decoders[1].state_dict())
    assert torch.equal(torch.cat([first, decoders[2].push(scores[31:]), decoders[2].finish()]), expected)
