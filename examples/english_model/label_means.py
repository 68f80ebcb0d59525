"""The usual features of each label, which adaptation to speakers compares with: measured, and written into a model.

    python label_means.py speechocean762/train.tsv model.safetensors [--every 8]

The table's recordings are aligned with their texts by the model itself.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from known import read_table
from rich.progress import track
from torch import Tensor

import streamhmm as sh
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.audio import load_audio
from streamhmm.errors import StreamHMMError


def label_means(aligner: sh.Aligner, table: Path, every: int) -> Tensor:
    """(V, 80) mean features of the frames that belong to each label."""
    columns = len(aligner.columns)
    sums, counts = torch.zeros(columns, 80, dtype=torch.float64), torch.zeros(columns, dtype=torch.float64)
    for row in track(read_table(table)[::every], "aligning", disable=not sys.stdout.isatty()):
        try:
            recording = load_audio(table.parent / row["file"], sample_rate=aligner.model.sample_rate)
            runs = aligner.examine(recording, row["text"].lower()).runs
        except StreamHMMError as error:
            print(f"left out: {error}")
            continue
        labels = runs.of_frames(runs.pdfs)
        sums.index_add_(0, labels, aligner.model.log_mel(torch.from_numpy(recording.samples)).double())
        counts.index_add_(0, labels, torch.ones(len(labels), dtype=torch.float64))
    return (sums / counts.clamp(min=1)[:, None]).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--every", type=int, default=8, help="take every so manyth recording (default: 8)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    means = label_means(sh.Aligner(options.model), options.table, options.every)
    save_checkpoint(replace(load_checkpoint(options.model), label_means=means), options.model)


if __name__ == "__main__":
    main()
