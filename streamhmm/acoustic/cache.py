"""Files that this machine keeps for later: exported networks, measurements."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from streamhmm.errors import BackendUnavailable, StreamHMMError

T = TypeVar("T")
VARIABLE = "STREAMHMM_CACHE"


def cache_folder() -> Path:
    """The folder, made if need be: what STREAMHMM_CACHE names, or ``streamhmm`` where the system keeps caches."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else _system_caches() / "streamhmm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def writable_folder() -> Path:
    """The folder, or one of this process only where files can't be made in it.

    Raises:
        BackendUnavailable: no file can be made in that one, either.
    """
    return _first_that_works(_checked)


def kept_file(name: str, make: Callable[[Path], None]) -> Path:
    """A file of the folder by its name; ``make`` writes it, under a temporary name, if it is not there yet.

    Where the folder can't be used it is in one of this process only.

    Raises:
        BackendUnavailable: it can't be written there, either.
    """
    return _first_that_works(lambda folder: _made(folder / name, make))


def is_kept(name: str) -> bool:
    """Whether the folder has a file of that name."""
    try:
        return (cache_folder() / name).exists()
    except OSError:
        return False


def made_anew(names: Iterable[str], use: Callable[[], T]) -> T:
    """What ``use`` gives. If kept files may be damaged, they are deleted by their names, and it is tried once more."""
    try:
        return use()
    except (StreamHMMError, ValueError):
        raise
    except Exception:
        for name in names:
            with suppress(OSError):
                (cache_folder() / name).unlink(missing_ok=True)
    return use()


def _first_that_works(use: Callable[[Path], Path]) -> Path:
    try:
        return use(cache_folder())
    except OSError as error:
        reason = error
    try:
        return use(_own_folder())
    except OSError as error:
        raise BackendUnavailable(
            f"the cache folder can't be used ({reason}), nor a temporary one ({error}); "
            f"name a folder that can be written to with {VARIABLE}"
        ) from error


def _checked(folder: Path) -> Path:
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _made(path: Path, make: Callable[[Path], None]) -> Path:
    if not path.exists():
        handle, temporary = tempfile.mkstemp(suffix=path.suffix, dir=path.parent)
        os.close(handle)
        try:
            make(Path(temporary))
            os.chmod(temporary, 0o644)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return path


@cache
def _own_folder() -> Path:
    """A folder that is removed at exit."""
    folder = tempfile.mkdtemp(prefix="streamhmm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _system_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
