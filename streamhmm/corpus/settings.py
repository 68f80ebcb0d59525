"""What all utterances of a run have in common."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from streamhmm import __version__
from streamhmm.corpus.fingerprint import content_hash
from streamhmm.formats import format_named


@dataclass(frozen=True)
class Settings:
    """How to align; names and defaults are those of :class:`~streamhmm.Aligner` and its ``align``.

    ``adapt``: estimate an adaptation for each speaker first. ``formats`` are names of formats for the results
    (:mod:`streamhmm.formats`), with different suffixes; ``threads`` are those of each worker.

    Raises:
        ValueError: there is no such format, or two have the same suffix.
    """

    model: str = "en"
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    lexicon: tuple[str, ...] = ()
    follow: bool = False
    strict: bool = False
    channel: int | None = None
    formats: tuple[str, ...] = ("textgrid",)
    threads: int = 1
    adapt: bool = False

    def __post_init__(self) -> None:
        suffixes = [format_named(name).suffix for name in self.formats]
        if len(set(suffixes)) < len(suffixes):
            raise ValueError(f"formats must have different suffixes, got {', '.join(self.formats)}")

    def files(self, results: str, name: str) -> dict[str, str]:
        """By format the path of an utterance's results."""
        return {known: os.path.join(results, name + format_named(known).suffix) for known in self.formats}

    def digest(self, model_file: str) -> str:
        """Tells settings apart that may give other results: by content of files, not by their names.

        Raises:
            OSError: a file can't be read.
        """
        files = [content_hash(path) for path in (model_file, *self.lexicon)]
        how = (self.follow, self.strict, self.channel, self.adapt)
        options = (__version__, self.backend, self.precision, self.device, *how)
        return hashlib.blake2b(repr((files, options)).encode(), digest_size=16).hexdigest()
