"""The truth sets as a corpus: recordings (as links), texts and TextGrids, for ``streamhmm parity``.

    python bench/truth_corpus.py FOLDER [--sets flite espeak]

Words and phones whose times nobody knows are left out; the hand-measured stops of ``voice_onset`` have no tiers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import soundfile
from measure import TRUTH
from truth import SILENCE, Interval, Utterance, load_set

from streamhmm.formats import Tiers, save
from streamhmm.segment import Segment


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=["flite", "espeak", "voice_onset"])
    parser.add_argument("--truth", type=Path, default=TRUTH)
    options = parser.parse_args(arguments)
    for name in options.sets:
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for utterance in load_set(options.truth / name):
            write(utterance, folder)
    return 0


def write(utterance: Utterance, folder: Path) -> None:
    """Link the recording, and write its text and what is known of its times."""
    link = folder / utterance.audio.name
    if not link.exists():
        link.symlink_to(utterance.audio.resolve())
    link.with_suffix(".txt").write_text(utterance.text + "\n", encoding="utf-8")
    words, phones = segments(utterance.words), segments(utterance.phones)
    if phones:
        duration = max(soundfile.info(utterance.audio).duration, words[-1].end, phones[-1].end)
        owners = [next((i for i, w in enumerate(words) if w.start <= middle(p) < w.end), -1) for p in phones]
        save(link.with_suffix(".TextGrid"), Tiers(words, phones, tuple(owners), duration))


def segments(intervals: Iterable[Interval]) -> tuple[Segment, ...]:
    """Those with times, without silence; one that begins a little before the end of the last begins there."""
    found: list[Segment] = []
    for label, start, end in intervals:
        if start is not None and end is not None and label != SILENCE:
            begin = max(start, found[-1].end if found else 0.0)
            if end - begin > 1e-6:
                found.append(Segment(label, begin, end))
    return tuple(found)


def middle(segment: Segment) -> float:
    return (segment.start + segment.end) / 2


if __name__ == "__main__":
    raise SystemExit(main())
