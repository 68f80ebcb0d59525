"""Phones of recorded speech whose text is known, by forced alignment with a model trained on synthetic speech.

    python label_speech.py speechocean762/train.tsv OUT_DIR --model first.safetensors

The table has the columns file, speaker, gender, age, text; files are relative to it. Utterances that fit the model
worst (``--drop``, by the mean word score) are left out: learners drop and replace phones. Voiceless stops end where
the recording itself says that voicing begins (voicing.py), as far as it does. Written to OUT_DIR/manifest.jsonl. Label
once: labelling again with the model that this trained lets boundaries drift.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from known import read_table
from rich.progress import track
from voicing import low_level, voicing_onset

import streamhmm as sh
from streamhmm.acoustic.training.aspiration import STOPS, VOICED
from streamhmm.acoustic.training.manifest import write_manifest
from streamhmm.audio import load_audio
from streamhmm.errors import StreamHMMError

SHORTEST_S = 0.01


def label(aligner: sh.Aligner, audio: Path, row: dict[str, str], out_dir: Path) -> tuple[float, dict[str, object]]:
    """The utterance's mean word score and its manifest entry."""
    recording = load_audio(audio, sample_rate=16000)
    alignment = aligner.align(recording, row["text"].lower())
    phones: list[list[object]] = []
    end = 0.0
    for phone in stops_until_voicing(alignment.phones, recording.samples):
        if phone.start > end:
            phones.append(["SIL", end, phone.start])
        phones.append([phone.label, phone.start, phone.end])
        end = phone.end
    if end < alignment.duration:
        phones.append(["SIL", end, alignment.duration])
    entry = {"audio": os.path.relpath(audio, out_dir), "text": row["text"], "speaker": row["speaker"]}
    return fmean(word.score or 0.0 for word in alignment.words), entry | {"source": "speech", "phones": phones}


def stops_until_voicing(phones: Sequence[sh.Segment], samples: npt.NDArray[np.float32]) -> list[sh.Segment]:
    """The phones, voiceless stops ending where the voice of the next phone begins."""
    level = low_level(samples)
    moved = list(phones)
    for index, (stop, voiced) in enumerate(pairwise(phones)):
        if stop.label not in STOPS or voiced.label not in VOICED or stop.end != voiced.start:
            continue
        onset = voicing_onset(level, stop.end, voiced.end)
        if onset is not None and moved[index].start + SHORTEST_S <= onset <= voiced.end - SHORTEST_S:
            moved[index] = replace(moved[index], end=onset)
            moved[index + 1] = replace(voiced, start=onset)
    return moved


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--drop", type=float, default=0.15, help="share of utterances to leave out")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    aligner = sh.Aligner(options.model)
    labelled = []
    rows = read_table(options.table)
    for row in track(rows, "labelling", disable=not sys.stdout.isatty()):
        try:
            labelled.append(label(aligner, options.table.parent / row["file"], row, options.out_dir))
        except StreamHMMError as error:
            print(f"left out: {error}")
    labelled.sort(key=lambda pair: -pair[0])
    kept = labelled[: round(len(labelled) * (1 - options.drop))]
    write_manifest(options.out_dir / "manifest.jsonl", (entry for _, entry in kept))
    print(f"{len(kept)} of {len(rows)} utterances kept, the worst of them with a mean word score of {kept[-1][0]:.3f}")


if __name__ == "__main__":
    main()
