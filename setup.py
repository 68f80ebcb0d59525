"""Builds streamhmm._C from csrc/ with ninja: no torch, no CMake. Everything else stands in pyproject.toml.

CUDA kernels are compiled where nvcc is found (on the path or in CUDA_HOME): STREAMHMM_CUDA=0 leaves them out, =1 fails
without nvcc. STREAMHMM_CUDA_ARCHS lists compute capabilities ("80 90"), "release" all that releases have; by default
that of the machine's own card, or the oldest where it has none. Newer cards are served through PTX.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
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
RELEASE_ARCHS = "75 80 86 89 90 100 120"
NVCC_FLAGS = ["-std=c++17", "-O3", "-fmad=false", "-Werror=all-warnings", "-diag-suppress=20012"]
NVCC_FLAGS += ["-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall,-Wextra"]


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
    nvcc = find_nvcc()
    includes = [f"-isystem{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    defines = ["-DSTREAMHMM_CUDA"] if nvcc else []
    compile_flags = shlex.join([*CXX_FLAGS, *defines, *includes, *shlex.split(os.environ.get("CXXFLAGS", ""))])
    link_flags = [*LINK_FLAGS, *shlex.split(os.environ.get("LDFLAGS", ""))]
    link = f"{nvcc} -shared -cudart=static {shlex.join(f'-Xcompiler={flag}' for flag in link_flags)}"
    link = link if nvcc else shlex.join([compiler, *link_flags])
    lines = [
        "rule compile",
        f"  command = {compiler} {compile_flags} $isa -MD -MF $out.d -c $in -o $out",
        "  depfile = $out.d",
        "  deps = gcc",
        "rule link",
        f"  command = {link} $in -o $out",
    ]
    objects = []
    if nvcc:
        lines += ["rule compile_cuda", f"  command = {nvcc} {shlex.join(nvcc_flags())} -MD -MF $out.d -c $in -o $out"]
        lines += ["  depfile = $out.d", "  deps = gcc"]
        for source in cuda_sources(".cu"):
            objects.append(escaped(build / f"cuda.{source.stem}.o"))
            lines.append(f"build {objects[-1]}: compile_cuda {escaped(source)}")
        for source in cuda_sources(".cpp"):
            objects.append(escaped(build / f"cuda.{source.stem}.cpp.o"))
            lines.append(f"build {objects[-1]}: compile {escaped(source)}")
    for source, isa in compilations():
        objects.append(escaped(build / f"{source.stem}{isa and '.' + isa}.o"))
        lines.append(f"build {objects[-1]}: compile {escaped(source)}")
        lines.append(f"  isa = {isa and f'-DSTREAMHMM_TARGET={isa} {ISA_FLAGS[isa]}'}")
    lines.append(f"build {escaped(module)}: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def compilations() -> list[tuple[Path, str]]:
    """Every source file for the CPU and the instruction set to compile it for; "" is the compiler's own.

    ``*_kernel.cpp`` is compiled once for each set, and the module picks one when it runs.
    """
    return [
        (source, isa)
        for source in [*sorted(CSRC.glob("*.cpp")), *sorted(CSRC.glob("cpu/*.cpp"))]
        for isa in (ISA_FLAGS if source.stem.endswith("_kernel") else [""])
    ]


def cuda_sources(suffix: str) -> list[Path]:
    return sorted(CSRC.glob(f"cuda/*{suffix}"))


def find_nvcc() -> Path | None:
    """The CUDA compiler, if it is there and wanted."""
    wanted = os.environ.get("STREAMHMM_CUDA", "")
    if wanted not in ("", "0", "1"):
        sys.exit(f"STREAMHMM_CUDA must be 0 or 1, got {wanted!r}")
    if wanted == "0":
        return None
    home = os.environ.get("CUDA_HOME")
    found = shutil.which("nvcc", path=f"{home}/bin" if home else None)
    if found is None and wanted == "1":
        sys.exit("STREAMHMM_CUDA=1, but nvcc was found neither on the path nor in CUDA_HOME")
    return Path(found) if found else None


def nvcc_flags() -> list[str]:
    """With machine code for each architecture, and PTX of the newest for those to come."""
    archs = (os.environ.get("STREAMHMM_CUDA_ARCHS") or card_arch()).replace("release", RELEASE_ARCHS).split()
    code = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in archs]
    return [*NVCC_FLAGS, *code, f"-gencode=arch=compute_{archs[-1]},code=compute_{archs[-1]}"]


def card_arch() -> str:
    """The compute capability of the machine's first card; of the oldest that is served where there is none."""
    try:
        query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        return answer[0].replace(".", "")
    except (OSError, subprocess.CalledProcessError, IndexError):
        return RELEASE_ARCHS.split()[0]


def escaped(path: Path) -> str:
    """``path`` as ninja reads it."""
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


if __name__ == "__main__":
    setup(ext_modules=[Extension("streamhmm._C", sources=[])], cmdclass={"build_ext": NinjaBuild})
