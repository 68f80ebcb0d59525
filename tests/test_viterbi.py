"""``viterbi`` against the oracle: scores are small integers unless said otherwise, so paths and scores are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
    explicit_case,
    linear_arcs,
    long_enough,
    random_case,
    random_scores,
    small_cases,
    small_scores,
    unlike_cases,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import enumerate_paths, rescore
from torch import Tensor

import streamhmm as sh
from streamhmm import reference
from streamhmm.reference import Arcs

DTYPES = (torch.float32, torch.float64)
SIZES = (1, 2, 3, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, 260)
FRAMES = (1, 2, 9, 16, 67)


def assert_path(path: sh.Path, states: list[int] | Tensor, score: float) -> None:
    assert path.states.dtype == torch.int64
    assert path.score.dtype == torch.float64
    assert path.states.tolist() == list(states)
    assert path.score.item() == score


@settings(derandomize=True, deadline=None, max_examples=300)
@given(small_cases(), small_scores(), st.sampled_from(DTYPES))
def test_small_graphs_equal_the_list_of_all_paths(case: Case, scores: Tensor, dtype: torch.dtype) -> None:
    path = sh.viterbi(scores.to(dtype), case.graph())
    if len(scores) == 0:
        assert_path(path, [], NEVER)
        return
    listed = enumerate_paths(scores, case.arcs())
    assert_path(path, listed.best or [-1] * len(scores), listed.score)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case = random_case(rng, family, size, 5)
    graph, arcs = case.graph(), case.arcs()
    # a chain needs about as many frames as it has states
    for frames in (*FRAMES, long_enough(family, size), long_enough(family, 2 * size)):
        scores = random_scores(rng, frames, 5)
        expected = reference.viterbi(scores, arcs)
        assert_path(sh.viterbi(scores.to(dtype), graph), expected.states, expected.score)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_real_valued_scores(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    case = random_case(rng, family, 90, 12)
    graph, arcs = case.graph(), case.arcs()
    scores = torch.from_numpy(rng.normal(scale=3, size=(250, 12))).to(dtype)
    path, expected = sh.viterbi(scores, graph), reference.viterbi(scores, arcs)
    assert rescore(scores, arcs, path.states) == pytest.approx(expected.score, abs=1e-9 * 250)
    assert path.score.item() == pytest.approx(expected.score, abs=1e-9 * 250)


# ---- batches


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_sequences_one_by_one(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 20, 6).graph()
    scores = random_scores(rng, 7, 50, 6).to(dtype)
    lengths = torch.tensor([50, 0, 1, 49, 33, 50, 20])
    path = sh.viterbi(scores, graph, lengths)
    assert path.states.shape == (7, 50)
    for sequence, length, states, score in zip(scores, lengths.tolist(), path.states, path.score, strict=True):
        alone = sh.viterbi(sequence[:length], graph)
        assert_path(alone, states[:length], score.item())
        assert states[length:].tolist() == [-1] * (50 - length)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_batch_with_one_graph_each(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(5)
    cases = unlike_cases(rng, 6)
    scores = random_scores(rng, len(cases), 80, 6)
    lengths = torch.tensor([80, 79, 80, 0, 41, 80])
    path = sh.viterbi(scores.to(dtype), [case.graph() for case in cases], lengths)
    for case, sequence, length, states, score in zip(
        cases, scores, lengths.tolist(), path.states, path.score, strict=True
    ):
        expected = reference.viterbi(sequence[:length], case.arcs())
        assert states.tolist() == expected.states.tolist() + [-1] * (80 - length)
        assert score.item() == expected.score


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.data())
def test_small_batches(data: st.DataObject) -> None:
    cases = data.draw(st.lists(small_cases(), min_size=1, max_size=4))
    sequences = [data.draw(small_scores()) for _ in cases]
    lengths = [len(sequence) for sequence in sequences]
    scores = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=float("nan"))
    path = sh.viterbi(scores, [case.graph() for case in cases], torch.tensor(lengths))
    assert path.states.shape == scores.shape[:2]
    for case, sequence, states, score in zip(cases, sequences, path.states, path.score, strict=True):
        expected = reference.viterbi(sequence, case.arcs())
        assert states.tolist() == expected.states.tolist() + [-1] * (len(states) - len(sequence))
        assert score.item() == expected.score


def test_an_unbatched_call_gives_unbatched_results() -> None:
    rng = np.random.default_rng(6)
    graph, scores = sh.Graph.linear([0, 1]), random_scores(rng, 5, 2)
    alone, batched = sh.viterbi(scores, graph), sh.viterbi(scores[None], graph)
    assert alone.states.shape == (5,)
    assert alone.score.shape == ()
    assert batched.states.shape == (1, 5)
    assert batched.score.shape == (1,)
    assert_path(alone, batched.states[0], batched.score.item())


# ---- what scores may look like


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_scores(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(7)
    case = random_case(rng, family, 30, 6)
    scores = random_scores(rng, 70, 6)
    expected = reference.viterbi(scores, case.arcs())
    assert_path(sh.viterbi(scores.to(dtype), case.graph()), expected.states, expected.score)


def test_half_precision_scores_are_summed_in_more() -> None:
    scores = torch.full((5000, 1), -1.5, dtype=torch.float16)
    assert sh.viterbi(scores, sh.Graph.linear([0])).score.item() == -7500.0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_scores_need_not_be_contiguous(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(8)
    graph = random_case(rng, "skip", 18, 4).graph()
    scores = random_scores(rng, 3, 40, 4).to(dtype)
    expected = sh.viterbi(scores, graph)
    spread = torch.full((6, 80, 8), float("nan"), dtype=dtype)
    spread[::2, ::2, ::2] = scores
    views = {
        "columns first": scores.transpose(1, 2).contiguous().transpose(1, 2),
        "frames first": scores.transpose(0, 1).contiguous().transpose(0, 1),
        "every other": spread[::2, ::2, ::2],
    }
    for name, view in views.items():
        assert not view.is_contiguous(), name
        path = sh.viterbi(view, graph)
        assert torch.equal(path.states, expected.states), name
        assert torch.equal(path.score, expected.score), name
    repeated = sh.viterbi(scores[:1].expand(3, -1, -1), graph)
    assert torch.equal(repeated.states, expected.states[:1].expand(3, -1))
    still = sh.viterbi(scores[:, :1].expand(-1, 40, -1), graph)
    assert torch.equal(still.states, sh.viterbi(scores[:, :1].repeat(1, 40, 1), graph).states)


@pytest.mark.parametrize("whole", [torch.int32, torch.int64], ids=str)
def test_lengths_of_any_integer_type(whole: torch.dtype) -> None:
    scores, graph = torch.zeros(2, 4, 1), sh.Graph.linear([0])
    path = sh.viterbi(scores, graph, torch.tensor([4, 2], dtype=whole))
    assert path.states.tolist() == [[0, 0, 0, 0], [0, 0, -1, -1]]


def test_lengths_as_a_list_and_alone() -> None:
    graph = sh.Graph.linear([0])
    assert sh.viterbi(torch.zeros(2, 3, 1), graph, [3, 1]).states.tolist() == [[0, 0, 0], [0, -1, -1]]
    assert sh.viterbi(torch.zeros(3, 1), graph, 2).states.tolist() == [0, 0, -1]


def test_an_empty_batch_and_no_frames() -> None:
    graph = sh.Graph.linear([0, 1])
    nobody, nothing = sh.viterbi(torch.zeros(0, 5, 2), graph), sh.viterbi(torch.zeros(3, 0, 2), graph)
    assert nobody.states.shape == (0, 5)
    assert nobody.score.shape == (0,)
    assert nothing.states.shape == (3, 0)
    assert nothing.score.tolist() == [NEVER] * 3
    assert_path(sh.viterbi(torch.zeros(0, 2), graph), [], NEVER)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_path(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(9)
    graph = random_case(rng, family, 20, 3).graph()
    scores = random_scores(rng, 3, 40, 3).to(dtype)
    scores[1, 17] = NEVER
    path = sh.viterbi(scores, graph)
    assert path.score[1].item() == NEVER
    assert path.states[1].tolist() == [-1] * 40
    assert path.score.isfinite().tolist() == [True, False, True]
    assert path.states[[0, 2]].min() >= 0


def test_fewer_frames_than_a_chain_has_states() -> None:
    graph = sh.Graph.linear([0] * 6)
    assert_path(sh.viterbi(torch.zeros(5, 1), graph), [-1] * 5, NEVER)
    assert_path(sh.viterbi(torch.zeros(6, 1), graph), range(6), 0.0)


# ---- one graph in different clothes


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", ["linear", "skip", "ctc", "extra"])
@pytest.mark.parametrize("size", [3, 40, 150])
def test_every_family_gives_the_same_path_for_the_same_graph(family: str, size: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(10 + size)
    case = random_case(rng, family, size, 8)
    scores = torch.from_numpy(rng.normal(scale=4, size=(3 * size, 8))).to(dtype)
    shuffled, sparse = case.as_explicit(rng).graph(), forced_sparse(rng, case.arcs()).graph()
    graph = case.graph()
    assert (graph.family, shuffled.family, sparse.family) == ("linear", "linear", "sparse")
    expected = sh.viterbi(scores, graph)
    assert expected.states.min() >= 0
    for other in (shuffled, sparse):
        path = sh.viterbi(scores, other)
        assert torch.equal(path.states, expected.states)
        assert path.score.item() == pytest.approx(expected.score.item(), abs=1e-9 * len(scores))


def forced_sparse(rng: np.random.Generator, arcs: Arcs) -> Case:
    """The same graph beside as many states again, out of reach, with too many arcs among them for a chain."""
    size = arcs.num_states
    beyond = torch.from_numpy(rng.integers(size, 2 * size + 9, (2, 20 * size + 300)))
    barred = torch.full((size + 9,), NEVER, dtype=torch.float64)
    wider = Arcs(
        2 * size + 9,
        torch.cat([beyond[0], arcs.src]),
        torch.cat([beyond[1], arcs.dst]),
        torch.cat([torch.zeros(beyond.shape[1], dtype=torch.float64), arcs.weight]),
        torch.cat([arcs.pdfs, torch.zeros(size + 9, dtype=torch.int64)]),
        torch.cat([arcs.initial.double(), barred]),
        torch.cat([arcs.final.double(), barred]),
    )
    return explicit_case(wider)


@pytest.mark.parametrize(("crowd", "family"), [(249, "linear"), (250, "linear"), (251, "sparse")])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_many_arcs_into_one_state(crowd: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(crowd)
    size = 400
    chain = linear_arcs(rng.integers(0, 5, size), initial=torch.zeros(size), final=torch.zeros(size))
    src = torch.from_numpy(rng.permutation(np.arange(100, size))[:crowd])
    crowded = chain._replace(
        src=torch.cat([src, chain.src]),
        dst=torch.cat([torch.full((crowd,), 50), chain.dst]),
        weight=torch.cat([torch.from_numpy(rng.integers(4, 6, crowd).astype(np.float64)), chain.weight]),
    )
    graph = explicit_case(crowded).graph()
    assert graph.family == family
    scores = random_scores(rng, 60, 5)
    expected = reference.viterbi(scores, crowded)
    assert_path(sh.viterbi(scores.to(dtype), graph), expected.states, expected.score)


# ---- numbers at the edge


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("barred", [-1e30, -3e38])
@pytest.mark.parametrize("family", FAMILIES)
def test_huge_negative_scores_bar_as_minus_infinity_does(family: str, barred: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(11)
    graph = random_case(rng, family, 24, 8).graph()
    scores = random_scores(rng, 100, 8).to(dtype)
    masked = torch.from_numpy(rng.random((100, 8)) < 0.1)
    expected = sh.viterbi(scores.masked_fill(masked, NEVER), graph)
    assert expected.score.item() > -1e3
    path = sh.viterbi(scores.masked_fill(masked, barred), graph)
    assert_path(path, expected.states, expected.score.item())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("barred", [-1e30, -3e38])
def test_huge_negative_weights_bar_as_minus_infinity_does(barred: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(12)
    scores = random_scores(rng, 100, 4).to(dtype)
    pdfs = rng.integers(0, 4, 40).tolist()
    skip = torch.where(torch.from_numpy(rng.random(40) < 0.5), -1.0, barred).double()
    forbidden = torch.where(skip == barred, NEVER, skip)
    expected = sh.viterbi(scores, sh.Graph.linear(pdfs, skip=forbidden))
    assert_path(sh.viterbi(scores, sh.Graph.linear(pdfs, skip=skip)), expected.states, expected.score.item())
    ends = {"initial": [0.0] + [barred] * 39, "final": [barred] * 39 + [0.0]}
    path = sh.viterbi(scores, sh.Graph.linear(pdfs, skip=forbidden, **ends))
    assert_path(path, expected.states, expected.score.item())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_way_out_at_huge_cost_is_still_a_way(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(13)
    graph = random_case(rng, family, 12, 3).graph()
    scores = random_scores(rng, 40, 3).to(dtype)
    scores[20] = -1e30
    path = sh.viterbi(scores, graph)
    assert path.states.min() >= 0
    assert path.score.item() == pytest.approx(-1e30, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_neighbouring_scores_200_nats_apart(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(14)
    case = random_case(rng, family, 40, 6)
    scores = random_scores(rng, 150, 6) + 200 * random_scores(rng, 150, 6).sign()
    expected = reference.viterbi(scores, case.arcs())
    assert_path(sh.viterbi(scores.to(dtype), case.graph()), expected.states, expected.score)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_of_10000_nats(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(15)
    pdfs, scores = rng.integers(0, 4, 30).tolist(), random_scores(rng, 90, 4)
    weights = {"self_loop": 1e4, "advance": -1e4, "skip": torch.linspace(-1e4, 1e4, 30).round().double()}
    expected = reference.viterbi(scores, linear_arcs(pdfs, **weights))
    path = sh.viterbi(scores.to(dtype), sh.Graph.linear(pdfs, **weights))
    assert_path(path, expected.states, expected.score)


def test_scores_may_require_gradients() -> None:
    scores = torch.zeros(4, 2, requires_grad=True)
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    path = sh.viterbi(scores, sh.Graph.linear([0, 1], self_loop=weight))
    assert_path(path, [0, 0, 0, 1], 0.0)
    assert not path.score.requires_grad


@pytest.mark.parametrize("family", ["linear", "sparse", "dense"])
def test_one_huge_score_does_not_blur_the_others(family: str) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(40, 6, generator=generator)
    scores[10] = -1e9
    states = torch.arange(6)
    if family == "linear":
        src, dst = states.repeat(2), torch.cat([states, (states + 1).clamp(max=5)])
    else:
        src, dst = torch.cartesian_prod(states, states).repeat(2 if family == "sparse" else 1, 1).T
    graph = sh.Graph.from_arcs(6, src, dst, 0.0)
    assert graph.family == family
    assert torch.equal(sh.viterbi(scores, graph).states, sh.viterbi(scores.double(), graph).states)


def test_the_lowest_float_is_a_score() -> None:
    lowest = torch.finfo(torch.float32).min
    path = sh.viterbi(torch.full((4, 1), lowest), sh.Graph.linear([0, 0]))
    assert path.states.tolist() == [0, 0, 0, 1]
    assert path.score == 4 * lowest
    assert sh.viterbi(torch.zeros(4, 1), sh.Graph.linear([0, 0], advance=lowest)).score == lowest


# ---- a beam


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [5, 64, 65, 200, 700])
def test_a_beam_gives_up_what_the_reference_does(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case = random_case(rng, family, size, 5)
    graph, arcs = case.graph(), case.arcs()
    scores = random_scores(rng, long_enough(family, 300), 5)
    exact = reference.viterbi(scores, arcs)
    for beam in (0.5, 5, 40, 1e6):
        expected = reference.viterbi(scores, arcs, beam=beam)
        assert beam < 1e6 or expected.score == exact.score
        for budget in (None, 1, 100_000):
            path = sh.viterbi(scores.to(dtype), graph, beam=beam, memory_budget=budget)
            assert_path(path, expected.states, expected.score)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_infinite_beam_is_none(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(16)
    graph = random_case(rng, family, 400, 12).graph()
    scores = torch.from_numpy(rng.normal(scale=3, size=(600, 12))).to(dtype)
    expected, path = sh.viterbi(scores, graph), sh.viterbi(scores, graph, beam=float("inf"))
    assert_path(path, expected.states, expected.score.item())


def test_a_beam_that_gives_up_the_only_way_to_the_end_finds_no_path() -> None:
    """The end can be reached from the first half only, which scores worse than the second until it is too late."""
    scores = torch.zeros(200, 2)
    scores[:100, 0] = -3.0
    graph = sh.Graph.linear([0] * 64 + [1] * 64, initial=torch.zeros(128), final=[0.0] + [NEVER] * 127)
    assert_path(sh.viterbi(scores, graph), [0] * 200, -300.0)
    assert_path(sh.viterbi(scores, graph, beam=300), [0] * 200, -300.0)
    assert_path(sh.viterbi(scores, graph, beam=299), [-1] * 200, NEVER)


def test_a_beam_that_follows_the_speech_keeps_the_path() -> None:
    rng = np.random.default_rng(17)
    labels = rng.integers(1, 32, 2000)
    scores = torch.from_numpy(rng.normal(size=(10_000, 32)).astype(np.float32)) - 4
    scores[torch.arange(10_000), torch.from_numpy(labels[np.arange(10_000) // 5])] += 12
    graph = sh.Graph.ctc(labels)
    expected, path = sh.viterbi(scores, graph), sh.viterbi(scores, graph, beam=200.0)
    assert_path(path, expected.states, expected.score.item())


@pytest.mark.parametrize("beam", [0, -1.0, float("nan"), NEVER])
def test_a_beam_must_be_above_0(beam: float) -> None:
    with pytest.raises(ValueError, match=rf"beam must be above 0 nats, got {beam}"):
        sh.viterbi(torch.zeros(3, 1), sh.Graph.linear([0]), beam=beam)


def test_a_beam_must_be_a_number() -> None:
    with pytest.raises(TypeError, match="beam must be a number of nats or None, got str"):
        sh.viterbi(torch.zeros(3, 1), sh.Graph.linear([0]), beam="wide")


def test_a_beam_goes_with_no_durations_and_no_constraints() -> None:
    with pytest.raises(ValueError, match="durations do not go with allowed, fixed or beam"):
        sh.viterbi(torch.zeros(3, 1), sh.Graph.linear([0]), durations=torch.zeros(1, 3), beam=5.0)
    with pytest.raises(ValueError, match="a beam does not go with allowed or fixed"):
        sh.viterbi(torch.zeros(3, 1), sh.Graph.linear([0]), fixed=[0, -1, -1], beam=5.0)
