"""Choices of "auto" that this machine remembers, one small file each."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from streamhmm.acoustic.automatic import PACKAGES
from streamhmm.acoustic.backends.proven import write_whole
from streamhmm.acoustic.backends.runtime import RuntimeSettings
from streamhmm.acoustic.cache import cache_folder

PREFIX = "auto-"


class Choice(NamedTuple):
    """What was chosen, of which network and on what ``day``; ``reason`` tells why."""

    settings: RuntimeSettings
    reason: str
    fingerprint: str
    day: str


def circumstances(fingerprint: str, asked: RuntimeSettings, candidates: Sequence[Any]) -> dict[str, Any]:
    """All that a choice depends on."""
    return {
        "fingerprint": fingerprint,
        "asked": asdict(asked),
        "candidates": [str(candidate) for candidate in candidates],
        "processor": processor(),
        "capabilities": dict(torch.cpu.get_capabilities()),
        "threads": torch.get_num_threads(),
        "card": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: installed_version(name) for name in ("streamhmm", "torch", *PACKAGES.values())},
    }


def recall(key: dict[str, Any]) -> Choice | None:
    """The choice made under the same circumstances; None where there is none that can be read."""
    with suppress(OSError):
        return _read(_file(key))
    return None


def remember(key: dict[str, Any], settings: RuntimeSettings, reason: str) -> None:
    """Keep a choice; where nothing can be written it is made again next time."""
    content = {**key, "settings": asdict(settings), "reason": reason, "day": date.today().isoformat()}
    with suppress(OSError):
        write_whole(_file(key), json.dumps(content, indent=1) + "\n")


def all_choices() -> Iterator[Choice]:
    """Everything that is remembered here."""
    with suppress(OSError):
        for path in sorted(cache_folder().glob(f"{PREFIX}*.json")):
            choice = _read(path)
            if choice is not None:
                yield choice


@cache
def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def installed_version(package: str) -> str | None:
    """The version of an installed package; None without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _file(key: dict[str, Any]) -> Path:
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=10).hexdigest()
    return cache_folder() / f"{PREFIX}{digest}.json"


def _read(path: Path) -> Choice | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings = RuntimeSettings(**content["settings"])
        return Choice(settings, str(content["reason"]), str(content["fingerprint"]), str(content["day"]))
    except Exception:  # whatever is wrong with it: it is chosen anew
        return None
