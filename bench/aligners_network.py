"""A small CTC network of phones for bench/aligners.py, trained from nothing on texts and audio, without any times.

    python bench/aligners_network.py build/flite/manifest.jsonl … --output ctc.pt [--epochs 3]

The manifests are those that the shipped model was trained on (examples/english_model); of their labels only the order
of the phones is used. The network sees both sides of a frame: a causal one trained with CTC tells its phones late.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile
import torch
from torch import Tensor, nn

import streamhmm as sh
from streamhmm.acoustic.features import N_MELS, log_mel
from streamhmm.acoustic.labels import LABELS, SILENCE
from streamhmm.acoustic.training.manifest import UNKNOWN, read_manifest

PHONES = tuple(label for label in LABELS if label != SILENCE)
BLANK = len(PHONES)
FRAME_S = 0.02
WIDTH, KERNEL, DILATIONS = 160, 5, (1, 2, 4, 1, 2, 4)
BATCH, RATE, WARM_UP = 16, 2e-3, 0.1
BANDS_MASKED, FRAMES_MASKED = 12, 15


class Example(NamedTuple):
    """(T, 80) features and the numbers of the phones."""

    features: Tensor
    phones: list[int]


class CtcNetwork(nn.Module):
    """(B, T, 80) log-mel frames of 10 ms to (B, ceil(T / 2), 40) log-posteriors of phones, then blank."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Conv1d(N_MELS, WIDTH, KERNEL, stride=2, padding=KERNEL // 2)
        self.blocks = nn.ModuleList(_Block(dilation) for dilation in DILATIONS)
        self.output = nn.Linear(WIDTH, len(PHONES) + 1)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.input(features.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            hidden = block(hidden)
        return self.output(nn.functional.silu(hidden)).log_softmax(-1)


class _Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        reach = dilation * (KERNEL - 1) // 2
        self.depthwise = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=reach, dilation=dilation, groups=WIDTH)
        self.mix = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.SiLU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.depthwise(x.transpose(1, 2)).transpose(1, 2))


def load_network(path: Path) -> CtcNetwork:
    """What :func:`main` wrote."""
    network = CtcNetwork()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    examples = [example for manifest in options.manifests for example in _examples(manifest)]
    held_out = [example for manifest in options.held_out for example in _examples(manifest)]
    hours = sum(len(example.features) for example in examples) / 360_000
    print(f"{len(examples)} utterances, {hours:.2f} hours", flush=True)
    network = CtcNetwork()
    for _ in _train(network, examples, held_out, options):
        torch.save(network.state_dict(), options.output)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the CTC network of bench/aligners.py.")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--held-out", nargs="*", default=[], type=Path, metavar="MANIFEST", help="to tell its loss")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _examples(manifest: Path) -> Iterator[Example]:
    for utterance in read_manifest(manifest):
        units = [phone for unit in utterance.units or () for phone in unit.phones]
        phones = [PHONES.index(phone) for phone in units if phone not in (SILENCE, UNKNOWN)]
        frames = log_mel(torch.from_numpy(soundfile.read(utterance.audio, dtype="float32")[0]))
        if phones and len(frames) > 4 * len(phones):
            yield Example(frames.half(), phones)


def _train(
    network: CtcNetwork, examples: Sequence[Example], held_out: Sequence[Example], options: argparse.Namespace
) -> Iterator[int]:
    """Gives the number of each epoch after it."""
    chance = random.Random(options.seed)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps = options.epochs * (len(examples) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=WARM_UP)
    begin = time.perf_counter()
    for epoch in range(options.epochs):
        losses = []
        for batch in _batches(examples, chance):
            loss = _loss(network, [_masked(example, chance) for example in batch])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        with torch.no_grad():
            told = f", held out {float(_loss(network, held_out)):.3f}" if held_out else ""
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch + 1}: {mean:.3f} nats a phone{told}, {time.perf_counter() - begin:.0f} s", flush=True)
        yield epoch + 1


def _batches(examples: Sequence[Example], chance: random.Random) -> Iterator[list[Example]]:
    """Of examples of similar length, in any order; what does not fill a batch is left out this time."""
    order = chance.sample(range(len(examples)), len(examples))[: len(examples) // BATCH * BATCH]
    order.sort(key=lambda index: len(examples[index].features) + chance.uniform(0, 30))
    batches = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    chance.shuffle(batches)
    for batch in batches:
        yield [examples[index] for index in batch]


def _masked(example: Example, chance: random.Random) -> Example:
    """With a band and a stretch of frames at the mean (SpecAugment; Park et al. 2019)."""
    features = example.features.float().clone()
    band, stretch = chance.randrange(BANDS_MASKED), chance.randrange(FRAMES_MASKED)
    low, first = chance.randrange(N_MELS - band), chance.randrange(len(features) - stretch)
    features[:, low : low + band] = 0.0
    features[first : first + stretch] = 0.0
    return Example(features, example.phones)


def _loss(network: CtcNetwork, batch: Sequence[Example]) -> Tensor:
    """Nats a phone, by the engine's sum over all paths of the CTC graph."""
    features = nn.utils.rnn.pad_sequence([example.features.float() for example in batch], batch_first=True)
    lengths = [(len(example.features) + 1) // 2 for example in batch]
    graphs = [sh.Graph.ctc(example.phones, blank=BLANK) for example in batch]
    with torch.autocast("cpu", torch.bfloat16, enabled=network.training):
        log_probs = network(features)
    found = sh.log_likelihood(log_probs.float(), graphs, lengths)
    possible = found.isfinite()
    phones = sum(len(example.phones) for example in batch)
    return -(found[possible].sum() / phones).float()


if __name__ == "__main__":
    main()
