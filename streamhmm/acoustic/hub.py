"""Where a Hugging Face model lies: a folder, or a name on the hub, whose files are brought here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from streamhmm.errors import ModelError

RUNTIME, EXTRA = "torch with a Hugging Face model", "hf"
"""What needs the libraries, for messages, and the extra that brings them."""
PREFIX = "hf:"
"""Before a name: it is one on the hub, whatever it looks like."""
CONFIG, WEIGHTS = "config.json", "model*.safetensors"
ADAPTER = "adapter.{}.safetensors"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = (".safetensors", ".onnx", ".ts", ".pt", ".pt2", ".engine", ".plan", ".json")
"""Names that end so are of files, whether they are there or not."""
_WANTED = (
    "*config.json",  # of the model, of the feature extractor, of the tokenizer
    "vocab.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    WEIGHTS,
    "model.safetensors.index.json",
)


def is_hugging_face(model: str | os.PathLike[str]) -> bool:
    """Whether a model that was named is a folder with a ``config.json``, or can only be on the hub."""
    name = os.fspath(model)
    if name.startswith(PREFIX) or Path(name, CONFIG).is_file():
        return True
    return bool(_HUB_NAME.fullmatch(name)) and not name.endswith(_FILES) and not Path(name).exists()


def local_folder(model: str | os.PathLike[str], target_lang: str | None = None) -> Path:
    """The folder with the model's files. Those of a model on the hub are fetched, or taken from its cache.

    Only configuration, vocabulary and safetensors files are fetched, of a language's adapters the one that is asked
    for.

    Raises:
        BackendUnavailable: the hub's library is not installed.
        ModelError: no such folder, or the hub does not have the model, can't be reached, or lets only others have it.
    """
    name = os.fspath(model)
    if not name.startswith(PREFIX) and Path(name).exists():
        return Path(name)
    adapters = () if target_lang is None else (ADAPTER.format(target_lang),)
    return _fetched(name.removeprefix(PREFIX), [*_WANTED, *adapters])


def files_of(folder: Path, target_lang: str | None = None) -> list[Path]:
    """The files that tell one model from another, in order; of adapters that of the language only."""
    found = (path for pattern in _WANTED for path in folder.glob(pattern))
    adapter = [] if target_lang is None else folder.glob(ADAPTER.format(target_lang))
    return sorted({*found, *adapter})


def first_line(error: BaseException) -> str:
    """Of what it says; its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _fetched(name: str, patterns: list[str]) -> Path:
    from streamhmm.acoustic.backends.runtime import require  # waits for PyTorch

    hub = require("huggingface_hub", RUNTIME, EXTRA)
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError) as error:  # no connection, no such model, not for everybody; no possible name
        reason = first_line(error)
        raise ModelError(
            f"{name}: there is no such folder here, and the Hugging Face hub does not give a model of that name "
            f"({reason}); check the name and the connection, log in with `hf auth login` if the model asks for it, or "
            "name a folder with its config.json and model.safetensors"
        ) from error
