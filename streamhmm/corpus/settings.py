"""What all utterances of a run have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamhmm import __version__
from streamhmm.acoustic.automatic import installed_backends, named_backend
from streamhmm.corpus.fingerprint import bytes_hash, content_hash
from streamhmm.errors import ModelError, StreamHMMError, TextError
from streamhmm.formats import format_named

if TYPE_CHECKING:
    from streamhmm.acoustic import RuntimeSettings


@dataclass(frozen=True)
class Settings:
    """How to align; names and defaults are those of :class:`~streamhmm.Aligner` and its ``align``.

    ``adapt``: estimate an adaptation for each speaker first. ``formats`` are names of formats for the results
    (:mod:`streamhmm.formats`), with different suffixes. ``batch_s``: seconds of audio that go through the network
    together at most, which changes no result; None: what suits the device. Hugging Face models take no notice of it.

    Raises:
        ValueError: there is no such format, or two have the same suffix; both ``follow`` and ``imperfect``; a
            ``batch_s`` that is not positive.
    """

    model: str = "en"
    backend: str | RuntimeSettings = "auto"
    precision: str = "auto"
    device: str = "auto"
    lexicon: tuple[str, ...] = ()
    follow: bool = False
    imperfect: bool = False
    strict: bool = False
    channel: int | None = None
    formats: tuple[str, ...] = ("textgrid",)
    adapt: bool = False
    target_lang: str | None = None
    batch_s: float | None = None

    def __post_init__(self) -> None:
        if self.follow and self.imperfect:
            raise ValueError("follow and imperfect do not go together: who follows a speaker allows for all of it")
        if self.batch_s is not None and not self.batch_s > 0:
            raise ValueError(f"batch_s must be positive, got {self.batch_s}")
        suffixes = [format_named(name).suffix for name in self.formats]
        if len(set(suffixes)) < len(suffixes):
            raise ValueError(f"formats must have different suffixes, got {', '.join(self.formats)}")

    def decided(self) -> Settings:
        """The same with the runtime that is best here, so that all processes of a run take that one.

        Raises:
            ModelError, BackendUnavailable: the model, a file with a runtime's settings or the runtime can't be used.
            ValueError: such a file, and a precision or a device beside it; or an option in it that there is not.
        """
        if isinstance(self.backend, str) and (self._is_open or self.backend.endswith(".json")):
            from streamhmm.corpus.deciding import decided_runtime  # waits for PyTorch

            return replace(self, backend=decided_runtime(self), precision="auto", device="auto")
        return self

    @property
    def runtime(self) -> str:
        """What computes the network, for people."""
        if isinstance(self.backend, str):
            return f"{self.backend} {self.precision} on {self.device}"
        return f"{self.backend.backend} {self.backend.precision} on {self.backend.device}"

    @property
    def _is_open(self) -> bool:
        """Whether there is a runtime to choose."""
        return self.backend == "auto" and named_backend() is None and bool(installed_backends())

    def digest(self, model_files: Sequence[str]) -> str:
        """Tells settings apart that may give other results: by content of files, not by their names.

        Raises:
            ModelError, TextError: a model file or a lexicon can't be read.
        """
        files = [*(_hash(path, ModelError) for path in model_files), *(_hash(path, TextError) for path in self.lexicon)]
        how = (self.follow, self.imperfect, self.strict, self.channel, self.adapt, self.target_lang)
        backend = (self.backend, named_backend() if self.backend == "auto" else None)
        options = (__version__, backend, self.precision, self.device, *how)
        return bytes_hash(repr((files, options)).encode())


def _hash(path: str, kind: type[StreamHMMError]) -> str:
    try:
        return content_hash(path)
    except OSError as error:
        raise kind(f"{path}: can't be read ({error.strerror or error}); check the path") from error
