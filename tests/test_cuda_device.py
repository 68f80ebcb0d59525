"""The operations on a GPU: what only a GPU can show. Everything else runs on the CPU too, test_cuda_operations.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, random_case, random_scores
from test_torch_library import calls, operands
from torch import Tensor

import streamhmm as sh
from streamhmm import library, library_cuda

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
    pytest.mark.filterwarnings("ignore"),  # of torch itself
]

COLUMNS, FRAMES = 5, 60
LENGTHS = [FRAMES, FRAMES - 20, 0]
Operation = Callable[..., Any]

OPERATIONS: dict[str, Operation] = {
    "viterbi": lambda *given: tuple(sh.viterbi(*given)),
    "viterbi with a beam": lambda *given: tuple(sh.viterbi(*given, beam=20.0)),
    "log_likelihood": sh.log_likelihood,
    "posteriors": sh.posteriors,
    "posteriors by pdf": lambda *given: sh.posteriors(*given, by="pdf"),
    "posteriors in little memory": lambda *given: sh.posteriors(*given, memory_budget=1000),
    "gradients": lambda *given: gradients(*given),
    "expected_counts": lambda *given: tuple(sh.expected_counts(*given)),
    "forward_backward": lambda *given: in_one(sh.forward_backward(*given)),
    "constrained_viterbi": lambda *given: tuple(sh.viterbi(*given, allowed=allowed_states(*given[:2]))),
    "filter": sh.filter,
    "smooth": lambda *given: sh.smooth(*given, lag=4),
    "viterbi with durations": lambda *given: tuple(sh.viterbi(*given, durations=durations_for(*given[:2]))),
    "posteriors with durations": lambda *given: sh.posteriors(*given, durations=durations_for(*given[:2])),
    "log_likelihood with durations": lambda *given: sh.log_likelihood(*given, durations=durations_for(*given[:2])),
}
ONE_GRAPH = {"expected_counts", "forward_backward", *(name for name in OPERATIONS if name.endswith("durations"))}


def in_one(found: Any) -> tuple[Tensor, ...]:
    return found.log_likelihood, found.posteriors, *found.counts


def allowed_states(scores: Tensor, graph: Any) -> Tensor:
    """A mask on the scores' device: all states, but one of them in one frame not."""
    states = max(each.num_states for each in ([graph] if isinstance(graph, sh.Graph) else graph))
    mask = torch.ones((FRAMES, states), dtype=torch.bool, device=scores.device)
    mask[7, states // 2] = states < 3
    return mask


def durations_for(scores: Tensor, graph: sh.Graph) -> Tensor:
    """On the scores' device."""
    return random_durations(graph.num_states, scores.device)


@lru_cache  # of copies: only the first call for a device may wait for it
def random_durations(states: int, device: torch.device) -> Tensor:
    return torch.from_numpy(np.random.default_rng(states).normal(size=(states, 9))).to(device)


def gradients(scores: Tensor, *given: Any) -> Tensor:
    leaf = scores.detach().clone().requires_grad_()
    return torch.autograd.grad(sh.log_likelihood(leaf, *given).sum(), leaf)[0]


def problem(family: str, size: int = 20, dtype: torch.dtype = torch.float32) -> tuple[Tensor, sh.Graph]:
    """Scores (3, T, V) on the CPU, and a graph."""
    rng = np.random.default_rng(size)
    return random_scores(rng, 3, FRAMES, COLUMNS).to(dtype), random_case(rng, family, size, COLUMNS).graph()


def parts(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def agree(found: Any, expected: Any) -> None:
    """Integers and the scores of paths to the bit, sums within a tolerance; ``found`` is on the device."""
    assert len(parts(found)) == len(parts(expected))
    for ours, theirs in zip(parts(found), parts(expected), strict=True):
        assert ours.is_cuda
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if not ours.is_floating_point():
            assert torch.equal(ours.cpu(), theirs)
        else:
            torch.testing.assert_close(ours.cpu(), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 20, 150])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_results_are_those_of_the_cpu(operation: str, family: str, size: int) -> None:
    scores, graph = problem(family, size)
    lengths = torch.tensor(LENGTHS)
    expected = OPERATIONS[operation](scores, graph, lengths)
    agree(OPERATIONS[operation](scores.cuda(), graph, lengths.cuda()), expected)
    agree(OPERATIONS[operation](scores.cuda(), graph.to("cuda"), LENGTHS), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - ONE_GRAPH))
