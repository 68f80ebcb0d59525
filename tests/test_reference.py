"""The oracle against itself: the recursions of ``streamhmm.reference`` and the enumeration of all paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, Case, explicit_arcs, random_case, random_scores, small_cases, small_scores
from hypothesis import given, settings
from oracle import enumerate_paths, linear_best_path, rescore
from torch import Tensor

from streamhmm import reference


@settings(derandomize=True, deadline=None, max_examples=150)
@given(small_cases(), small_scores())
def test_recursions_agree_with_the_list_of_all_paths(case: Case, scores: Tensor) -> None:
    arcs = case.arcs()
    path = reference.viterbi(scores, arcs)
    if len(scores) == 0:
        assert path.states.tolist() == []
        assert path.score == reference.log_likelihood(scores, arcs) == NEVER
        assert reference.posteriors(scores, arcs).shape == (0, arcs.num_states)
        return
    listed = enumerate_paths(scores, arcs)
    assert path.score == listed.score
    assert path.states.tolist() == (listed.best or [-1] * len(scores))
    assert rescore(scores, arcs, path.states) == path.score
    assert reference.log_likelihood(scores, arcs) == pytest.approx(listed.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(reference.posteriors(scores, arcs), listed.posteriors, atol=1e-9)
    np.testing.assert_allclose(reference.pdf_posteriors(scores, arcs), listed.pdf_posteriors, atol=1e-9)
    np.testing.assert_allclose(reference.arc_counts(scores, arcs), listed.arc_counts, atol=1e-9)


def test_a_chain_by_hand() -> None:
    scores = torch.tensor([[0.0, -1.0], [0.0, -1.0], [-3.0, 0.0]])
    arcs = explicit_arcs(2, [0, 0, 1], [0, 1, 1], [0.0, 0.0, 0.0], initial=[0.0, NEVER], final=[NEVER, 0.0])
    path = reference.viterbi(scores, arcs)
    assert path.states.tolist() == [0, 0, 1]
    assert path.score == 0.0
    assert reference.log_likelihood(scores, arcs) == pytest.approx(math.log(1 + math.exp(-1)))
    early = math.exp(-1) / (1 + math.exp(-1))
    torch.testing.assert_close(reference.posteriors(scores, arcs)[1], torch.tensor([1 - early, early]).double())
    torch.testing.assert_close(reference.arc_counts(scores, arcs), torch.tensor([1 - early, 1, early]).double())


def test_ties_take_the_lowest_source_and_the_lowest_final_state() -> None:
    everywhere = [(i, j) for i in range(3) for j in range(3)][::-1]
    src, dst = [i for i, _ in everywhere], [j for _, j in everywhere]
    path = reference.viterbi(torch.zeros(4, 3), explicit_arcs(3, src, dst, [0.0] * 9))
    assert path.states.tolist() == [0, 0, 0, 0]
    barred = explicit_arcs(3, src, dst, [0.0] * 9, final=[NEVER, 0.0, 0.0])
    assert reference.viterbi(torch.zeros(4, 3), barred).states.tolist() == [0, 0, 0, 1]


def test_parallel_arcs_are_a_maximum_in_viterbi_and_a_sum_elsewhere() -> None:
    arcs = explicit_arcs(2, [0, 0], [1, 1], [math.log(0.5), math.log(0.25)], pdfs=[0, 0], initial=[0.0, NEVER])
    scores = torch.zeros(2, 1)
    assert reference.viterbi(scores, arcs).score == math.log(0.5)
    assert reference.log_likelihood(scores, arcs) == pytest.approx(math.log(0.75))
    torch.testing.assert_close(reference.arc_counts(scores, arcs), torch.tensor([2 / 3, 1 / 3], dtype=torch.float64))


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_and_posteriors_are_the_slopes_of_the_log_likelihood(family: str) -> None:
    rng = np.random.default_rng(1)
    arcs = random_case(rng, family, 7, 4).arcs()
    scores = random_scores(rng, 9, 4)
    step = 1e-6
    by_pdf, counts = reference.pdf_posteriors(scores, arcs), reference.arc_counts(scores, arcs)
    by_state = reference.posteriors(scores, arcs)
    base = reference.log_likelihood(scores, arcs)
    torch.testing.assert_close(by_state.sum(1), torch.ones(9, dtype=torch.float64))
    for place in np.ndindex(*scores.shape):
        moved = scores.clone()
        moved[place] += step
        assert (reference.log_likelihood(moved, arcs) - base) / step == pytest.approx(float(by_pdf[place]), abs=1e-5)
    for arc in range(len(arcs.weight)):
        weight = arcs.weight.clone()
        weight[arc] += step
        slope = (reference.log_likelihood(scores, arcs._replace(weight=weight)) - base) / step
        assert slope == pytest.approx(float(counts[arc]), abs=1e-5)


@pytest.mark.parametrize("family", ["linear", "skip", "ctc"])
def test_the_fast_left_to_right_search_equals_the_reference(family: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        arcs = random_case(rng, family, 11, 4).arcs()
        scores = torch.from_numpy(rng.normal(size=(40, 4)))
        states, score = linear_best_path(scores.numpy(), arcs)
        expected = reference.viterbi(scores, arcs)
        assert states.tolist() == expected.states.tolist()
        assert score == expected.score
        assert rescore(scores, arcs, expected.states) == pytest.approx(score, abs=1e-9)


def test_a_path_off_the_graph_scores_minus_infinity() -> None:
    arcs = random_case(np.random.default_rng(0), "linear", 4, 2).arcs()
    scores = torch.zeros(3, 2)
    assert rescore(scores, arcs, torch.tensor([0, 2, 3])) == NEVER
    assert rescore(scores, arcs, torch.tensor([-1, -1, -1])) == NEVER
