"""Pauses, consonants and vowels of a recording, found without a text or a label: mixtures on log-mel features.

The states are named by how loud they are. In the recording that comes with this, the loudest has nearly all vowels, the
softest the pauses and closures, and the one between them the hisses, bursts and nasals.

python examples/models/speech_gmm.py [--plot speech.png] [AUDIO]
"""

import argparse
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from streamhmm.acoustic.features import LogMel
from streamhmm.audio import load_audio
from streamhmm.models import GMMHMM, Topology

FERRY = Path(__file__).resolve().parents[1] / "quick_start" / "ferry.flac"
FRAME_S, LEAST_FRAMES, BANDS = 0.01, 3, 8


def features(path: Path) -> np.ndarray:
    """(T, 8): the 80 log-mel energies every 10 ms, in bands of ten."""
    front_end = LogMel()
    frames, cache = front_end(torch.from_numpy(load_audio(path).samples))
    frames = torch.cat((frames, front_end.finish(cache)))
    return frames.unflatten(1, (BANDS, -1)).mean(2).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", nargs="?", type=Path, default=FERRY)
    parser.add_argument("--plot", metavar="FILE", help="states over time: .png, .svg or .pdf")
    args = parser.parse_args()
    x = features(args.audio)

    topology = Topology.ergodic(3).with_least_duration(LEAST_FRAMES)  # nothing is shorter than 30 ms
    model = GMMHMM(3, n_mix=2, topology=topology, n_iter=30, random_state=0, covars_floor=1e-3).fit(x)
    means = (model.weights_[:, :, None] * model.means_).sum(1)  # (3, 8)
    names = [""] * 3
    for state, name in zip(means.mean(1).argsort(), ("pause", "consonants", "vowels"), strict=True):
        names[state] = name

    states = model.predict(x)
    start = 0
    for state, run in groupby(states):
        frames = len(list(run))
        print(f"{start * FRAME_S:6.2f} {(start + frames) * FRAME_S:6.2f} s  {names[state]}")
        start += frames
    for name, levels, share in zip(names, means, np.bincount(states, minlength=3) / len(states), strict=True):
        print(f"{name}: {share:.0%} of the time, from low to high bands {np.round(levels, 1)}")

    if args.plot:
        from streamhmm.plots import plot_posteriors

        plot_posteriors(model, x, path=args.plot, names=names, frame_s=FRAME_S)


if __name__ == "__main__":
    main()
