"""Records of parity reports: which runtimes are known to give a network's alignments."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streamhmm.acoustic.cache import cache_folder
from streamhmm.errors import OutputError

KIND = "streamhmm_parity"
VERSION = 1
SHIPPED = Path(__file__).with_name("parity.json")
"""What was found for the shipped models."""
FULL_PRECISION = "fp32"


_NO_RECORD = (OSError, ValueError, KeyError, TypeError, AttributeError)


class Combination(NamedTuple):
    """A backend at a precision on a kind of device ("cpu", "cuda")."""

    backend: str
    precision: str
    device: str

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}" + ("" if self.device == "cpu" else f" on {self.device}")


class Verdict(NamedTuple):
    """``passed``: it moves boundaries by no more than the limits, wherever audio is cut; ``ms`` of it for a second of
    audio by hint, where they were measured."""

    passed: bool
    ms: Mapping[str, float]


def verdicts(fingerprint: str) -> dict[Combination, Verdict]:
    """What is known of a network: from reports made on this machine, else from what the package brings."""
    return {**_read(SHIPPED, fingerprint), **_read(_own(), fingerprint)}


def is_proven(combination: Combination, known: Mapping[Combination, Verdict]) -> bool:
    """Whether it may be taken unasked: by its verdict; without one full precision may, reduced may not."""
    verdict = known.get(combination)
    return combination.precision == FULL_PRECISION if verdict is None else verdict.passed


def add_record(report: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> None:
    """Keep a parity report in ``path``, by default for this machine; what it does not tell of stays as it was.

    Args:
        report: "fingerprint", and in "combinations" at least "backend", "precision", "device" and "passed" of each.
        path: a file of records.

    Raises:
        OSError: it can't be written.
        OutputError: ``path`` is something else than records.
    """
    target = cache_folder() / SHIPPED.name if path is None else Path(path)
    with _alone_in(target.parent):
        if path is not None and target.exists() and not _is_record(target):
            raise OutputError(f"{target}: this is no record of parity, or a damaged one; name another file")
        write_whole(target, _with_report(_records(target), report))


def _with_report(records: dict[str, Any], report: Mapping[str, Any]) -> str:
    before = records.get(report["fingerprint"], {}).get("combinations", ())
    told = {_combination(entry) for entry in report["combinations"]}
    kept = [entry for entry in before if _combination(entry) not in told]
    records[report["fingerprint"]] = {**report, "combinations": [*kept, *report["combinations"]]}
    return json.dumps({KIND: VERSION, "models": records}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process after the other read and write there; where the system has no such lock, all at once."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(target: Path, text: str) -> None:
    """Write under a temporary name, then rename: several processes may do so at once. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _own() -> Path | None:
    try:
        return cache_folder() / SHIPPED.name
    except OSError:
        return None


def _read(path: Path | None, fingerprint: str) -> dict[Combination, Verdict]:
    entries: Sequence[Any] = () if path is None else _records(path).get(fingerprint, {}).get("combinations", ())
    return {_combination(entry): Verdict(bool(entry["passed"]), entry.get("ms", {})) for entry in entries}


def _combination(entry: Mapping[str, Any]) -> Combination:
    return Combination(entry["backend"], entry["precision"], entry["device"])


def _records(path: Path) -> dict[str, Any]:
    """The reports in a file by fingerprint; none where it is missing, damaged or of another version."""
    try:
        return _parsed(path)
    except _NO_RECORD:
        return {}


def _is_record(path: Path) -> bool:
    try:
        _parsed(path)
    except _NO_RECORD:
        return False
    return True


def _parsed(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content[KIND] != VERSION:
        raise ValueError(f"version {content[KIND]}")
    records = dict(content["models"])
    for record in records.values():
        for entry in record["combinations"]:
            Verdict(bool(entry["passed"]), dict(entry.get("ms", {})))
            _combination(entry)
    return records
