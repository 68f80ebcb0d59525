"""The folder of files that are kept: what is done where it can't be used, or a file in it is damaged."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from permissions import unprivileged
from test_network import random_checkpoint

from streamhmm.acoustic import RuntimeSettings
from streamhmm.acoustic import cache as cache_module
from streamhmm.acoustic.backends import open_backend
from streamhmm.acoustic.cache import cache_folder, is_kept, kept_file, made_anew, writable_folder
from streamhmm.acoustic.exported import load_model, onnx_file, reading
from streamhmm.acoustic.exported.onnx_graph import onnx_name
from streamhmm.acoustic.exported.onnx_header import save_onnx
from streamhmm.acoustic.exported.writing import export_model
from streamhmm.errors import BackendUnavailable, ModelError

CHECKPOINT = random_checkpoint()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache but for the exported network."""
    graph = onnx_file(CHECKPOINT)
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "cache"))
    shutil.copy(graph, cache_folder())
    return cache_folder()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache below a file, and the process's own folder in its place."""
    (tmp_path / "file").write_text("")
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("STREAMHMM_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(cache_module, "_own_folder", lambda: tmp_path / "own")
    return tmp_path / "own"


def write(path: Path) -> None:
    path.write_bytes(b"made")


def full(path: Path) -> None:
    path.write_bytes(b"ma")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_kept_file_is_made_once_and_for_everybody(folder: Path) -> None:
    path = kept_file("a.bin", write)
    assert (path, path.read_bytes(), path.stat().st_mode & 0o777) == (folder / "a.bin", b"made", 0o644)
    assert kept_file("a.bin", full) == path
    assert (is_kept("a.bin"), is_kept("b.bin")) == (True, False)


def test_a_folder_that_cant_be_used_is_replaced(own: Path) -> None:
    assert kept_file("a.bin", write) == own / "a.bin"
    assert kept_file("a.bin", full) == own / "a.bin"
    assert writable_folder() == own
    assert not is_kept("a.bin")


def test_a_folder_without_permission_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with unprivileged() as place:
        (place / "cache").mkdir(mode=0o500)
        (place / "own").mkdir()
        monkeypatch.setenv("STREAMHMM_CACHE", str(place / "cache"))
        monkeypatch.setattr(cache_module, "_own_folder", lambda: place / "own")
        assert kept_file("a.bin", write) == place / "own" / "a.bin"
        assert writable_folder() == place / "own"


def test_a_full_folder_is_left_as_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(path: Path) -> None:
        (full if path.parent == folder else write)(path)

    monkeypatch.setattr(cache_module, "_own_folder", lambda: tmp_path)
    assert kept_file("a.bin", make) == tmp_path / "a.bin"
    assert [path.name for path in folder.iterdir()] == [onnx_name(CHECKPOINT)]


def test_no_folder_at_all_is_told(own: Path) -> None:
    message = r"the cache folder can't be used \(.*Not a directory.*\), nor a temporary one \(.*No space left.*\); "
    with pytest.raises(BackendUnavailable, match=message + "name a folder that can be written to with STREAMHMM_CACHE"):
        kept_file("a.bin", full)
    own.rmdir()
    with pytest.warns(RuntimeWarning, match="passed over backend onnx: the cache folder can't be used"):
        backend = open_backend(CHECKPOINT, RuntimeSettings("onnx,torch"))
    assert backend.name == "torch"


def test_the_own_folder_is_removed_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(cache_module.atexit, "register", lambda *call, **options: at_exit.append((call, options)))
    folder = cache_module._own_folder.__wrapped__()
    assert folder.is_dir()
    (((remove, *what), options),) = at_exit
    remove(*what, **options)
    assert not folder.exists()


@pytest.mark.parametrize("error", [ValueError("wrong option"), BackendUnavailable("not installed")])
def test_kept_files_stay_where_they_are_not_to_blame(folder: Path, error: Exception) -> None:
    def use() -> None:
        raise error

    kept_file("a.bin", write)
    with pytest.raises(type(error), match=str(error)):
        made_anew(["a.bin"], use)
    assert is_kept("a.bin")


@pytest.mark.parametrize("content", [b"", b"damaged"])
@pytest.mark.parametrize("which", ["exported", "optimised"])
def test_a_damaged_file_is_made_once_more(folder: Path, which: str, content: bytes) -> None:
    features = torch.randn(1, 30, 80)
    settings = RuntimeSettings("onnx")
    expected = open_backend(CHECKPOINT, settings).log_posteriors(features, None)[0]
    (optimised,) = folder.glob("*-optimised.onnx")
    path = optimised if which == "optimised" else folder / onnx_name(CHECKPOINT)
    whole = path.read_bytes()
    path.write_bytes(content)
    assert torch.equal(open_backend(CHECKPOINT, settings).log_posteriors(features, None)[0], expected)
    assert path.read_bytes()[:64] == whole[:64]


def test_export_does_without_the_cache_and_mends_it(own: Path, tmp_path: Path) -> None:
    export_model(CHECKPOINT, tmp_path / "a.onnx", "fp32")
    (own / onnx_name(CHECKPOINT)).write_bytes(b"damaged")
    with pytest.raises(BackendUnavailable, match=r"graph can't be used \(.*\); take another backend, or name another"):
        export_model(CHECKPOINT, tmp_path / "b.onnx", "fp32")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "file", "own"]


def test_a_graph_that_cant_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    graph = onnx.load(onnx_file(CHECKPOINT))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        save_onnx(graph, tmp_path / "a.onnx")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "error", [zlib.error("invalid distance"), RuntimeError("is encrypted"), NotImplementedError("compression")]
)
def test_damaged_archives_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> bytes:
        raise error

    with zipfile.ZipFile(tmp_path / "a.ts", "w") as archive:
        archive.writestr(f"a/extra/{reading.HEADER_FILE}", "{}")
    monkeypatch.setattr(zipfile.ZipFile, "read", fail)
    with pytest.raises(ModelError, match=rf"a.ts: not a file of PyTorch, or damaged \({error}\); export the model"):
        load_model(tmp_path / "a.ts")