def test_a_graph_for_each_sequence(operation: str, dtype: torch.dtype) -> None:
    scores = problem("linear", dtype=dtype)[0]
    graphs = [problem(family, size)[1] for family, size in (("ctc", 9), ("dense", 40), ("sparse", 70))]
    expected = OPERATIONS[operation](scores, graphs, LENGTHS)
    agree(OPERATIONS[operation](scores.cuda(), graphs, LENGTHS), expected)


def test_paths_of_many_frames_are_the_same_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    scores = random_scores(rng, 2, 20_000, 40).float()
    for graph in (sh.Graph.ctc(torch.from_numpy(rng.integers(1, 40, 1500))), random_case(rng, "dense", 40, 40).graph()):
        expected, found = sh.viterbi(scores, graph), sh.viterbi(scores.cuda(), graph)
        assert torch.equal(found.states.cpu(), expected.states)
        assert found.score.tolist() == expected.score.tolist()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_current_stream_is_used(operation: str) -> None:
    """The scores are there only when a long copy on the same stream has ended."""
    scores, graph = problem("ctc")
    expected = OPERATIONS[operation](scores.cuda(), graph, LENGTHS)
    device_scores, late = scores.cuda(), torch.zeros(scores.shape, device="cuda")
    lengths = torch.tensor(LENGTHS, device="cuda")
    busy = torch.rand(4096, 4096, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(20):
            busy = busy @ busy / 4096
        late.copy_(device_scores)
        result = OPERATIONS[operation](late, graph, lengths)
    torch.cuda.synchronize()
    for ours, theirs in zip(parts(result), parts(expected), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_waits_for_the_device(operation: str, family: str) -> None:
    scores, graph = problem(family)
    device_scores, lengths = scores.cuda(), torch.tensor(LENGTHS, device="cuda")
    expected = OPERATIONS[operation](device_scores, graph, lengths)  # what is kept from call to call is there now
    torch.cuda.synchronize()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = OPERATIONS[operation](device_scores, graph, lengths)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    for ours, theirs in zip(parts(result), parts(expected), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", ["shared graph", "one graph each"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_cuda_graph_gives_the_same_on_new_scores(operation: str, kind: str) -> None:
    """Capture fails where an operation allocates or waits; replays read what is in the scores by then."""
    scores, shared = problem("ctc")
    given: Any = shared if kind == "shared graph" else [problem("ctc", size)[1] for size in (20, 20, 20)]
    held, lengths = scores.cuda(), torch.tensor(LENGTHS, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            OPERATIONS[operation](held, given, lengths)
    torch.cuda.current_stream().wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        result = parts(OPERATIONS[operation](held, given, lengths))
    for seed in range(2):
        fresh = random_scores(np.random.default_rng(seed), *scores.shape).float()
        held.copy_(fresh)
        recorded.replay()
        found = [each.clone() for each in result]
        expected = parts(OPERATIONS[operation](fresh.cuda(), given, lengths))
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_second_run_gives_the_same_to_the_bit(operation: str, family: str) -> None:
    scores, graph = problem(family, 150)
    device_scores = scores.cuda()
    first = [each.clone() for each in parts(OPERATIONS[operation](device_scores, graph, LENGTHS))]
    for _ in range(3):
        again = parts(OPERATIONS[operation](device_scores, graph, LENGTHS))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_gradients_reach_weights_on_the_cpu_and_on_the_device() -> None:
    scores, _ = problem("dense")
    slopes = []
    for device, of_weights in (("cpu", "cpu"), ("cuda", "cpu"), ("cuda", "cuda")):
        matrix = torch.linspace(-1.0, 0.0, COLUMNS**2).reshape(COLUMNS, COLUMNS).to(of_weights).requires_grad_()
        leaf = scores.to(device).requires_grad_()
        sh.log_likelihood(leaf, sh.Graph.dense(matrix), LENGTHS).sum().backward()
        assert (matrix.grad.device.type, leaf.grad.device.type) == (of_weights, device)
        slopes.append((matrix.grad.cpu(), leaf.grad.cpu()))
    for found in slopes[1:]:
        torch.testing.assert_close(found, slopes[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["skip", "extra", "sparse", "dense"])
@pytest.mark.parametrize("shape", ["shared graph", "alone", "one graph each"])
@pytest.mark.parametrize("name", sorted(library_cuda.OPERATIONS))
def test_opcheck(name: str, shape: str, family: str) -> None:
    scores, lengths, structure, weights, budget = operands(family, shape, torch.float32)
    given = (scores.cuda(), None if lengths is None else lengths.cuda(), structure, weights.cuda(), budget)
    if name == "gradients":
        grad = torch.ones(scores.shape[:-2], dtype=torch.float64, device="cuda")
        torch.library.opcheck(library.GRADIENTS, (grad, *given, True))
        return
    known = calls(scores, lengths, structure, weights, budget)
    if name not in known:
        pytest.skip(f"test_torch_library has no call of {name}")
    operation, rest = known[name]
    rest = tuple(each.cuda() if isinstance(each, Tensor) else each for each in rest)
    torch.library.opcheck(operation, (*given, *rest))


@pytest.mark.parametrize("shape", ["shared graph", "alone"])
def test_opcheck_with_durations(shape: str) -> None:
    scores, lengths, structure, weights, budget = operands("sparse", shape, torch.float64)
    durations = random_durations(int(structure[2]), torch.device("cuda"))
    on_device = (scores.cuda(), durations, None if lengths is None else lengths.cuda(), structure, weights.cuda())
    grad = torch.ones(scores.shape[:-2], dtype=torch.float64, device="cuda")
    operations = torch.ops.streamhmm
    torch.library.opcheck(operations.semi_markov_viterbi.default, (*on_device, budget))
    torch.library.opcheck(operations.semi_markov_log_likelihood.default, (*on_device, budget))
    torch.library.opcheck(operations.semi_markov_posteriors.default, (*on_device, budget, 0))
    torch.library.opcheck(operations.semi_markov_gradients.default, (grad, *on_device, budget, True, True))


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("operation", ["viterbi", "log_likelihood", "posteriors", "expected_counts"])
def test_compiled_modules_give_the_same(operation: str, backend: str) -> None:
    graph = sh.Graph.ctc([1, 2, 3])
    network = torch.nn.Linear(4, COLUMNS).cuda()

    def forward(features: Tensor, lengths: Tensor) -> Any:
        return OPERATIONS[operation](network(features).log_softmax(-1), graph, lengths)

    features = torch.randn(3, FRAMES, 4, device="cuda")
    lengths = torch.tensor(LENGTHS, device="cuda")
    torch.compiler.reset()
    found = torch.compile(forward, fullgraph=True, backend=backend)(features, lengths)
    for ours, theirs in zip(parts(found), parts(forward(features, lengths)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    if operation == "log_likelihood":
        slopes = [torch.autograd.grad(each.sum(), network.weight)[0] for each in (found, forward(features, lengths))]
        torch.testing.assert_close(*slopes, atol=1e-3, rtol=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is only one GPU here")
def test_the_device_of_the_scores_is_used() -> None:
    scores, graph = problem("ctc")
    expected = sh.viterbi(scores, graph, LENGTHS)
    with torch.cuda.device(0):
        found = sh.viterbi(scores.to("cuda:1"), graph, LENGTHS)
        again = sh.viterbi(scores.to("cuda:0"), graph, LENGTHS)
    assert (found.states.device.index, again.states.device.index) == (1, 0)
    for path in (found, again):
        assert torch.equal(path.states.cpu(), expected.states)
        assert path.score.tolist() == expected.score.tolist()


@pytest.mark.parametrize("of_generator", ["cpu", "cuda"])
def test_samples_come_from_a_generator_wherever_it_is(of_generator: str) -> None:
    scores, graph = problem("ctc")
    drawn = [
        sh.sample(scores.cuda(), graph, LENGTHS, 5, generator=torch.Generator(of_generator).manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert drawn[0].is_cuda
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_bad_numbers_are_found_by_check() -> None:
    scores, graph = problem("linear")
    scores[1, 3, int(graph.pdfs[0])] = float("nan")
    path = sh.viterbi(scores.cuda(), graph)
    assert path.score.isnan().tolist() == [False, True, False]
    with pytest.raises(ValueError, match="in sequence 1"):
        sh.check(path)


def test_a_batch_of_more_than_2_to_the_31_scores_is_read_where_it_lies() -> None:
    batch, frames, columns = 600, 4000, 1000
    needed = 3 * batch * frames * columns  # float16, and room
    if torch.cuda.mem_get_info()[0] < 2 * needed:
        pytest.skip(f"the GPU has less than {2 * needed >> 30} GiB free")
    scores = torch.zeros(batch, frames, columns, dtype=torch.float16, device="cuda")
    rows = torch.arange(frames) * 3 // frames
    scores[-1, torch.arange(frames), rows] = 1.0
    path = sh.viterbi(scores, sh.Graph.linear([0, 1, 2]))
    assert torch.equal(path.states[-1].cpu(), rows)
    assert path.score[-1].item() == frames
