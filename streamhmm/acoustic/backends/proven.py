"""Records of parity reports: which runtimes are known to give a network's alignments."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamhmm.acoustic.cache import cache_folder

KIND = "streamhmm_parity"
VERSION = 1
SHIPPED = Path(__file__).with_name("parity.json")
"""What was found for the shipped models."""
FULL_PRECISION = "fp32"


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
    """
    target = cache_folder() / SHIPPED.name if path is None else Path(path)
    records = _records(target)
    before = records.get(report["fingerprint"], {}).get("combinations", ())
    told = {_combination(entry) for entry in report["combinations"]}
    kept = [entry for entry in before if _combination(entry) not in told]
    records[report["fingerprint"]] = {**report, "combinations": [*kept, *report["combinations"]]}
    text = json.dumps({KIND: VERSION, "models": records}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(target, text)


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
        content = json.loads(path.read_text(encoding="utf-8"))
        records = dict(content["models"]) if content[KIND] == VERSION else {}
        for record in records.values():
            for entry in record["combinations"]:
                Verdict(bool(entry["passed"]), dict(entry.get("ms", {})))
                _combination(entry)
        return records
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
