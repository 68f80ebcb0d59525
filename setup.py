"""Builds streamhmm._C from csrc/ with ninja: no torch, no CMake. Everything else stands in pyproject.toml."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CSRC = (Path(__file__).parent / "csrc").resolve()
CXX_FLAGS = ["-std=c++17", "-O3", "-g0", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra"]
CXX_FLAGS += ["-fno-math-errno"]  # nobody reads errno, and a root that sets it is not vectorised
CXX_FLAGS += ["-Wno-maybe-uninitialized"]  # false alarms from gcc 12's own intrinsics headers
LINK_FLAGS = ["-shared", "-pthread", *(["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else [])]
ISA_FLAGS = {"baseline": ""}
if platform.machine().lower() in ("x86_64", "amd64"):
    ISA_FLAGS["avx2"] = "-mavx2 -mfma"
    ISA_FLAGS["avx512"] = "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512"


class NinjaBuild(build_ext):
    """Compiles all of csrc/ in parallel and links one module. CXX, CXXFLAGS and LDFLAGS are heeded."""

    def build_extension(self, ext: Extension) -> None:
        import ninja

        build = Path(self.build_temp).resolve()
        build.mkdir(parents=True, exist_ok=True)
        module = Path(self.get_ext_fullpath(ext.name)).resolve()
        module.parent.mkdir(parents=True, exist_ok=True)
        (build / "build.ninja").write_text(ninja_file(build, module), encoding="utf-8")
        subprocess.run([str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(build)], check=True)


def ninja_file(build: Path, module: Path) -> str:
    """What ninja is to do: object files into ``build``, linked as ``module``."""
    import pybind11

    compiler = os.environ.get("CXX", "c++")
    includes = [f"-isystem{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    compile_flags = shlex.join([*CXX_FLAGS, *includes, *shlex.split(os.environ.get("CXXFLAGS", ""))])
    link_flags = shlex.join([*LINK_FLAGS, *shlex.split(os.environ.get("LDFLAGS", ""))])
    lines = [
        "rule compile",
        f"  command = {compiler} {compile_flags} $isa -MD -MF $out.d -c $in -o $out",
        "  depfile = $out.d",
        "  deps = gcc",
        "rule link",
        f"  command = {compiler} $in {link_flags} -o $out",
    ]
    objects = []
    for source, isa in compilations():
        objects.append(escaped(build / f"{source.stem}{isa and '.' + isa}.o"))
        lines.append(f"build {objects[-1]}: compile {escaped(source)}")
        lines.append(f"  isa = {isa and f'-DSTREAMHMM_TARGET={isa} {ISA_FLAGS[isa]}'}")
    lines.append(f"build {escaped(module)}: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def compilations() -> list[tuple[Path, str]]:
    """Every source file and the instruction set to compile it for; "" is the compiler's own.

    ``*_kernel.cpp`` is compiled once for each set, and the module picks one when it runs.
    """
    return [
        (source, isa)
        for source in sorted(CSRC.rglob("*.cpp"))
        for isa in (ISA_FLAGS if source.stem.endswith("_kernel") else [""])
    ]


def escaped(path: Path) -> str:
    """``path`` as ninja reads it."""
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


if __name__ == "__main__":
    setup(ext_modules=[Extension("streamhmm._C", sources=[])], cmdclass={"build_ext": NinjaBuild})
