"""Archives of exported programs, checked before PyTorch reads them: its reader runs whatever Python they hold."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from streamhmm.errors import ModelError

_CONFIGS = r"data/weights/model_weights_config\.json|data/constants/model_constants_config\.json"
_SAMPLES = "data/sample_inputs/model.pt"
_PROGRAM = "models/model.json"
_PAYLOAD = re.compile(r"weight_\d+|tensor_\d+")
_RECORD = re.compile(
    rf"data/weights/weight_\d+|data/constants/tensor_\d+|{_CONFIGS}|{re.escape(_SAMPLES)}|{re.escape(_PROGRAM)}"
    r"|extra/[\w.]+|archive_format|archive_version|byteorder|version|\.data/(?:version|serialization_id)"
)
_OPERATION = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|_operator\.(?:add|sub|mul|floordiv|mod|neg|eq|ne|ge|gt|le|lt|getitem)"
)
_SIZE = re.compile(
    r"(?:(?:Symbol|Integer|Add|Mul|Max|Min|Mod|FloorDiv)\(|'[su]\d+'|(?:positive|integer)=True|-?\d+|[(), ])*"
)
"""PyTorch evaluates sizes as Python."""


def checked_program(path: Path) -> io.BytesIO:
    """The archive with nothing in it that PyTorch would run while it reads; guards are left out.

    Raises:
        ModelError: it holds code, or records that ``torch.export.save`` does not write for a network of ours.
        OSError, ValueError, KeyError, zipfile.BadZipFile: it is damaged.
    """
    checked = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(checked, "w") as written:
        for name in dict.fromkeys(archive.namelist()):
            folder, _, record = name.partition("/")
            content = archive.read(name)
            if not folder or not _RECORD.fullmatch(record):
                raise _holds_code(path, f"a record {name}")
            if record == _PROGRAM:
                content = _checked_graph(path, content)
            elif record == _SAMPLES:
                _check_samples(path, content)
            elif re.fullmatch(_CONFIGS, record):
                _check_payloads(path, content)
            written.writestr(name, content)
    checked.seek(0)
    return checked


def _check_payloads(path: Path, content: bytes) -> None:
    for name, payload in json.loads(content)["config"].items():
        if payload["use_pickle"] is not False or not _PAYLOAD.fullmatch(payload["path_name"]):
            raise _holds_code(path, f"{name} is pickled")


def _check_samples(path: Path, content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # what damaged pickles raise is said nowhere
        raise _holds_code(path, "its sample inputs are no plain tensors") from error


def _checked_graph(path: Path, content: bytes) -> bytes:
    graph = json.loads(content)
    for name, value in _entries(graph):
        if name == "target" and not _OPERATION.fullmatch(str(value)):
            raise _holds_code(path, f"it calls {value}")
        if name == "expr_str" and not _SIZE.fullmatch(str(value)):
            raise _holds_code(path, f"a size is {value}")
    return json.dumps({**graph, "guards_code": []}).encode()


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """All names with their values, however deep."""
    if isinstance(value, dict):
        yield from value.items()
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _entries(each)


def _holds_code(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path}: holds pickled code or other than streamhmm export writes ({what}); it was not read: export the model "
        "again, or ask whoever made the file for its safetensors"
    )
