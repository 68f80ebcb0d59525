"""Training manifests: what is written comes back, and a line that can't be used is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamhmm.acoustic.training.manifest import Unit, Utterance, read_manifest, write_manifest
from streamhmm.errors import TextError


def test_entries_come_back(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    phones = [["SIL", 0.0, 0.2], ["AO_R", 0.2, 0.5], ["?", 0.5, 0.6], ["AO_?", 0.6, 1]]
    full = {"audio": "a/b.flac", "text": "Œuvre", "speaker": "me", "source": "here", "phones": phones}
    write_manifest(path, [full, {"audio": "c.flac", "text": ""}])
    units = (Unit(("SIL",), 0.0, 0.2), Unit(("AO", "R"), 0.2, 0.5), Unit(("?",), 0.5, 0.6), Unit(("AO", "?"), 0.6, 1))
    assert read_manifest(path) == [
        Utterance(tmp_path / "a/b.flac", "Œuvre", "me", "here", units),
        Utterance(tmp_path / "c.flac", "", "", "", None),
    ]
    assert list(tmp_path.iterdir()) == [path]


def line(*phone: object) -> str:
    return json.dumps({"audio": "a", "text": "t", "phones": [phone]})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ('{"text": "t"}', "KeyError.'audio'"),
        ('{"audio": "a"}', "KeyError.'text'"),
        ('{"audio": "a", "text": "t", "phones": 3}', "TypeError"),
        (line("XX", 0, 1), "unknown phone XX"),
        (line("AA_XX", 0, 1), "unknown phone XX"),
        (line("AA", 0), "TypeError"),
        (line("AA", "0", 1), "TypeError"),
        (line("AA", 1, 0.5), "AA from 1 to 0.5"),
        (line("AA", -1, 0), "AA from -1 to 0"),
        (line("AA", 0, float("nan")), "AA from 0 to nan"),
        (line("AA", 0, float("inf")), "AA from 0 to inf"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, bad: str, reason: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(f"{line('AA', 0, 1)}\n{bad}\n{line('AA', 0, 1)}\n")
    with pytest.raises(TextError, match=rf"m\.jsonl, line 2: not a manifest entry \(.*{reason}.*; correct or remove"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"m\.jsonl: no such manifest; make it first \(see examples/english_model/README\.md\)"),
        (b"", r"m\.jsonl: the manifest is empty; a training manifest has one JSON object a line"),
        (b"\xff\xfe", r"m\.jsonl: not a manifest \(.*; a training manifest is UTF-8 text"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "m.jsonl").write_bytes(content)
    with pytest.raises(TextError, match=message):
        read_manifest(tmp_path / "m.jsonl")
