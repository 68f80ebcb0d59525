"""Threads, processes and instruction sets: the same results whoever computes them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, random_case, random_scores, unlike_cases, words_case
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

PATIENCE_S = 60


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def everything(seed: int = 0) -> list[Tensor]:
    """All results for a batch of unlike graphs: states, scores, log-likelihoods, their slopes, posteriors.

    Tensors are too small for torch itself to use its OpenMP threads, which do not survive a fork.
    """
    rng = np.random.default_rng(seed)
    graphs = [case.graph() for case in unlike_cases(rng, 6)] * 2
    scores = torch.from_numpy(rng.normal(size=(len(graphs), 30, 6)).astype(np.float32)).requires_grad_()
    lengths = torch.from_numpy(rng.integers(0, 31, len(graphs)))
    path = sh.viterbi(scores.detach(), graphs, lengths)
    total = sh.log_likelihood(scores, graphs, lengths)
    total.sum().backward()
    return [*path, total.detach(), scores.grad, sh.posteriors(scores.detach(), graphs, lengths)]


def assert_equal(results: list[Tensor], expected: list[Tensor]) -> None:
    assert all(torch.equal(one, other) for one, other in zip(results, expected, strict=True))


def test_the_number_of_threads_changes_nothing() -> None:
    results = {}
    for count in (1, 2, 5, 1):
        with torch_threads(count):
            results[count] = everything()
    assert_equal(results[2], results[1])
    assert_equal(results[5], results[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("family", ["linear", "skip", "ctc", "words"])
def test_threads_within_one_sequence_change_nothing(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(5)
    frames, size = 3001, 3000
    case = words_case(rng, size, 7) if family == "words" else random_case(rng, family, size, 7)
    graph = case.graph()
    assert graph.family == "linear"
    scores = torch.from_numpy(rng.normal(scale=3, size=(frames, 7))).to(dtype)
    scores[:, 0] = NEVER
    paths = []
    for count in (1, 2, 5):
        with torch_threads(count):
            paths.append(sh.viterbi(scores, graph))
    for path in paths[1:]:
        assert torch.equal(path.states, paths[0].states)
        assert torch.equal(path.score, paths[0].score)


def test_gradients_of_shared_weights_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(1)
    scores = torch.from_numpy(rng.normal(size=(16, 60, 4)))
    slopes = []
    for count in (1, 3):
        weight = torch.zeros(20, dtype=torch.float64, requires_grad=True)
        graph = sh.Graph.linear(np.arange(20) % 4, self_loop=weight, advance=weight)
        with torch_threads(count):
            sh.log_likelihood(scores, graph).sum().backward()
        slopes.append(weight.grad)
    assert torch.equal(*slopes)


def test_several_python_threads_at_once() -> None:
    expected = [everything(seed) for seed in range(4)]
    with torch_threads(2), ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for results, alone in zip(pool.map(everything, range(4)), expected, strict=True):
                assert_equal(results, alone)


def _send_results(connection: Connection) -> None:
    torch.set_num_threads(2)
    connection.send([result.numpy() for result in everything()])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_another_process(method: str) -> None:
    with torch_threads(2):
        expected = everything()  # the pool of this process is running when the other one starts
    context = multiprocessing.get_context(method)
    here, there = context.Pipe(duplex=False)
    with warnings.catch_warnings():
        # forking beside threads is what is tried here
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=_send_results, args=(there,))
        process.start()
    there.close()  # so that its end shows here as the end of the file
    try:
        assert here.poll(PATIENCE_S), f"no result from the process started by {method}"
        assert_equal([torch.from_numpy(result) for result in here.recv()], expected)
        process.join(PATIENCE_S)
        assert process.exitcode == 0
    finally:
        process.kill()
    assert_equal(everything(), expected)


class Decoded(torch.utils.data.Dataset):
    """Item i is what the engine makes of the i-th random batch, in the worker that loads it."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, seed: int) -> list[Tensor]:
        with torch_threads(2):
            return everything(seed)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_the_workers_of_a_data_loader(method: str) -> None:
    with torch_threads(2):
        expected = [everything(seed) for seed in range(6)]  # the pool is running when the workers start
    context = multiprocessing.get_context(method)
    loader = torch.utils.data.DataLoader(
        Decoded(), batch_size=None, num_workers=2, multiprocessing_context=context, timeout=PATIENCE_S
    )
    with warnings.catch_warnings():
        # forking beside threads is what is tried here
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = list(loader)
    for results, alone in zip(loaded, expected, strict=True):
        assert_equal(results, alone)


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    before = _C.select_isa(name)
    try:
        yield
    finally:
        _C.select_isa(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_instruction_set_gives_the_same_path(family: str, dtype: torch.dtype) -> None:
    assert "baseline" in _C.available_isas()
    rng = np.random.default_rng(2)
    for size in (1, 5, 31, 64, 100, *[257] * (family != "dense")):  # the reference goes arc by arc
        case = random_case(rng, family, size, 7)
        tying = random_scores(rng, 2 * size + 3, 7)
        real = torch.from_numpy(rng.normal(size=(2 * size + 3, 7))).to(dtype)
        for scores, expected in (
            (tying, reference.viterbi(tying, case.arcs())),
            (real, sh.viterbi(real, case.graph())),
        ):
            for name in _C.available_isas():
                with instruction_set(name):
                    path = sh.viterbi(scores.to(dtype), case.graph())
                assert torch.equal(path.states, expected.states), name
                assert path.score.item() == float(expected.score), name


@pytest.mark.parametrize("family", ["linear", "skip", "ctc", "words"])
def test_every_instruction_set_gives_the_same_path_through_a_large_graph(family: str) -> None:
    rng = np.random.default_rng(6)
    graph = (words_case(rng, 4200, 7) if family == "words" else random_case(rng, family, 4200, 7)).graph()
    scores = torch.from_numpy(rng.normal(scale=3, size=(5000, 7)).astype(np.float32))
    for beam in (None, 150.0):
        paths = []
        for name in _C.available_isas():
            with instruction_set(name):
                paths.append(sh.viterbi(scores, graph, beam=beam))
        for path in paths[1:]:
            assert torch.equal(path.states, paths[0].states)
            assert torch.equal(path.score, paths[0].score)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_instruction_set_gives_the_same_sums(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    for size in (1, 5, 31, 64, 100, *[257] * (family != "dense")):  # the reference goes arc by arc
        case, scores = random_case(rng, family, size, 7), random_scores(rng, 2 * size + 3, 7)
        expected = reference.posteriors(scores, case.arcs())
        for name in _C.available_isas():
            with instruction_set(name):
                by_state = sh.posteriors(scores.to(dtype), case.graph())
                total = sh.log_likelihood(scores.to(dtype), case.graph())
            np.testing.assert_allclose(by_state, expected, atol=1e-4 if dtype == torch.float32 else 1e-9)
            assert total.item() == pytest.approx(reference.log_likelihood(scores, case.arcs()), rel=1e-6)


def isa_in_environment(name: str) -> subprocess.CompletedProcess[str]:
    """The compiled module alone, without torch, in a new process where ``STREAMHMM_ISA`` is ``name``."""
    program = (
        "import importlib.util as util, sys\n"
        "spec = util.spec_from_file_location('streamhmm._C', sys.argv[1])\n"
        "module = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(module.select_isa('baseline'))\n"
    )
    command = [sys.executable, "-c", program, _C.__file__]
    environment = os.environ | {"STREAMHMM_ISA": name}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_environment_chooses_the_instruction_set() -> None:
    for name in _C.available_isas():
        assert isa_in_environment(name).stdout.split() == [name]
    assert isa_in_environment("").stdout.split() == _C.available_isas()[:1]
    assert "ValueError: instruction set must be one of " in isa_in_environment("mmx").stderr


def test_an_unknown_instruction_set() -> None:
    with pytest.raises(ValueError, match=r"instruction set must be one of .*baseline, got 'mmx'"):
        _C.select_isa("mmx")
