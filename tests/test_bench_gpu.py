"""The GPU's bench: its limits, its table, the loops that measure the card, the script; and all of it at small sizes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from on_cuda import HOST, NO_DEVICE, needs_device, needs_host, on_cuda

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import gpu
import gpu_backends
import gpu_case
import gpu_ctc
import gpu_dense
import gpu_device
import gpu_online
import gpu_others
import gpu_report
import gpu_small
import gpu_stages
import measure
from gpu_case import Latency, Peer, Row, Work
from gpu_device import Device, Rates
from test_network import random_checkpoint

from streamhmm.acoustic.checkpoint import save_checkpoint
from streamhmm.measure import scenarios

BENCH = Path(gpu.__file__).parent
RATES = Rates(bytes_a_second=1e9, add_max_a_second=1e6, multiply_add_a_second=2e6, step_s=1e-3, block_step_s=2e-3)
CPU = Device("cpu")


def constant(monkeypatch: pytest.MonkeyPatch, seconds: dict[Any, float]) -> None:
    """Calls take so long."""
    monkeypatch.setattr(gpu_case, "Stopwatch", lambda device, call: lambda: seconds[call])


def test_limits_are_the_work_over_the_measured_rates() -> None:
    assert Work().limits(RATES) == {}
    assert Work(bytes=5e8, add_max=3e6, multiply_add=1e6, steps=200).limits(RATES) == {
        "500 MB": 0.5,
        "3 M add-max": 3.0,
        "1 M multiply-add": 0.5,
        "200 steps": 0.2,
    }


def test_work_is_what_nothing_can_do_without() -> None:
    dense = gpu_dense.Dense(2, 10, 3)
    assert gpu_dense.viterbi_work(dense, 2) == Work(bytes=2 * 10 * (3 * 2 + 8), add_max=2 * 9 * 9, steps=9)
    assert gpu_dense.posteriors_work(dense) == Work(bytes=2 * 10 * 3 * 8, multiply_add=2 * 2 * 9 * 9)
    assert gpu_others.segments_work(dense, 5, True) == Work(bytes=240, add_max=2 * 10 * (15 + 9), steps=9)
    ctc = gpu_ctc.Ctc(2, 10, 3)
    assert gpu_ctc.alignment_work(ctc, 4) == Work(bytes=2 * 10 * 40 * 4, steps=9)
    assert gpu_ctc.training_work(ctc) == Work(bytes=2 * 10 * 40 * 8, steps=9)
    assert gpu_others.warping_work(2, 10, 3) == Work(bytes=480, add_max=300, multiply_add=600, steps=19)


def test_a_row_is_held_against_the_longest_limit_and_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    def ours() -> None: ...
    def slow() -> None: ...
    def wrong() -> None: ...

    constant(monkeypatch, {ours: 1.0, slow: 30.0, wrong: 50.0})
    peers = [
        Peer("slow", slow, 31.0, lambda: [1.0, 2.0], 1e-3),
        Peer("wrong", wrong, 31.0, lambda: [1.0, 4.0], 1e-3),
        Peer("unheld", slow),
    ]
    row = Row(ours, Work(bytes=2e8, steps=500), 0.6, peers, value=lambda: [1.0, 2.0])
    measured = gpu_case.measure(row, CPU, RATES, 3)
    assert measured["seconds"] == 1.0
    assert [(each["with"], each["ratio"], each["bar"], each.get("met")) for each in measured["compared"]] == [
        ("limit: 200 MB", 0.2, None, None),
        ("limit: 500 steps", 0.5, 0.6, False),
        ("slow", 30.0, 31.0, False),
        ("wrong", 50.0, 31.0, False),
        ("unheld", 30.0, None, None),
    ]
    assert [each.get("difference") for each in measured["compared"]] == [None, None, 0.0, 0.5, None]
    met = gpu_case.measure(Row(ours, Work(steps=500), 0.5, [Peer("slow", slow, 30.0)]), CPU, RATES, 1)
    assert [each["met"] for each in met["compared"]] == [True, True]


def test_latencies_are_percentiles_of_single_steps() -> None:
    seconds = iter([*[9.0] * 20, *(k / 100 for k in range(101))])
    row = Latency(lambda: next(seconds), 101, most_s=0.98)
    measured = gpu_case.measure(row, CPU, RATES, 1)
    assert measured == {"seconds": 0.5, "p99_s": pytest.approx(0.99), "most_s": 0.98, "met": False}


def test_a_row_that_fails_says_why_and_the_others_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Row:
        raise NotImplementedError("no kernel")

    assert gpu_case.attempt(broken, CPU, RATES, 1) == {"failed": "NotImplementedError: no kernel"}
    assert "Traceback" in capsys.readouterr().err


def results() -> dict[str, Any]:
    """Made up."""
    limit = {"with": "limit: 2 steps", "is_limit": True, "seconds": 1e-3, "ratio": 0.25, "bar": 1 / 3, "met": False}
    rival = {"with": "peer", "is_limit": False, "seconds": 0.2, "ratio": 50.0, "bar": 30.0, "met": True}
    rival |= {"difference": 1e-6, "tolerance": 1e-5}
    rows = [
        {"name": "work", "seconds": 4e-3, "compared": [limit, rival], "replayed_seconds": 3e-3},
        {"name": "live", "seconds": 4e-4, "p99_s": 2e-3, "most_s": 1e-3, "met": False},
        {"name": "torn", "failed": "RuntimeError: CUDA: out of memory"},
        {"name": "bare", "seconds": 1.0, "compared": [], "not_replayed": "it waits"},
    ]
    rates = {"bytes_a_second": 2e12, "add_max_a_second": 3e12, "multiply_add_a_second": 5e12}
    rates |= {"step_s": 2e-8, "block_step_s": 4e-8}
    return {"device": "a card", "torch": "2.0", "rates": rates, "rows": rows}


def test_the_report_shows_every_bar(tmp_path: Path) -> None:
    assert gpu_report.table(results()["rows"]).rows == [
        (["work", "4.00", "limit: 2 steps", "1.00", "25%", "≥ 33%", ""], False),
        (["", "", "peer", "200", "50", "≥ 30", "1.0e-06"], True),
        (["", "", "as a CUDA graph", "3.00", "", "", ""], None),
        (["live", "0.400", "99th percentile", "2.00", "", "≤ 1.00 ms", ""], False),
        (["torn", "", "failed: RuntimeError: CUDA: out of memory", "", "", "", ""], False),
        (["bare", "1,000", "no CUDA graph: it waits", "", "", "", ""], None),
    ]
    gpu_report.write_markdown(tmp_path / "results" / "card.md", results())
    text = (tmp_path / "results" / "card.md").read_text()
    assert "| work | 4.00 | limit: 2 steps | 1.00 | 25% | ≥ 33% |  | **missed** |" in text
    assert "copy 2.00 TB/s read and written, 3.00 T add-max/s, 5.00 T multiply-add/s" in text
    assert "a dependent step 20.0 ns in a warp and 40.0 ns in a block" in text
    console = measure.make_console()
    with console.capture() as capture:
        gpu_report.print_report(console, results())
    assert "missed" in capture.get()


@pytest.mark.parametrize(("card", "name"), [("NVIDIA H200", "h200.md"), ("NVIDIA H100 80GB HBM3", "h100.md")])
def test_the_report_is_named_after_the_card(card: str, name: str) -> None:
    assert gpu.results_name(card) == name


# ---- on the device


def expected_of_loops(steps: int) -> dict[str, np.ndarray]:
    """What the loops of csrc/cuda/rates.cu compute in their threads."""
    add_max = multiply_add = -0.5 * np.arange(16.0)
    multiply_add = 0.5 * np.arange(16.0)
    lanes, block = -0.5 * np.arange(32.0), -0.5 * np.arange(256.0)
    for _ in range(steps):
        add_max = np.maximum(add_max - 0.5, -1.0)
        multiply_add = multiply_add * 0.5 + 1.0
        lanes, block = (np.maximum(a - 0.5, np.append(a[:1], a[:-1]) - 1.0) - 0.5 for a in (lanes, block))
    return {
        "ADD_MAX": add_max.sum(keepdims=True),
        "MULTIPLY_ADD": multiply_add.sum(keepdims=True),
        "LANE_CHAIN": lanes,
        "BLOCK_CHAIN": block,
    }


@needs_device
@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 2, 9])
@pytest.mark.parametrize("kind", ["ADD_MAX", "MULTIPLY_ADD", "LANE_CHAIN", "BLOCK_CHAIN"])
def test_loops_compute_what_they_count(kind: str, steps: int, is_double: bool) -> None:
    device = CPU if HOST is not None else Device()
    with on_cuda():
        core = gpu_device.library_cuda.core()
        arguments = (getattr(core.Loop, kind), is_double, steps, device.index, device.stream)
        found = torch.empty(core.run_loop(*arguments, 0) // 8, dtype=torch.float64, device=device.torch)
        count = core.run_loop(*arguments, found.data_ptr())
    chain = kind.endswith("CHAIN")
    assert count == (steps if chain else steps * 16 * len(found))
    expected = expected_of_loops(steps)[kind]
    threads = found.cpu().numpy()
    np.testing.assert_array_equal(threads[: len(expected)] if chain else threads, expected if chain else expected[0])


@needs_host
def test_every_row_at_small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_device, "SHORTEST_S", 1e-9)
    ctc, dense = gpu_ctc.Ctc(2, 9, 3), gpu_dense.Dense(2, 6, 4)
    monkeypatch.setattr(gpu_ctc, "ALIGNMENTS", (gpu_ctc.Ctc(1, 9, 3),))
    monkeypatch.setattr(gpu_ctc, "MANY", ctc)
    monkeypatch.setattr(gpu_ctc, "TRAINING", ctc)
    monkeypatch.setattr(gpu_dense, "LOOPED", (dense,))
    monkeypatch.setattr(gpu_dense, "WIDE", gpu_dense.Dense(2, 6, 70))
    monkeypatch.setattr(gpu_dense, "SUMMED", dense)
    monkeypatch.setattr(gpu_online, "STREAMS", (2,))
    monkeypatch.setattr(gpu_online, "STEPS", 3)
    monkeypatch.setattr(gpu_others, "SEGMENTS", dense)
    monkeypatch.setattr(gpu_others, "DURATIONS", 3)
    monkeypatch.setattr(gpu_others, "WARPED", (2, 5, 3))
    monkeypatch.setattr(gpu, "measure_rates", lambda device, rounds: gpu_device.measure_rates(device, 1, 4096, 10))
    saved: list[int] = []
    with on_cuda():
        wanted = gpu.rows(CPU)
        measured = gpu.run(CPU, wanted, 1, float("inf"), lambda so_far: saved.append(len(so_far["rows"])))
        late = gpu.run(CPU, wanted, 1, 0.0, lambda _: None)
    assert saved == list(range(1, len(wanted) + 1))
    assert [row["name"] for row in measured["rows"]] == list(wanted)
    assert [row["failed"] for row in measured["rows"] if "failed" in row] == []
    compared = [each for row in measured["rows"] for each in row.get("compared", []) if "difference" in each]
    assert len(compared) >= 5
    assert all(each["difference"] <= each["tolerance"] for each in compared)
    assert {row["failed"] for row in late["rows"]} == {gpu.NO_TIME}
    assert min(value for value in measured["rates"].values()) > 0.0
    json.dumps(measured)
    gpu_report.print_report(measure.make_console(), measured)


@needs_host
def test_what_the_sanitizers_see_is_every_operation() -> None:
    from collections import Counter

    from streamhmm import library_cuda

    called: Counter[str] = Counter()
    with on_cuda(called):
        assert gpu_small.run(torch.device("cpu")) == []
    assert set(called) >= {"viterbi", "log_likelihood", "posteriors", "gradients", "expected_counts"}
    assert set(called) <= set(library_cuda.OPERATIONS)


def test_an_operation_without_kernels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NotImplementedError

    monkeypatch.setattr(gpu_small, "calls", lambda device: [("dtw", missing), ("viterbi", lambda: None)])
    assert gpu_small.run(torch.device("cpu")) == ["dtw"]


def test_the_loss_that_torch_chose_is_known() -> None:
    scores = torch.zeros(4, 1, 3)
    names = gpu_ctc.operation_of(lambda: torch.nn.functional.ctc_loss(scores, torch.tensor([[1]]), [4], [1]))
    assert names == "_ctc_loss"


def test_the_loop_in_torch_finds_the_best_path() -> None:
    problem = gpu_dense.Dense(3, 7, 4)
    scores, transitions = problem.scores(CPU), problem.transitions(CPU)
    states, score = gpu_dense.torch_viterbi(scores, transitions)
    expected = gpu_dense.sh.viterbi(scores, gpu_dense.sh.Graph.dense(transitions))
    assert torch.equal(states, expected.states)
    torch.testing.assert_close(score.double(), expected.score)


# ---- the network's runtimes


def test_backends_are_measured_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU in place of a GPU: what it lacks is told, and the others are measured."""
    save_checkpoint(random_checkpoint(), tmp_path / "small.safetensors")
    monkeypatch.setattr(gpu_backends, "COMPILED", ("abacus",))
    monkeypatch.setattr(scenarios, "STREAM_S", 0.5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = gpu_backends.measured("cpu", 2, str(tmp_path / "small.safetensors"), (1, 2))
    torch.set_num_threads(threads)
    assert found.subjects[0].name == "torch fp32"
    assert {"torch tf32", "torch fp16", "abacus fp32"} <= {each.name for each in found.missing}
    assert (found.failures, found.has_text) == ([], True)
    assert re.fullmatch(
        r"\S+ hours of audio a second: torch \w+, corpus, batch of [12]", gpu_backends.throughput(found.results)
    )
    assert gpu_backends.throughput([]) == "no batch of recordings was measured"


# ---- bench/gpu.sh

PYTHON_STUB = """#!/bin/sh
case "$*" in
  -c*torchaudio*) exit 1 ;;
  -c*check_cuda*) printf 'not slow\\nviterbi\\nposteriors\\n' ;;
  -c*) echo present ;;
  *gpu_stages.py*) exec {python} "$@" ;;
  *gpu_backends.py*) echo '{{"throughput": "0.5 hours of audio a second"}}' > "$3"; exit 0 ;;
  *gpu.py*) echo '{{}}' > "$3" && cp {figures} "$3" 2> /dev/null; echo bench; exit 0 ;;
  *setup.py*) echo "built with CUDA=$STREAMHMM_CUDA"; exit 0 ;;
  *{broken}*) echo boom; exit 7 ;;
esac
"""


def script(tmp_path: Path, *arguments: str, broken: str = "nothing") -> tuple[int, str, Path]:
    """bench/gpu.sh with another Python and another compute-sanitizer, which do nothing; its exit code and output."""
    tools, outdir, figures = tmp_path / "tools", tmp_path / "out", tmp_path / "figures.json"
    tools.mkdir()
    figures.write_text(json.dumps(results()))
    stub = PYTHON_STUB.format(python=sys.executable, figures=figures, broken=broken)
    for name, text in (("python", stub), ("compute-sanitizer", '#!/bin/sh\necho "looked: $*"\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHON": str(tools / "python")}
    command = ["bash", str(BENCH / "gpu.sh"), *(arguments or (str(outdir),))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr, outdir


def test_the_script_is_bash() -> None:
    assert subprocess.run(["bash", "-n", str(BENCH / "gpu.sh")]).returncode == 0


def test_the_script_runs_every_stage(tmp_path: Path) -> None:
    status, said, outdir = script(tmp_path)
    assert status == 0, said
    assert sorted(file.name for file in outdir.iterdir()) == ["gpu.json", "gpu.log"]
    written = json.loads((outdir / "gpu.json").read_text())
    stages = {stage["name"]: stage["result"] for stage in written["stages"]}
    assert {"build", "test_viterbi", "test_cuda_device", "memcheck", "racecheck", "backends", "bench"} <= set(stages)
    assert set(stages.values()) == {"passed"}
    assert written["rows"] == results()["rows"]
    assert written["backends"] == {"throughput": "0.5 hours of audio a second"}
    assert "Backends: 0.5 hours of audio a second" in said
    assert "torchaudio missing" in said
    assert "99th percentile" in said
    log = (outdir / "gpu.log").read_text()
    assert "built with CUDA=1" in log
    assert "looked: --tool racecheck" in log


def test_a_stage_that_fails_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    status, said, outdir = script(tmp_path, broken="test_posteriors")
    assert status == 1
    written = json.loads((outdir / "gpu.json").read_text())
    stages = {stage["name"]: stage["result"] for stage in written["stages"]}
    assert stages.pop("test_posteriors") == "failed, exit code 7"
    assert set(stages.values()) == {"passed"}
    assert "boom" in said
    assert "1 of the stages did not pass" in said


def test_one_stage_alone_and_wrong_ones(tmp_path: Path) -> None:
    status, _, outdir = script(tmp_path, str(tmp_path / "out"), "build")
    assert status == 0
    assert [stage["name"] for stage in json.loads((outdir / "gpu.json").read_text())["stages"]] == ["build"]
    bash = ["bash", str(BENCH / "gpu.sh")]
    assert subprocess.run([*bash, str(outdir), "tset"], capture_output=True).returncode == 2
    assert subprocess.run(bash, capture_output=True).returncode == 2


def test_stages_without_figures(tmp_path: Path) -> None:
    stages = tmp_path / "stages.tsv"
    stages.write_text("build\tfailed, exit code 1\t12\n")
    expected = {"stages": [{"name": "build", "result": "failed, exit code 1", "seconds": 12}]}
    assert gpu_stages.merged(stages, tmp_path / "bench.json", tmp_path / "backends.json") == expected
    assert gpu_stages.table(expected["stages"]).rows == [(["build", "12", "failed, exit code 1"], None)]


@pytest.mark.parametrize("name", ["gpu.py", "gpu_backends.py"])
def test_without_a_gpu_the_bench_says_so(name: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert "no GPU" in NO_DEVICE
    done = subprocess.run([sys.executable, str(BENCH / name)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "there is no GPU here\n")
