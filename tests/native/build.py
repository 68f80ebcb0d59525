"""Builds tests/native/replay with the core's own sources, under sanitizers: no Python, no torch in it.

    python tests/native/build.py address|thread FOLDER     leaves FOLDER/replay

"address" is AddressSanitizer with UndefinedBehaviorSanitizer, "thread" is ThreadSanitizer. CXX is heeded.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ninja

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from setup import CXX_FLAGS, ISA_FLAGS, compilations, escaped  # noqa: E402

KERNEL_FLAGS = {  # stack and pointers of inlined vectors take gcc minutes; the heap is what matters
    "address": "--param asan-stack=0 -fno-sanitize=alignment,null,object-size,pointer-overflow,vptr",
    "thread": "",
}
SANITIZERS = {
    "address": "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all",
    "thread": "-fsanitize=thread",
}


def ninja_lines(folder: Path, sanitizer: str) -> Iterator[str]:
    flags = [*CXX_FLAGS, "-O1", "-g1", "-fno-omit-frame-pointer", *SANITIZERS[sanitizer].split()]
    yield "rule compile"
    yield f"  command = {os.environ.get('CXX', 'c++')} {shlex.join(flags)} $isa -MD -MF $out.d -c $in -o $out"
    yield "  depfile = $out.d"
    yield "  deps = gcc"
    yield "rule link"
    yield f"  command = {os.environ.get('CXX', 'c++')} $in {shlex.join(flags)} -pthread -o $out"
    sources = [(source, isa) for source, isa in compilations() if source.name != "bindings.cpp"]
    objects = []
    for source, isa in [*sources, *((source, "") for source in sorted(HERE.glob("*.cpp")))]:
        objects.append(escaped(folder / f"{source.stem}{isa and '.' + isa}.o"))
        yield f"build {objects[-1]}: compile {escaped(source)}"
        yield f"  isa = {isa and f'-DSTREAMHMM_TARGET={isa} {ISA_FLAGS[isa]} {KERNEL_FLAGS[sanitizer]}'}"
    yield f"build {escaped(folder / 'replay')}: link {' '.join(objects)}"


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in SANITIZERS:
        sys.exit(__doc__)
    folder = Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "build.ninja").write_text("\n".join(ninja_lines(folder, sys.argv[1])) + "\n", encoding="utf-8")
    subprocess.run([str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(folder), "--quiet"], check=True)


if __name__ == "__main__":
    main()
