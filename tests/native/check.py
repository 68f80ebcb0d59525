"""The engine's tests on every instruction set but the best, and their calls again under sanitizers.

    python tests/native/check.py [--mutations N] [--seed S] [--folder FOLDER]

Builds tests/native/replay twice, records what the tests ask of the compiled core, and replays it under
AddressSanitizer and UndefinedBehaviorSanitizer, from several threads under ThreadSanitizer, and N times with numbers
changed at random; streams go through OnlineViterbi, too. FOLDER keeps the builds and the recording. The exit code is
that of the first command that fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from streamhmm import _C

HERE = Path(__file__).resolve().parent
TESTS = ("viterbi", "log_likelihood", "posteriors", "memory_budget", "engine_errors", "raw_operations")
QUICK = "not any_size and not beam and not many_arcs and not same_path and not hour and not small_graphs"
FILLED = "max_malloc_fill_size=1073741824:malloc_fill_byte=149"  # what is read before it is written shows every time
STREAMED = ("online",)  # which keeps state: streams take the place of recorded calls
STREAMS = 300
RECORDED_TOO = ("constraints", "sample", "semi_markov", "dtw", "strips", "diagonal")


def run(*words: object, **environment: str) -> None:
    command = [str(word) for word in words]
    print("+", *(f"{name}={value}" for name, value in environment.items()), *command, flush=True)
    status = subprocess.run(command, env=os.environ | environment, cwd=HERE.parents[1], check=False).returncode
    if status != 0:
        print(f"failed with {'signal' if status < 0 else 'exit code'} {abs(status)}: {' '.join(command)}")
        sys.exit(max(status, 1))


def check(folder: Path, mutations: int, seed: int) -> None:
    tests, more, streamed = ([f"tests/test_{name}.py" for name in names] for names in (TESTS, RECORDED_TOO, STREAMED))
    calls = folder / "calls"
    for sanitizer in ("address", "thread"):
        run(sys.executable, HERE / "build.py", sanitizer, folder / sanitizer)
    for isa in _C.available_isas()[1:-1]:
        run(sys.executable, "-m", "pytest", "-k", QUICK, *tests, *streamed, STREAMHMM_ISA=isa)
    run(sys.executable, HERE / "record.py", calls, "-k", QUICK, *tests, *more, STREAMHMM_ISA="baseline")
    run(folder / "address" / "replay", calls, ASAN_OPTIONS=FILLED)
    run(folder / "address" / "replay", calls, "--mutations", mutations, seed, ASAN_OPTIONS=FILLED)
    run(folder / "address" / "replay", "--streams", STREAMS, seed, ASAN_OPTIONS=FILLED)
    run(folder / "thread" / "replay", calls, "--threads")


def main() -> None:
    parser = argparse.ArgumentParser(description="Replay the engine's tests under sanitizers.")
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keeps builds and recording; by default nothing is kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        check((arguments.folder or Path(scratch)).resolve(), arguments.mutations, arguments.seed)


if __name__ == "__main__":
    main()
