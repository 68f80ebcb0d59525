"""The kernels for CUDA, run on the CPU under sanitizers: no GPU, no nvcc.

    python tests/native/check_cuda.py [--folder FOLDER]

Builds csrc/cuda for the CPU under AddressSanitizer and UndefinedBehaviorSanitizer, runs the engine's tests with their
operations on it, threads in random order, and the tests of what CUDA does differently. FOLDER keeps the build. The exit
code is that of the first command that fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from build_host import MODULE
from check import run

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
CPU_ONLY = "not in_parts and not wrong_calls and not torch_sees and not bad_frame"  # errors raised, memory taken
SHARED = ("viterbi", "dense", "memory_budget", "log_likelihood", "posteriors", "gradients", "expected_counts")
SHARED += ("ctc_loss", "constraints", "sample", "filter_smooth", "online")
SEGMENTS = ("semi_markov", "semi_markov_gradients", "dtw")
# What is left out of the tests here, as fibers take their time: all of it runs on a GPU.
SLOW = ("any_size", "many_arcs", "same_path", "hour", "long", "small_graphs", "large_graph", "words_passed", "1000")
SLOW_SEGMENTS = ("any_size", "small_problems", "same_path", "hour", "many_arcs", "long", "the_recursion", "budget")
SLOW_SEGMENTS += ("cheaper", "double", "open_end", "instruction_set", "their_costs", "half", "between_all")
SLOW_SEGMENTS += ("neighbouring",)


def preloaded() -> str:
    """The sanitizer's library, and that of C++, without which it meets exceptions that it knows nothing of."""
    compiler = os.environ.get("CXX", "c++")
    asked = ([compiler, f"-print-file-name={name}"] for name in ("libasan.so", "libstdc++.so"))
    return " ".join(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() for words in asked)


def check(folder: Path) -> None:
    run(sys.executable, HERE / "build_host.py", folder, "--sanitize")
    module = str(folder / MODULE)
    sanitized = {
        "LD_PRELOAD": preloaded(),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "STREAMHMM_CUDA_ON_HOST": module,
        "PYTEST_ADDOPTS": "-q -p no:cacheprovider",
    }
    for names, slow in ((SHARED, SLOW), (SEGMENTS, SLOW_SEGMENTS)):
        files = [f"tests/test_{name}.py" for name in names]
        chosen = " and ".join([CPU_ONLY, *(f"not {name}" for name in slow)])
        run(sys.executable, HERE / "on_cuda.py", module, "--order", "random", "-k", chosen, *files, **sanitized)
    run(sys.executable, "-m", "pytest", *sorted(TESTS.glob("test_cuda_*.py")), **sanitized)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the CUDA kernels on the CPU under sanitizers.")
    parser.add_argument("--folder", type=Path, help="keeps the build; by default nothing is kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        check((arguments.folder or Path(scratch)).resolve())


if __name__ == "__main__":
    main()
