"""What the constructors of ``Graph`` mean."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, random_case, random_scores

import streamhmm as sh
from streamhmm import reference
from streamhmm.packing import pack_structure


def test_linear() -> None:
    graph = sh.Graph.linear([4, 2, 0], self_loop=-1.0, advance=-2.0)
    assert (graph.num_states, graph.num_arcs, graph.family) == (3, 5, "linear")
    skipping = sh.Graph.linear([4, 2, 0], skip=0.0)
    assert (skipping.num_states, skipping.num_arcs, skipping.family) == (3, 6, "linear")
    path = sh.viterbi(torch.zeros(5, 5), graph)
    assert path.states.tolist() == [0, 0, 0, 1, 2]
    assert path.score.item() == 2 * -1.0 + 2 * -2.0


def test_linear_weights_stand_at_the_source_state() -> None:
    graph = sh.Graph.linear([0] * 3, self_loop=torch.tensor([-1.0, -10.0, -100.0]), advance=torch.tensor([5.0, 7, 9]))
    assert sh.viterbi(torch.zeros(3, 1), graph).score.item() == 5.0 + 7.0
    assert sh.viterbi(torch.zeros(4, 1), graph).score.item() == -1.0 + 5.0 + 7.0
    skipping = sh.Graph.linear([0] * 3, advance=NEVER, skip=torch.tensor([3.0, 30, 300]))
    path = sh.viterbi(torch.zeros(2, 1), skipping)
    assert path.states.tolist() == [0, 2]
    assert path.score.item() == 3.0


def test_linear_starts_first_and_ends_last_unless_told_otherwise() -> None:
    scores = torch.zeros(2, 1)
    assert sh.viterbi(scores, sh.Graph.linear([0] * 4)).score.item() == NEVER
    anywhere = sh.Graph.linear([0] * 4, initial=torch.tensor([0.0, 1, 2, 4]), final=torch.tensor([0.0, 0, 0, 0]))
    path = sh.viterbi(scores, anywhere)
    assert path.states.tolist() == [3, 3]
    assert path.score.item() == 4.0


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda pdfs: torch.tensor(pdfs).int()])
def test_pdfs_of_any_kind(kind: type) -> None:
    assert sh.viterbi(torch.eye(3), sh.Graph.linear(kind([2, 0, 1]))).score.item() == 0.0
    assert sh.viterbi(torch.eye(3), sh.Graph.linear(kind([0, 1, 2]))).score.item() == 3.0


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [1, 2, 2, 3, 1, 1, 1, 4], [3, 4] * 20])
def test_ctc_equals_the_loss_of_torch(labels: list[int]) -> None:
    rng = np.random.default_rng(len(labels))
    frames = 2 * len(labels) + 5
    scores = torch.from_numpy(rng.normal(size=(frames, 5))).log_softmax(1)
    scores = scores.requires_grad_()
    loss = torch.nn.functional.ctc_loss(
        scores[:, None], torch.tensor([labels]), torch.tensor([frames]), torch.tensor([len(labels)]), reduction="sum"
    )
    total = sh.log_likelihood(scores, sh.Graph.ctc(labels))
    assert total.item() == pytest.approx(-loss.item(), rel=1e-12)


def test_ctc() -> None:
    graph = sh.Graph.ctc([3, 3, 1], blank=2)
    assert (graph.num_states, graph.family) == (7, "linear")
    # 3 3 1 by the shortest way: the repeated label needs a blank between
    assert sh.viterbi(torch.zeros(4, 4), graph).states.tolist() == [1, 2, 3, 5]
    assert sh.viterbi(torch.zeros(3, 4), graph).score.item() == NEVER


def test_ctc_without_labels_is_a_single_blank() -> None:
    graph = sh.Graph.ctc([], blank=1)
    assert graph.num_states == 1
    scores = torch.tensor([[0.0, -1.0], [0.0, -2.0]])
    path = sh.viterbi(scores, graph)
    assert path.states.tolist() == [0, 0]
    assert path.score.item() == -3.0
    assert sh.log_likelihood(scores, graph).item() == pytest.approx(-3.0, rel=1e-6)


def test_from_arcs() -> None:
    graph = sh.Graph.from_arcs(3, [0, 1, 2], [1, 2, 0], [0.0, -1.0, -2.0])
    assert (graph.num_states, graph.num_arcs) == (3, 3)
    # any state may begin and end, and state s emits column s
    path = sh.viterbi(torch.tensor([[0.0, 0, 9], [9, 0, 0], [0, 9, 0], [0, 0, 9]]), graph)
    assert path.states.tolist() == [2, 0, 1, 2]
    assert path.score.item() == 36.0 - 2.0 - 0.0 - 1.0


def test_from_arcs_without_arcs() -> None:
    graph = sh.Graph.from_arcs(2, [], [], [])
    assert graph.num_arcs == 0
    path = sh.viterbi(torch.tensor([[1.0, 2.0]]), graph)
    assert path.states.tolist() == [1]
    assert sh.viterbi(torch.zeros(2, 2), graph).score.item() == NEVER


def test_parallel_arcs_are_a_maximum_in_viterbi_and_a_sum_elsewhere() -> None:
    weight = [math.log(0.5), math.log(0.25), math.log(0.25)]
    ends = {"pdfs": [0, 0], "initial": [0.0, NEVER], "final": [NEVER, 0.0]}
    graph = sh.Graph.from_arcs(2, [0, 0, 0], [1, 1, 1], torch.tensor(weight, dtype=torch.float64), **ends)
    scores = torch.zeros(2, 1, dtype=torch.float64)
    assert sh.viterbi(scores, graph).score.item() == math.log(0.5)
    assert sh.log_likelihood(scores, graph).item() == pytest.approx(0.0, abs=1e-15)


def test_the_family_follows_from_the_arcs_and_never_from_values() -> None:
    chain = [[*range(50), *range(49)], [*range(50), *range(1, 50)]]
    everything_barred = torch.full((99,), NEVER)
    assert sh.Graph.from_arcs(50, *chain, torch.zeros(99)).family == "linear"
    assert sh.Graph.from_arcs(50, *chain, everything_barred).family == "linear"
    detour = [[*chain[0], 40, 3], [*chain[1], 2, 30]]
    assert sh.Graph.from_arcs(50, *detour, torch.zeros(101)).family == "linear"
    every_pair = np.indices((50, 50)).reshape(2, -1).tolist()
    assert sh.Graph.from_arcs(50, *every_pair, torch.zeros(2500)).family == "dense"
    assert sh.Graph.from_arcs(50, *every_pair, torch.full((2500,), NEVER)).family == "dense"
    some_twice = [[*every_pair[0], 4], [*every_pair[1], 7]]
    assert sh.Graph.from_arcs(50, *some_twice, torch.zeros(2501)).family == "sparse"
    few_of_many = np.random.default_rng(0).permutation(250_000)[:2000]
    assert sh.Graph.from_arcs(500, few_of_many // 500, few_of_many % 500, torch.zeros(2000)).family == "sparse"


@pytest.mark.parametrize("family", FAMILIES)
def test_to_a_device(family: str) -> None:
    rng = np.random.default_rng(1)
    case, scores = random_case(rng, family, 9, 4), random_scores(rng, 30, 4)
    moved = case.graph().to("cpu")
    assert moved.num_states == case.arcs().num_states
    assert sh.viterbi(scores, moved).score.item() == reference.viterbi(scores, case.arcs()).score


def test_graphs_go_into_sets_and_compare_by_identity() -> None:
    graph = sh.Graph.linear([0, 1])
    assert graph == graph
    assert graph != sh.Graph.linear([0, 1])
    assert len({graph, graph, sh.Graph.linear([0, 1])}) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_graphs_go_to_other_processes(family: str) -> None:
    rng = np.random.default_rng(2)
    case, scores = random_case(rng, family, 9, 4), random_scores(rng, 30, 4)
    copied = pickle.loads(pickle.dumps(case.graph()))
    assert sh.viterbi(scores, copied).states.tolist() == reference.viterbi(scores, case.arcs()).states.tolist()


@pytest.mark.parametrize("operation", ["viterbi", "log_likelihood", "posteriors", "gradients"])
def test_the_registration_with_torch(operation: str) -> None:
    graph = sh.Graph.linear([0, 1, 0], skip=-1.0)
    weights = graph.packed_weights(torch.float64).clone().requires_grad_(operation == "log_likelihood")
    scores = torch.zeros(2, 4, 2, dtype=torch.float64, requires_grad=operation == "log_likelihood")
    call = [scores, torch.tensor([4, 3]), graph.structure, weights, 1000]
    around = {
        "viterbi": [*call, 50.0],
        "posteriors": [*call, 3],
        "gradients": [torch.ones(2, dtype=torch.float64), *call, True],
    }
    torch.library.opcheck(getattr(torch.ops.streamhmm, operation).default, around.get(operation, call))


def test_a_graph_keeps_its_own_pdfs() -> None:
    pdfs = torch.tensor([0, 1, 2])
    graph = sh.Graph.linear(pdfs)
    pdfs[0] = 9
    assert graph.pdfs.tolist() == [0, 1, 2]


def test_weights_changed_in_inference_mode_are_seen() -> None:
    with torch.inference_mode():
        weight = torch.zeros(3)
        graph = sh.Graph.linear([0, 1, 2], self_loop=weight)
        assert sh.viterbi(torch.zeros(5, 3), graph).score == 0.0
        weight.fill_(-5.0)
        assert sh.viterbi(torch.zeros(5, 3), graph).score == -10.0


def test_an_empty_batch_takes_empty_lengths() -> None:
    path = sh.viterbi(torch.zeros(0, 4, 3), sh.Graph.linear([0, 1]), lengths=[])
    assert (path.states.shape, path.score.shape) == ((0, 4), (0,))


def test_traced_gradients_have_the_strides_of_real_ones() -> None:
    graph = sh.Graph.linear([0, 1])
    scores = torch.zeros(5, 2, 3).transpose(0, 1)
    arguments = (torch.ones(2, dtype=torch.float64), scores, None, graph.structure, graph.packed_weights(scores.dtype))
    torch.library.opcheck(torch.ops.streamhmm.gradients.default, (*arguments, 1 << 20, True))


def test_the_structure_of_a_batch_is_packed_once() -> None:
    graphs = [sh.Graph.linear([0, 1]), sh.Graph.ctc([1, 2])]
    structure = sh.Graph.structure_of(graphs)
    assert sh.Graph.structure_of(list(graphs)) is structure
    assert sh.Graph.structure_of(graphs[::-1]) is not structure
    other = [graphs[0], sh.Graph.ctc([1, 2, 2])]
    assert sh.Graph.structure_of(other).tolist() == pack_structure(other).tolist()
    assert sh.Graph.structure_of(graphs).tolist() == structure.tolist()


def test_the_weights_of_a_batch_are_joined_once_unless_they_change() -> None:
    weight = torch.zeros(2)
    graphs = [sh.Graph.linear([0, 1], self_loop=weight), sh.Graph.ctc([1])]

    def joined() -> torch.Tensor:
        return sh.Graph.weights_of(graphs, torch.float32, torch.device("cpu"))

    first = joined()
    assert joined() is first
    weight += 1
    assert joined().tolist() == torch.cat([graph.packed_weights(torch.float32) for graph in graphs]).tolist()
    assert joined()[:2].tolist() == [1.0, 1.0]
    weight.requires_grad_()
    assert joined().requires_grad
