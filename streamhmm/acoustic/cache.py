"""Files that this machine keeps for later: exported networks, measurements."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "STREAMHMM_CACHE"


def cache_folder() -> Path:
    """The folder, made if need be: what STREAMHMM_CACHE names, or ``streamhmm`` where the system keeps caches."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else _system_caches() / "streamhmm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept_file(name: str, make: Callable[[Path], None]) -> Path:
    """A file of the folder by its name; ``make`` writes it, under a temporary name, if it is not there yet."""
    path = cache_folder() / name
    if not path.exists():
        handle, temporary = tempfile.mkstemp(suffix=path.suffix, dir=path.parent)
        os.close(handle)
        try:
            make(Path(temporary))
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return path


def _system_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
