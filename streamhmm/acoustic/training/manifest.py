"""Training manifests: one JSON object a line, audio paths relative to the manifest's folder.

``{"audio": "a.flac", "text": "…", "speaker": "…", "source": "…", "phones": [["SIL", 0.0, 0.2], …]}``: ``phones`` may
be missing (text only). A unit is a phone, several that were not told apart (``AO_R``), or ``?`` for "unknown".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streamhmm.acoustic.labels import LABELS
from streamhmm.errors import TextError

UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Unit:
    """A labelled stretch of time, seconds; several ``phones`` were not told apart."""

    phones: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a manifest; ``units`` is None where only the text is known."""

    audio: Path
    text: str
    speaker: str
    source: str
    units: tuple[Unit, ...] | None


def read_manifest(path: Path) -> list[Utterance]:
    """All utterances of a manifest.

    Raises:
        TextError: the file is missing or empty, or a line is not as said above; the message names the line.
    """
    if not path.is_file():
        raise TextError(f"{path}: no such manifest; make it first (see examples/english_model/README.md)")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise TextError(f"{path}: not a manifest ({error}); a training manifest is UTF-8 text") from error
    if not lines:
        raise TextError(f"{path}: the manifest is empty; a training manifest has one JSON object a line")
    return [_utterance(line, path, number) for number, line in enumerate(lines, start=1)]


def write_manifest(path: Path, entries: Iterable[dict[str, object]]) -> None:
    """Write entries under a temporary name, then rename."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    temporary.replace(path)


def _utterance(line: str, path: Path, number: int) -> Utterance:
    try:
        entry = json.loads(line)
        phones = entry.get("phones")
        units = None if phones is None else tuple(_unit(*phone) for phone in phones)
        audio = path.parent / entry["audio"]
        return Utterance(audio, entry["text"], entry.get("speaker", ""), entry.get("source", ""), units)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TextError(
            f"{path}, line {number}: not a manifest entry ({error!r}); correct or remove the line"
        ) from error


def _unit(label: str, start: float, end: float) -> Unit:
    phones = tuple(label.split("_"))
    for phone in phones:
        if phone not in LABELS and phone != UNKNOWN:
            raise ValueError(f"unknown phone {phone}")
    if not 0 <= start <= end < math.inf:
        raise ValueError(f"{label} from {start} to {end}")
    return Unit(phones, start, end)
