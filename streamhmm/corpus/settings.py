"""What all utterances of a run have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from streamhmm import __version__
from streamhmm.corpus.fingerprint import content_hash


@dataclass(frozen=True)
class Settings:
    """How to align; names and defaults are those of :class:`~streamhmm.Aligner` and its ``align``.

    ``formats`` are suffixes of the results; ``threads`` are those of each worker.
    """

    model: str = "en"
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    lexicon: tuple[str, ...] = ()
    follow: bool = False
    strict: bool = False
    channel: int | None = None
    formats: tuple[str, ...] = (".TextGrid",)
    threads: int = 1

    def digest(self, model_file: str) -> str:
        """Tells settings apart that may give other results: by content of files, not by their names.

        Raises:
            OSError: a file can't be read.
        """
        files = [content_hash(path) for path in (model_file, *self.lexicon)]
        options = (__version__, self.backend, self.precision, self.device, self.follow, self.strict, self.channel)
        return hashlib.blake2b(repr((files, options)).encode(), digest_size=16).hexdigest()
