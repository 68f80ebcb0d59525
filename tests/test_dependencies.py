"""Who may import whom (the design's dependency rule), read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "streamhmm"
SOURCES = sorted(PACKAGE.rglob("*.py"))

BASE = {"errors", "segment"}
ENGINE = {"counts", "sampling", "smoothing", "warping", "warping_batch", "warping_checks", "warping_online"}
ONLINE = {"online", "online_answers", "online_checks", "online_cpu", "online_cuda"}
LIBRARIES = {"library", "library_semi_markov", "library_cuda", "library_cuda_dtw", "library_cuda_semi_markov"}
CORE = ENGINE | ONLINE | LIBRARIES | {"_C", "graph", "kept", "memory", "ops", "packing"}
LEAVES = {"acoustic", "audio", "text", "formats"}
COMPOSED = BASE | CORE | LEAVES | {"models", "tensor_alignment"}
MAY_IMPORT = {
    "errors": set(),
    "segment": set(),
    "page": set(),
    "reference": set(),
    "memory": set(),
    "packing": {"graph"},  # for its type
    "kept": set(),
    "graph": {"errors", "kept", "packing"},
    "library": {"_C", "memory"},
    "library_semi_markov": {"_C", "library"},
    "library_sums": {"_C", "library"},
    "library_cuda": {"_C", "errors", "kept", "library", "memory"},
    "library_cuda_semi_markov": {"_C", "library", "library_cuda"},
    "library_cuda_dtw": {"library", "library_cuda", "warping_batch", "warping_checks"},
    "arguments": {"graph", "library", "packing"},
    "ops": {"arguments", "graph", "kept"} | LIBRARIES,
    "counts": {"arguments", "graph", "library", "library_sums"},
    "smoothing": {"arguments", "library_sums"},
    "sampling": {"arguments", "library_sums"},
    "online": {"arguments", "graph", "library", "online_checks", "online_cpu", "online_cuda"},
    "online_checks": {"graph", "library"},
    "online_cpu": {"_C", "arguments", "graph", "library", "online_checks"},
    "online_cuda": {"arguments", "errors", "graph", "library_cuda", "online_answers", "online_checks"},
    "online_answers": set(),
    "warping_checks": {"_C"},
    "warping_batch": {"_C", "warping_checks"},
    "warping": {"_C", "library_cuda_dtw", "memory", "warping_batch", "warping_checks"},
    "warping_online": {"_C", "warping_checks"},
    "tensor_alignment": BASE | CORE,
    "models": BASE | CORE,
    "acoustic": BASE | {"__init__"},  # for its version
    "acoustic/training": BASE | {"graph", "ops"},  # by the engine's likelihood and paths
    "acoustic/compress": BASE | {"__init__", "graph", "ops"},
    "audio": BASE,
    "text": BASE,
    "formats": BASE,
    "metrics": BASE | {"audio", "formats", "warping"},
    "plots": BASE | {"acoustic", "audio", "formats", "measure", "metrics", "models", "page", "text"},
    "align": COMPOSED,
    "corpus": COMPOSED | {"align", "page", "__init__"},
    "measure": COMPOSED | {"align", "corpus", "metrics", "__init__"},
    "cli": COMPOSED | {"align", "corpus", "measure", "metrics", "page", "plots", "__init__"},
    "__init__": COMPOSED | {"align", "corpus", "metrics"},
    "__main__": {"cli"},
}
ONE_FILE_EACH = (
    "onnxruntime",
    "openvino",
    "tensorrt",
    "torchao",
    "sounddevice",
    "transformers",
    "ray",
    "praatio",
    "pysubs2",
    "matplotlib",
    "pyworld",
)


class Imported(NamedTuple):
    """``name`` as an absolute dotted path; ``at_import``: it runs when the module that has it is imported."""

    name: str
    at_import: bool


@cache
def imports_of(source: Path) -> list[Imported]:
    """Every import statement of a file, and every ``import_module`` of a literal name."""
    home = source.relative_to(ROOT).with_suffix("").parts[:-1]
    return list(_imports_below(ast.parse(source.read_text(encoding="utf-8")), home, True))


def _imports_below(node: ast.AST, home: tuple[str, ...], at_import: bool) -> Iterator[Imported]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Imported(alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = ".".join((*home[: len(home) + 1 - child.level], *filter(None, [child.module])))
            base = base if child.level else str(child.module)
            yield from (Imported(f"{base}.{alias.name}", at_import) for alias in child.names)
        elif isinstance(child, ast.Call) and re.search(r"\b(import_module|__import__)$", ast.unparse(child.func)):
            yield from (Imported(str(name.value), at_import) for name in child.args if isinstance(name, ast.Constant))
        runs_later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for_types_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _imports_below(child, home, at_import and not runs_later and not for_types_only)


def unit_of(source: Path) -> str:
    """The part of the package that a file belongs to: a folder or a module directly below ``streamhmm``."""
    inside = source.relative_to(PACKAGE).with_suffix("")
    nested = ("acoustic/training", "acoustic/compress")
    return next((unit for unit in nested if inside.is_relative_to(unit)), inside.parts[0])


def units_imported(source: Path) -> set[str]:
    """The parts that a file imports; ``__init__`` for what it takes from the package itself (``import streamhmm``)."""
    names = [imported.name.split(".") for imported in imports_of(source)]
    named = {(name[1] if len(name) > 1 else "__init__") for name in names if name[0] == "streamhmm"}
    return {unit if unit in MAY_IMPORT or unit == "_C" else "__init__" for unit in named}


def test_the_reader_of_imports_sees_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    source = tmp_path / "streamhmm" / "align" / "some.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\n"
        "if TYPE_CHECKING:\n    import h\ndef late():\n    import i\n    importlib.import_module('j')\n"
    )
    assert imports_of(source) == [
        ("a.b", True),
        ("c.d", True),
        ("streamhmm.align.e", True),
        ("streamhmm.f.g", True),
        ("h", False),
        ("i", False),
        ("j", False),
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(PACKAGE)))
def test_each_part_imports_only_what_stands_below_it(source: Path) -> None:
    unit = unit_of(source)
    assert unit in MAY_IMPORT, f"{unit} has no place in the dependency rule yet"
    assert units_imported(source) - MAY_IMPORT[unit] - {unit.split("/")[0]} == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(PACKAGE)))
def test_nothing_imports_what_stands_beside_the_package(source: Path) -> None:
    assert {imported.name.split(".")[0] for imported in imports_of(source)}.isdisjoint({"tests", "bench", "examples"})


@pytest.mark.parametrize("runtime", ONE_FILE_EACH)
def test_each_optional_runtime_is_imported_in_one_file_and_late(runtime: str) -> None:
    found = {
        (source.relative_to(ROOT), imported.at_import)
        for source in SOURCES
        for imported in imports_of(source)
        if imported.name.split(".")[0] == runtime
    }
    assert len({source for source, _ in found}) <= 1
    assert not any(at_import for _, at_import in found)


def test_the_compiled_core_knows_nothing_of_torch_and_only_the_bindings_know_python() -> None:
    for source in sorted((ROOT / "csrc").rglob("*.[hc]*")):
        included = re.findall(r'^\s*#\s*include\s*[<"](.+)[>"]', source.read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name in included if re.match(r"(torch|ATen|c10)/", name)], source
        if source.stem != "bindings":
            assert not [name for name in included if re.match(r"pybind11/|Python\.h", name)], source
        other = {"cpu": "cuda", "cuda": "cpu"}.get(source.parent.name)
        assert not [name for name in included if other and f"{other}/" in name], source


def test_importing_says_nothing_and_brings_in_no_optional_runtime() -> None:
    program = f"import sys, streamhmm; sys.exit(', '.join(set(sys.modules) & {set(ONE_FILE_EACH)!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "\n")
