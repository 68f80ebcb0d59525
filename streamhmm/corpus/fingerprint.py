"""Inputs are recognised by what is in them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from streamhmm.corpus.utterance import Utterance

if TYPE_CHECKING:
    from streamhmm.align.adaptation import Adaptation

_BLOCK_BYTES = 2**20


def content_hash(path: str | os.PathLike[str]) -> str:
    """Of a file. Raises OSError if it can't be read."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def bytes_hash(data: bytes) -> str:
    """Of what a file holds, or is going to hold: as :func:`content_hash`."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def utterance_key(
    utterance: Utterance, audio_hash: str, settings_digest: str, adaptation: Adaptation | None = None
) -> str:
    """Equal keys: the same result is wanted from the same input."""
    wanted = (audio_hash, utterance.parts, utterance.channel, settings_digest, adaptation)
    return bytes_hash(repr(wanted).encode("utf-8", "surrogatepass"))


class AudioHashes:
    """Hashes of recordings, computed once each while the file stays as it is."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def __call__(self, path: str) -> str:
        """The hash of a file as it is now. Raises OSError."""
        state = file_state(path)
        if path not in self._known or self._known[path][0] != state:
            self._known[path] = state, content_hash(path)
        return self._known[path][1]


def file_state(path: str) -> tuple[int, ...]:
    """Differs after the file was written to. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
