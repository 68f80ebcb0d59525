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
SHARED = ("viterbi", "dense", "memory_budget", "log_likelihood", "posteriors", "gradients", "expected_counts")
SHARED += ("ctc_loss", "constraints", "sample", "filter_smooth", "online")
QUICK = "not any_size and not many_arcs and not same_path and not hour and not long and not small_graphs"
QUICK += " and not large_graph and not words_passed and not 1000"  # fibers take their time
CPU_ONLY = "not in_parts and not wrong_calls"  # errors that are raised, memory that is taken
SEGMENTS = ("semi_markov", "semi_markov_gradients", "dtw")
QUICK_SEGMENTS = "not any_size and not small_problems and not same_path and not hour and not many_arcs and not long"
QUICK_SEGMENTS += " and not the_recursion and not budget and not cheaper and not double and not open_end"
QUICK_SEGMENTS += " and not instruction_set and not their_costs and not half and not between_all and not neighbouring"
SEGMENTS_CPU_ONLY = "not torch_sees and not bad_frame"


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
    shared = [f"tests/test_{name}.py" for name in SHARED]
    chosen = f"{QUICK} and {CPU_ONLY}"
    run(sys.executable, HERE / "on_cuda.py", module, "--order", "random", "-k", chosen, *shared, **sanitized)
    shared = [f"tests/test_{name}.py" for name in SEGMENTS]
    chosen = f"{QUICK_SEGMENTS} and {SEGMENTS_CPU_ONLY}"
    run(sys.executable, HERE / "on_cuda.py", module, "--order", "random", "-k", chosen, *shared, **sanitized)
    run(sys.executable, "-m", "pytest", *sorted(TESTS.glob("test_cuda_*.py")), **sanitized)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the CUDA kernels on the CPU under sanitizers.")
    parser.add_argument("--folder", type=Path, help="keeps the build; by default nothing is kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        check((arguments.folder or Path(scratch)).resolve())


if __name__ == "__main__":
    main()
