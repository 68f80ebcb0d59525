"""Manifests as lines."""

from __future__ import annotations

from streamhmm.errors import CorpusError, TextError
from streamhmm.text import read_text


def read_lines(path: str) -> list[str]:
    """The lines of a UTF-8 file, split at line feeds only. Raises CorpusError, which names the file."""
    try:
        return read_text(path).split("\n")
    except TextError as error:
        raise CorpusError(str(error)) from error
