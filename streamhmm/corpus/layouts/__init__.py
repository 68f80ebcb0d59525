"""How corpora lie on disk, one file a layout.

To add one: copy a neighbour (``is_…(path) -> bool`` and ``list_…(path, …) -> Listing``), then add a line to
``find_utterances``.
"""

from __future__ import annotations

import os

from streamhmm.corpus.layouts.folder import list_folder
from streamhmm.corpus.layouts.kaldi import is_kaldi, list_kaldi
from streamhmm.corpus.layouts.lhotse_cuts import is_lhotse, list_lhotse
from streamhmm.corpus.layouts.nemo import is_nemo, list_nemo
from streamhmm.corpus.utterance import Listing
from streamhmm.errors import CorpusError

__all__ = ["find_utterances"]


def find_utterances(source: str | os.PathLike[str], results: str | os.PathLike[str] | None = None) -> Listing:
    """The utterances of a folder, a Kaldi data folder, a NeMo manifest or a lhotse manifest.

    Args:
        source: where it is.
        results: a folder whose content is not part of the corpus.

    Raises:
        CorpusError: there is no such thing, or it can't be read.
        BackendUnavailable: a lhotse manifest, and lhotse is not installed.
    """
    path = os.fspath(source)
    if os.path.isdir(path):
        return list_kaldi(path) if is_kaldi(path) else list_folder(path, results)
    if not os.path.exists(path):
        raise CorpusError(f"{path}: there is no such folder or manifest; check the path")
    if is_lhotse(path):
        return list_lhotse(path)
    if is_nemo(path):
        return list_nemo(path)
    raise CorpusError(
        f"{path}: neither a folder nor a manifest; name a folder with recordings and texts, a Kaldi data folder, "
        "a NeMo manifest (.jsonl, .json) or lhotse cuts (.jsonl.gz, .jsonl)"
    )
