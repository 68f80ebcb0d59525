"""Result files appear whole or not at all."""

import errno
import os
import resource

import pytest
from permissions import unprivileged

from streamhmm.errors import OutputError
from streamhmm.formats import atomic_write
from streamhmm.formats.atomic import atomic_write_bytes


def write(path, text):
    with atomic_write(path) as file:
        file.write(text)


def mode(path):
    return path.stat().st_mode & 0o777


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_and_existing_files(tmp_path):
    path = tmp_path / "a.json"
    for text in ("first\n", "das zweite: größer\n"):
        write(path, text)
        assert path.read_bytes() == text.encode()
        assert files(tmp_path) == ["a.json"]


def test_bytes(tmp_path):
    path = tmp_path / "a.bin"
    for data in (b"\x00\r\n\xff", b""):
        atomic_write_bytes(path, data)
        assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["a.bin"]
    with pytest.raises(OutputError, match="there is no folder"):
        atomic_write_bytes(tmp_path / "none" / "a.bin", b"")
    assert os.listdir(tmp_path) == ["a.bin"]


def test_the_old_content_is_there_until_the_end(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_block_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")

    def interrupted():
        with atomic_write(path) as file:
            file.write("new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert files(tmp_path) == ["a.json"]


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("a.json", "text")
    assert (tmp_path / "a.json").read_text() == "text"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_new_files_respect_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "a.json", "text")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a.json") == 0o666 & ~umask


def test_existing_files_keep_their_permissions(tmp_path):
    path = tmp_path / "a.json"
    path.touch()
    path.chmod(0o640)
    write(path, "text")
    assert mode(path) == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.json"
    target.touch()
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_a_name_of_full_length(tmp_path):
    write(tmp_path / ("n" * 250 + ".json"), "text")
    assert (tmp_path / ("n" * 250 + ".json")).read_text() == "text"


def test_a_device_is_written_to_and_stays():
    write("/dev/null", "text")
    assert not os.path.isfile("/dev/null")


def fails(path, message, text="text"):
    with pytest.raises(OutputError) as caught:
        write(path, text)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_device():
    fails("/dev/full", "the device is full, nothing was written")


def test_a_device_that_fills_up_while_writing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    fails(path, "the device is full, nothing was written; free some space")
    assert path.read_text() == "old"
    assert files(tmp_path) == ["a.json"]


def test_a_write_that_the_system_refuses(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        fails(tmp_path / "a.json", "can't be written (File too large)", text="x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == []


def test_a_folder_without_permission():
    with unprivileged() as folder:
        folder.chmod(0o555)
        fails(folder / "a.json", "no permission to write it; choose another folder")
        assert files(folder) == []


def test_a_file_without_permission():
    with unprivileged() as folder:
        path = folder / "a.json"
        path.write_text("old")
        path.chmod(0o444)
        fails(path, "no permission to write it")
        assert path.read_text() == "old"
        assert files(folder) == ["a.json"]


def test_no_such_folder(tmp_path):
    fails(tmp_path / "no" / "a.json", f"there is no folder {tmp_path / 'no'}; make it first")


def test_a_directory(tmp_path):
    fails(tmp_path, "this is a directory; name a file in it")


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "a").touch()
    fails(tmp_path / "a" / "b.json", "can't be written (Not a directory); choose another place")
