"""Builds csrc/cuda for the CPU, as a Python module for the tests: no nvcc, no GPU.

    python tests/native/build_host.py FOLDER [--sanitize]      leaves FOLDER/cuda_on_host.so

With ``--sanitize`` under AddressSanitizer and UndefinedBehaviorSanitizer; then Python has to be started with
LD_PRELOAD=$(c++ -print-file-name=libasan.so). CXX is heeded.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import ninja
import pybind11

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from setup import CSRC, CXX_FLAGS, LINK_FLAGS, cuda_sources, escaped  # noqa: E402

SANITIZE = "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer -g1"
MODULE = "cuda_on_host.so"


def sources() -> list[Path]:
    host = [*sorted(CSRC.glob("cuda/host/*.cpp")), *sorted((HERE / "host").glob("*.cpp"))]
    return [*cuda_sources(".cu"), *cuda_sources(".cpp"), CSRC / "graph.cpp", *host]


def ninja_lines(folder: Path, sanitize: bool) -> Iterator[str]:
    compiler = os.environ.get("CXX", "c++")
    includes = [f"-isystem{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    flags = [*CXX_FLAGS, "-O1", "-Wno-unknown-pragmas", *includes, *shlex.split(SANITIZE if sanitize else "")]
    yield "rule compile"
    yield f"  command = {compiler} {shlex.join(flags)} -MD -MF $out.d -x c++ -c $in -o $out"
    yield "  depfile = $out.d"
    yield "  deps = gcc"
    yield "rule link"
    yield f"  command = {compiler} $in {shlex.join(flags)} {shlex.join(LINK_FLAGS)} -o $out"
    objects = []
    for source in sources():
        objects.append(escaped(folder / f"{source.stem}{source.suffix}.o"))
        yield f"build {objects[-1]}: compile {escaped(source)}"
    yield f"build {escaped(folder / MODULE)}: link {' '.join(objects)}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the CUDA kernels for the CPU.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sanitize", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lines = ninja_lines(folder, arguments.sanitize)
    (folder / "build.ninja").write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run([str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(folder), "--quiet"], check=True)


if __name__ == "__main__":
    main()
