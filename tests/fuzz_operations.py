"""Feeds the engine's binding layer with wrong and extreme arguments: an exception or a right answer, never a crash.

    python tests/fuzz_operations.py [--inputs N] [--seed S] [--first I]

Input I of seed S is the same in every run. Inputs are of three kinds: calls of the main operations on graphs from the
constructors, compared with ``streamhmm.reference`` if they are accepted; calls of everything else the engine does; and
``torch.ops.streamhmm`` with tensors that nobody has checked. Public calls with nothing wrong must be accepted. They run
in a process of their own, so that a crash is reported with its input.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from cases import FAMILIES, Case, random_case, random_scores
from fuzz_answers import (
    Sequences,
    check_log_likelihood,
    check_pdf_posteriors,
    check_posteriors,
    check_viterbi,
    sequences,
)
from fuzz_inputs import chance, pick, with_changes
from fuzz_others import other_call, raw_call, takes_days
from torch import Tensor

import streamhmm as sh

REFUSALS = (ValueError, TypeError, RuntimeError, MemoryError)
PATIENCE_S = 120
MOST_MEMORY = 6 * 2**30  # address space, so that what is too large is refused at once


class Operation(NamedTuple):
    """A public operation, what else it takes, and the check of its result."""

    call: Callable[..., Any]
    extra: dict[str, Any]
    check: Callable[[Any, Sequences], None]


def slopes(scores: Tensor, graph: Any, lengths: Any = None, **rest: Any) -> Tensor:
    """The gradient of the log-likelihood, which is the posteriors of the columns."""
    if isinstance(scores, Tensor) and scores.is_floating_point():
        scores = scores.detach().requires_grad_()
    total = sh.log_likelihood(scores, graph, lengths, **rest)
    return torch.autograd.grad(total.sum(), scores)[0]


OPERATIONS = (
    Operation(sh.viterbi, {}, check_viterbi),
    Operation(sh.log_likelihood, {}, check_log_likelihood),
    Operation(sh.posteriors, {"by": "state"}, check_posteriors),
    Operation(sh.posteriors, {"by": "pdf"}, check_pdf_posteriors),
    Operation(slopes, {}, check_pdf_posteriors),
)


def good_call(rng: np.random.Generator) -> tuple[list[Case], dict[str, Any]]:
    """Graphs as arguments of their constructors, and a call's other arguments, with nothing wrong."""
    batch = pick(rng, (None, 0, 1, 2, 3))
    frames, columns = int(rng.integers(0, 8)) if chance(rng, 0.95) else 35, int(rng.integers(2, 7))
    shared = chance(rng, 0.5) or not batch
    sizes = [int(rng.integers(1, 20)) if chance(rng, 0.95) else 70 for _ in range(1 if shared else batch)]
    cases = [random_case(rng, pick(rng, FAMILIES), size, columns) for size in sizes]
    shape = (frames, columns) if batch is None else (batch, frames, columns)
    scores = random_scores(rng, *shape).to(pick(rng, (torch.float32, torch.float64)))
    lengths = torch.from_numpy(rng.integers(0, frames + 1, batch or 0)) if batch is not None else None
    arguments = {"scores": scores, "graph": shared, "lengths": lengths if chance(rng, 0.5) else None}
    return cases, arguments | {"memory_budget": pick(rng, (None, 0, 1000))}


def try_public(rng: np.random.Generator) -> None:
    """A public call; changes are drawn with a chance that is 0 for some calls."""
    cases, arguments = good_call(rng)
    operation = pick(rng, OPERATIONS)
    share = pick(rng, (0.0, 0.05, 0.2))
    drawn = [with_changes(rng, case.arguments, share) for case in cases]
    others, count = with_changes(rng, arguments | operation.extra, share)
    count += sum(number for _, number in drawn)
    cases = [Case(case.constructor, changed) for case, (changed, _) in zip(cases, drawn, strict=True)]
    try:
        graphs = [case.graph() for case in cases]
        if isinstance(others["graph"], bool):
            others["graph"] = graphs[0] if others["graph"] else graphs
        result = operation.call(**others)
    except REFUSALS:
        if count == 0:
            raise
        return
    if any(graph.num_slices is not None for graph in graphs):
        return  # the reference knows none that vary with time
    given = sequences(others["scores"], [case.arcs() for case in cases], others["lengths"])
    by = others.get("by", operation.extra.get("by"))
    if given is not None and by == operation.extra.get("by"):
        operation.check(result, given)


def try_other(rng: np.random.Generator) -> None:
    """A call whose result is not compared: it returns or is refused, and is accepted where nothing was changed."""
    cases, arguments = good_call(rng)
    del arguments["graph"]
    call, arguments = other_call(rng, [case.graph() for case in cases], arguments)
    arguments, count = with_changes(rng, arguments, pick(rng, (0.0, 0.1, 0.3)))
    if takes_days(arguments):
        return
    try:
        call(**arguments)
    except REFUSALS:
        if count == 0:
            raise


def try_raw(rng: np.random.Generator) -> None:
    """An operation of torch.ops.streamhmm on tensors that nobody has checked; all that counts is that it returns."""
    cases, arguments = good_call(rng)
    name, operands = raw_call(rng, [case.graph() for case in cases], arguments)
    operands, _ = with_changes(rng, operands, pick(rng, (0.1, 0.3)))
    if takes_days(operands):
        return
    with suppress(Exception):
        getattr(torch.ops.streamhmm, name)(*operands.values())


def run_inputs(seed: int, first: int, count: int, progress: int) -> None:
    """Writes each input's number to the file ``progress`` before trying it."""
    for number in range(first, first + count):
        os.pwrite(progress, number.to_bytes(8, "little"), 0)
        if number % 100 == 0:
            faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        rng = np.random.default_rng([seed, number])
        pick(rng, (try_public, try_public, try_raw, try_other))(rng)
    faulthandler.cancel_dump_traceback_later()


def in_child(arguments: argparse.Namespace) -> None:
    faulthandler.enable()
    warnings.simplefilter("ignore")  # torch's, about odd tensors
    torch.set_num_threads(2)
    if "asan" not in os.environ.get("LD_PRELOAD", ""):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    run_inputs(arguments.seed, arguments.first, arguments.inputs, arguments.progress)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Feed the engine with wrong and extreme arguments.")
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--progress", type=int, help=argparse.SUPPRESS)  # in the child: an open file
    arguments = parser.parse_args(words)
    if arguments.progress is not None:
        in_child(arguments)
        return 0
    with tempfile.TemporaryFile() as progress:
        wanted = {name: str(getattr(arguments, name)) for name in ("inputs", "seed", "first")}
        options = [word for name, value in wanted.items() for word in (f"--{name}", value)]
        command = [sys.executable, __file__, *options, "--progress", str(progress.fileno())]
        status = subprocess.run(command, pass_fds=[progress.fileno()], check=False).returncode
        last = int.from_bytes(os.pread(progress.fileno(), 8, 0), "little")
    if status != 0:
        ended = f"ended its process with signal {-status}" if status < 0 else "failed"
        print(
            f"input {last} of seed {arguments.seed} {ended}; again: --seed {arguments.seed} --first {last} --inputs 1"
        )
        return 1
    print(f"{arguments.inputs} inputs of seed {arguments.seed}: each was refused or answered rightly")
    return 0


if __name__ == "__main__":
    sys.exit(main())
