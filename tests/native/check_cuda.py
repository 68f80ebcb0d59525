"""The kernels for CUDA, run on the CPU under sanitizers: no GPU, no nvcc.

    python tests/native/check_cuda.py [--all] [--folder FOLDER]

Builds csrc/cuda for the CPU under AddressSanitizer and UndefinedBehaviorSanitizer, runs the tests of what CUDA does
differently, and some of the engine's tests with their operations on it, threads in random order; with ``--all`` all of
those that fibers can do in minutes. FOLDER keeps the build. The exit code is 1 if any fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT

from build_host import MODULE
from check import run

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
# Errors that are raised, memory that is taken, a tolerance that is the CPU's own.
CPU_ONLY = "not in_parts and not wrong_calls and not torch_sees and not bad_frame and not all_but_vanishes"
ALWAYS = ("viterbi", "posteriors", "gradients", "expected_counts", "ctc_loss")
SHARED = (*ALWAYS, "log_likelihood", "constraints", "dense", "memory_budget", "sample", "filter_smooth", "online")
SEGMENTS = ("semi_markov", "semi_markov_gradients", "dtw")
# What is left out of the tests here, as fibers take their time: all of it runs on a GPU.
SLOW = ("any_size", "many_arcs", "same_path", "hour", "long", "small_graphs", "large_graph", "words_passed", "1000")
SLOW_SEGMENTS = ("any_size", "small_problems", "same_path", "hour", "many_arcs", "long", "the_recursion", "budget")
SLOW_SEGMENTS += ("cheaper", "double", "open_end", "instruction_set", "their_costs", "half", "between_all")
SLOW_SEGMENTS += ("neighbouring",)
OPTIONS = ("-q", "-p", "no:cacheprovider", "--capture=sys")  # what a sanitizer says is not captured


def preloaded() -> str:
    """The sanitizer's library, and that of C++, without which it meets exceptions that it knows nothing of."""
    compiler = os.environ.get("CXX", "c++")
    asked = ([compiler, f"-print-file-name={name}"] for name in ("libasan.so", "libstdc++.so"))
    return " ".join(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() for words in asked)


def engine_tests(module: Path, names: Sequence[str], slow: Sequence[str]) -> list[str]:
    """The command that runs them with their operations on the module."""
    files = [f"tests/test_{name}.py" for name in names]
    chosen = " and ".join([CPU_ONLY, *(f"not {name}" for name in slow)])
    return [sys.executable, f"{HERE}/on_cuda.py", str(module), "--order", "random", *OPTIONS, "-k", chosen, *files]


def check(folder: Path, everything: bool) -> bool:
    """Whether all is well."""
    run(sys.executable, HERE / "build_host.py", folder, "--sanitize")
    module = folder / MODULE
    sanitized = {"LD_PRELOAD": preloaded(), "ASAN_OPTIONS": "detect_leaks=0"}  # those are Python's own
    sanitized["STREAMHMM_CUDA_ON_HOST"] = str(module)
    own = [sys.executable, "-m", "pytest", *OPTIONS, *map(str, sorted(TESTS.glob("test_cuda_*.py")))]
    commands = [own, engine_tests(module, SHARED if everything else ALWAYS, SLOW)]
    if everything:
        commands.append(engine_tests(module, SEGMENTS, SLOW_SEGMENTS))

    def passes(command: list[str]) -> bool:
        done = subprocess.run(
            command, cwd=TESTS.parent, env=os.environ | sanitized, text=True, stdout=PIPE, stderr=STDOUT, check=False
        )
        print("+", *command, f"\n{done.stdout}", flush=True)
        return done.returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as side_by_side:
        return all(list(side_by_side.map(passes, commands)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the CUDA kernels on the CPU under sanitizers.")
    parser.add_argument("--folder", type=Path, help="keeps the build; by default nothing is kept")
    parser.add_argument("--all", action="store_true", help="more of the engine's tests, which takes minutes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(0 if check((arguments.folder or Path(scratch)).resolve(), arguments.all) else 1)


if __name__ == "__main__":
    main()
