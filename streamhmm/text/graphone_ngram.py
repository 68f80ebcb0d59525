"""An n-gram model of graphones, which are a few letters with the phones they stand for, as one trie in one file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from streamhmm.errors import ModelError
from streamhmm.text.phones import PHONES, Pronunciation

KIND = "streamhmm-g2p"
FORMAT_VERSION = 1
BOUNDARY = 0
"""The symbol before the first graphone of a word and after its last; symbol s > 0 is ``graphones[s - 1]``."""
NATS_PER_COST = 1 / 16
_HEADER = "streamhmm"
_DTYPES = {"symbols": np.uint16, "costs": np.uint8, "backoffs": np.uint8, "tree": np.uint8}


class Graphone(NamedTuple):
    """One or two letters and none to two phones."""

    letters: str
    phones: Pronunciation


@dataclass(frozen=True)
class GraphoneNgram:
    """A back-off n-gram model: a trie whose path from the root is an n-gram, oldest symbol first.

        P(s | h) = exp(−NATS_PER_COST · costs[node of h s])                  if the trie has the n-gram h s
                 = exp(−NATS_PER_COST · backoffs[node of h]) · P(s | h′)     else, h′ being h without its oldest symbol

    Nodes are numbered breadth first, the root is 0, and the children of a node follow one another by symbol.

    Attributes:
        graphones: sorted by letters, so that those of the same letters have neighbouring symbols.
        symbols: (nodes,) uint16, the last symbol of the n-gram.
        costs, backoffs: (nodes,) uint8.
        tree: for each node as many ones as it has children, then a zero (Jacobson 1989), packed into uint8.
        training: notes on how the model was made.
    """

    graphones: tuple[Graphone, ...]
    symbols: npt.NDArray[np.uint16]
    costs: npt.NDArray[np.uint8]
    backoffs: npt.NDArray[np.uint8]
    tree: npt.NDArray[np.uint8]
    training: dict[str, Any] = field(default_factory=dict)

    def first_children(self) -> npt.NDArray[np.int64]:
        """(nodes + 1,) so that the children of ``node`` are ``first[node]`` up to, not with, ``first[node + 1]``."""
        n_nodes = len(self.symbols)
        ends = np.flatnonzero(np.unpackbits(self.tree, count=2 * n_nodes - 1) == 0)
        return np.concatenate([[1], 1 + ends - np.arange(len(ends))])


def pack_tree(n_children: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """``GraphoneNgram.tree`` of (nodes,) numbers of children."""
    bits = np.ones(2 * len(n_children) - 1, dtype=np.uint8)
    bits[np.cumsum(n_children) + np.arange(len(n_children))] = 0
    return np.packbits(bits)


def save_ngram(ngram: GraphoneNgram, path: str | os.PathLike[str]) -> None:
    """Write the file under a temporary name, then rename it."""
    target = Path(path)
    header = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "graphones": [f"{letters}:{' '.join(phones)}" for letters, phones in ngram.graphones],
        "training": ngram.training,
    }
    tensors = {name: getattr(ngram, name) for name in _DTYPES}
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(save(tensors, metadata={_HEADER: json.dumps(header)}))
    temporary.replace(target)


def load_ngram(path: str | os.PathLike[str]) -> GraphoneNgram:
    """Read a file that :func:`save_ngram` wrote.

    Raises:
        ModelError: missing, damaged, not such a model, or of another format version.
    """
    header, tensors = _read(Path(path))
    if header.get("kind") != KIND:
        raise ModelError(f"{path}: not a model of spelling; give a file that examples/english_g2p/train.py wrote")
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path}: format version {version}, this streamhmm reads {FORMAT_VERSION}; install another release"
        )
    try:
        graphones = tuple(_graphone(entry) for entry in header["graphones"])
        ngram = GraphoneNgram(graphones, **tensors, training=header.get("training", {}))
        _check(ngram)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: damaged ({error}); install streamhmm again, or train the model again") from error
    return ngram


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.is_file():
        raise ModelError(f"{path}: no such model file; install streamhmm again, or train it with examples/english_g2p")
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path}: not a safetensors file, or damaged ({error}); install streamhmm again, or train the model again"
        ) from error
    return header if isinstance(header, dict) else {}, tensors


def _graphone(entry: str) -> Graphone:
    letters, _, phones = entry.partition(":")
    graphone = Graphone(letters, tuple(phones.split()))
    if not letters or not set(graphone.phones) <= set(PHONES):
        raise ValueError(f"{entry!r} is no graphone")
    return graphone


def _check(ngram: GraphoneNgram) -> None:
    """Refuse what would send a search out of the arrays."""
    n_nodes = len(ngram.symbols)
    for name, dtype in _DTYPES.items():
        found: npt.NDArray[Any] = getattr(ngram, name)
        length = (2 * n_nodes + 6) // 8 if name == "tree" else n_nodes
        if found.dtype != dtype or found.shape != (length,):
            raise ValueError(f"{name} is {found.dtype} {found.shape}, expected {np.dtype(dtype)} ({length},)")
    first = ngram.first_children()
    if len(first) != n_nodes + 1 or first[-1] != n_nodes or (first[1:-1] <= np.arange(1, n_nodes)).any():
        raise ValueError("tree does not fit the nodes")
    if list(ngram.graphones) != sorted(set(ngram.graphones)):
        raise ValueError("the graphones are not sorted")
    if int(ngram.symbols.max()) > len(ngram.graphones):
        raise ValueError(f"symbol {ngram.symbols.max()} of {len(ngram.graphones)} graphones")
