"""Speed and memory of the engine on one thread, beside torchaudio's CTC forced alignment.

    python bench/engine.py [--peer-python DIR/bin/python] [--json FILE]

``bench/peers.sh DIR`` makes the peer's environment; calls of both alternate in one run. bench/README.md tells more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_report import report
from measure import (
    make_console,
    median,
    peak_bytes,
    reset_peak,
    resident_bytes,
    run_child,
    seconds_a_call,
    write_json,
)
from rich.console import Console

import streamhmm as sh
from streamhmm.acoustic.labels import LABELS
from streamhmm.align.topology import build_topology
from streamhmm.text import Lexicon, pronounce, tokenize

CLASSES = 40
WORDS, FRAMES_A_WORD = 300, 30
PASSAGE = """
The harbour was quiet when the first boats came in, and the old woman who sold coffee by the steps had just lit her
stove. She knew every crew by the sound of its engine. On good days they brought mackerel and a few crabs; on bad days
they brought stories, which she liked better, because stories never spoiled before noon. My brother worked on the
largest of the boats for three summers. He said the hardest thing was not the cold, nor the hours, but the waiting:
you throw the nets, you drink something hot, and you look at the water as though it owed you an answer.
"""


@dataclass(frozen=True)
class Problem:
    """Random scores and labels for CTC alignment, and how many calls make one measurement."""

    frames: int
    labels: int
    calls: int

    @property
    def cells(self) -> int:
        return self.frames * (2 * self.labels + 1)


PROBLEMS = (Problem(500, 50, 1000), Problem(3000, 300, 50), Problem(60000, 6000, 1))
TINY = Problem(1, 1, 2000)


class Peer:
    """torchaudio in a process of its own, which answers one request at a time."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("engine_peer.py")
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._read()["torchaudio"]

    def ask(self, **request: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"torchaudio's process ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    if options.memory_child:
        print(json.dumps(_extra_bytes(*options.memory_child)))
        return 0
    console = make_console()
    peer = _open_peer(options.peer_python, console)
    with tempfile.TemporaryDirectory() as folder:
        results = _ctc(Path(folder), peer, options.rounds)
    results["aligner_graph"] = _aligner_graph(options.rounds)
    results["sums"] = _sums(options.rounds)
    if peer:
        peer.close()
    report(console, results)
    write_json(options.json, results)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and memory of the engine on one thread, beside torchaudio.")
    parser.add_argument("--peer-python", metavar="PATH", help="Python of the environment that bench/peers.sh made")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each, of which the median counts")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--memory-child", nargs=2, metavar=("SCORES", "LABELS"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _open_peer(python: str | None, console: Console) -> Peer | None:
    if python is None:
        console.print("[yellow]No --peer-python: compared with figures recorded on another machine.[/]")
        return None
    try:
        return Peer(python)
    except (OSError, RuntimeError) as error:
        console.print(f"[yellow]{error}; compared with figures recorded on another machine.[/]")
        return None


def _ctc(folder: Path, peer: Peer | None, rounds: int) -> dict[str, Any]:
    results: dict[str, Any] = {"peer": f"torchaudio {peer.version}" if peer else None, "classes": CLASSES}
    results["overhead"] = _compare(TINY, folder, peer, rounds)
    results["ctc"] = [_compare(problem, folder, peer, rounds) for problem in PROBLEMS]
    scores, labels = (str(path) for path in _files(PROBLEMS[-1], folder))
    results["extra_bytes"] = run_child(Path(__file__), "--memory-child", scores, labels)
    if peer:
        peer_extra = peer.ask(scores=scores, labels=labels, memory=True)["extra_bytes"]
        results["peer_extra_bytes"] = peer_extra
    return results


def _files(problem: Problem, folder: Path) -> tuple[Path, Path]:
    """The problem on disk, the same for both sides."""
    scores, labels = (folder / f"{problem.frames}-{problem.labels}-{part}.npy" for part in ("scores", "labels"))
    if not scores.exists():
        random = torch.Generator().manual_seed(problem.frames)
        values = torch.randn(problem.frames, CLASSES, generator=random).log_softmax(-1)
        np.save(scores, values.numpy())
        np.save(labels, torch.randint(1, CLASSES, (problem.labels,), generator=random).int().numpy())
    return scores, labels


def _compare(problem: Problem, folder: Path, peer: Peer | None, rounds: int) -> dict[str, Any]:
    """Both sides in turn on one problem: processor time of a call, and the scores of the paths they found."""
    files = _files(problem, folder)
    scores, labels = (torch.from_numpy(np.load(path)) for path in files)
    # One state is the least that a call can have; the peer always adds its blanks.
    graph = sh.Graph.linear([1]) if problem is TINY else sh.Graph.ctc(labels)
    request = {"scores": str(files[0]), "labels": str(files[1]), "calls": problem.calls}
    ours, theirs, peer_score = [], [], None
    score = sh.viterbi(scores, graph).score.item()
    for _ in range(rounds):
        ours.append(seconds_a_call(lambda: sh.viterbi(scores, graph), problem.calls))
        if peer:
            answer = peer.ask(**request)
            theirs.append(answer["seconds"])
            peer_score = answer["score"]
    return {
        "frames": problem.frames,
        "labels": problem.labels,
        "cells": problem.cells,
        "seconds": median(ours),
        "best_seconds": min(ours),
        "peer_seconds": median(theirs) if peer else None,
        "peer_best_seconds": min(theirs, default=None),
        "score": score,
        "peer_score": peer_score,
    }


def _extra_bytes(scores_file: str, labels_file: str) -> int:
    scores, labels = (torch.from_numpy(np.load(path)) for path in (scores_file, labels_file))
    graph = sh.Graph.ctc(labels)
    sh.viterbi(scores[:20], sh.Graph.ctc(labels[:2]))
    reset_peak()
    before = resident_bytes()
    sh.viterbi(scores, graph)
    return peak_bytes() - before


def _aligner_graph(rounds: int) -> dict[str, Any]:
    """The graph that the aligner makes of a text, and CTC of as many states over the same scores."""
    words = (PASSAGE.split() * WORDS)[:WORDS]
    script = pronounce(tokenize(words), Lexicon())
    topology = build_topology(script.words, {label: column for column, label in enumerate(LABELS)})
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(WORDS * FRAMES_A_WORD, CLASSES, generator=random).log_softmax(-1)
    states = topology.graph.num_states
    ctc = sh.Graph.ctc(torch.randint(1, CLASSES, ((states - 1) // 2,), generator=random))
    graphs = {"aligner": topology.graph, "ctc": ctc}
    seconds: dict[str, list[float]] = {name: [] for name in graphs}
    for _ in range(rounds):
        for name, graph in graphs.items():
            seconds[name].append(seconds_a_call(lambda graph=graph: sh.viterbi(scores, graph), 3))
    figures = {name: _graph_figures(graph, len(scores), seconds[name]) for name, graph in graphs.items()}
    return {"words": WORDS, "frames": len(scores), **figures}


def _graph_figures(graph: sh.Graph, frames: int, seconds: list[float]) -> dict[str, Any]:
    ns = 1e9 / (frames * graph.num_states)
    return {
        "states": graph.num_states,
        "arcs": graph.num_arcs,
        "seconds": median(seconds),
        "ns_a_cell": median(seconds) * ns,
        "best_ns_a_cell": min(seconds) * ns,
    }


def _sums(rounds: int) -> dict[str, float]:
    """Posteriors, and the likelihood with its gradient, of the middle problem: seconds a call."""
    problem = PROBLEMS[1]
    random = torch.Generator().manual_seed(1)
    scores = torch.randn(problem.frames, CLASSES, generator=random).log_softmax(-1)
    graph = sh.Graph.ctc(torch.randint(1, CLASSES, (problem.labels,), generator=random))
    leaf = scores.clone().requires_grad_()
    calls = {
        "posteriors by state": lambda: sh.posteriors(scores, graph),
        "posteriors by pdf": lambda: sh.posteriors(scores, graph, by="pdf"),
        "log_likelihood": lambda: sh.log_likelihood(scores, graph),
        "log_likelihood and backward": lambda: torch.autograd.grad(sh.log_likelihood(leaf, graph), leaf),
    }
    return {name: median([seconds_a_call(call, 3) for _ in range(rounds)]) for name, call in calls.items()}


if __name__ == "__main__":
    sys.exit(main())
