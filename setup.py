"""Builds streamhmm._C from csrc/ with ninja: no torch, no CMake. Metadata stand in pyproject.toml."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
CXX_FLAGS = "-std=c++17 -O3 -g0 -fPIC -fvisibility=hidden -ffp-contract=off -Wall -Wextra".split()
CXX_FLAGS += ["-Wno-maybe-uninitialized"]  # false alarms from gcc 12's own intrinsics headers
ISA_FLAGS = {"baseline": ""}
if platform.machine().lower() in ("x86_64", "amd64"):
    ISA_FLAGS["avx2"] = "-mavx2 -mfma"
    ISA_FLAGS["avx512"] = "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512"


class NinjaBuild(build_ext):
    """Compiles every source in parallel, each ``*_kernel.cpp`` once per instruction set, and links one module."""

    def build_extension(self, ext: Extension) -> None:
        import ninja

        build = Path(self.build_temp).resolve()
        build.mkdir(parents=True, exist_ok=True)
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        (build / "build.ninja").write_text(ninja_file(build, target))
        subprocess.run([str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(build)], check=True)


def ninja_file(build: Path, target: Path) -> str:
    import pybind11
    import sysconfig

    compiler = os.environ.get("CXX", "c++")
    includes = [pybind11.get_include(), sysconfig.get_path("include")]
    flags = [*CXX_FLAGS, *(f"-isystem{path}" for path in includes), *shlex.split(os.environ.get("CXXFLAGS", ""))]
    link = ["-shared", "-pthread", *shlex.split(os.environ.get("LDFLAGS", ""))]
    if sys.platform == "darwin":
        link += ["-undefined", "dynamic_lookup"]
    lines = [
        f"rule compile\n  command = {compiler} {shlex.join(flags)} $isa -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc",
        f"rule link\n  command = {compiler} $in {shlex.join(link)} -o $out",
    ]
    objects = []
    for source, isa in compilations():
        name = build / f"{source.stem}{'.' + isa if isa else ''}.o"
        isa_flags = f"-DSTREAMHMM_TARGET={isa} {ISA_FLAGS[isa]}" if isa else ""
        lines.append(f"build {ninja_path(name)}: compile {ninja_path(source)}\n  isa = {isa_flags}")
        objects.append(ninja_path(name))
    lines.append(f"build {ninja_path(target)}: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def compilations() -> list[tuple[Path, str]]:
    """Every source with the instruction set to compile it for, "" for the compiler's own."""
    pairs = []
    for source in sorted((ROOT / "csrc").resolve().rglob("*.cpp")):
        isas = list(ISA_FLAGS) if source.stem.endswith("_kernel") else [""]
        pairs += [(source, isa) for isa in isas]
    return pairs


def ninja_path(path: Path) -> str:
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


setup(ext_modules=[Extension("streamhmm._C", sources=[])], cmdclass={"build_ext": NinjaBuild})
