"""States that no Gaussian tells apart, found by a network; and transitions that follow a cue. The data are made up.

python examples/models/neural.py [--plot neural.png]
"""

import argparse
from itertools import permutations

import numpy as np
import torch
from torch import nn

from streamhmm.models import GaussianHMM, NeuralHMM


def rings(rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Points (B, T, 2) around the origin; their distance tells the state (B, T), which lasts 10 frames."""
    states = ((rng.rand(30, 100) < 0.1) * rng.randint(1, 3, (30, 100))).cumsum(1) % 3
    radius, angle = 1 + 1.5 * states + 0.3 * rng.randn(30, 100), rng.uniform(0, 2 * np.pi, (30, 100))
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), -1), states


def switches(rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noisy frames (B, T, 1) of two states, which change nearly always, and only, where a cue (B, T, 1) is 1."""
    cue = rng.rand(40, 100) < 0.1
    states = (cue & (rng.rand(40, 100) < 0.9)).cumsum(1) % 2
    return 2.0 * states[..., None] + 1.5 * rng.randn(40, 100, 1), states, cue[..., None].astype(np.float32)


def right(found: np.ndarray, states: np.ndarray) -> float:
    """The share of frames in the right state, with the best naming of the three."""
    return max((np.array(names)[found] == states).mean() for names in permutations(range(3)))


class FromCue(nn.Linear):
    """Logits of the transitions (B, T, 2, 2) that the cue alone tells."""

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return super().forward(context).unflatten(-1, (2, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="some of the switches as a picture: .png, .svg or .pdf")
    plot = parser.parse_args().plot
    rng = np.random.RandomState(0)
    x, states = rings(rng)
    gaussian = GaussianHMM(3, random_state=0, n_iter=50).fit(x)
    neural = NeuralHMM(3, random_state=0, n_iter=30).fit(x)
    print(f"rings, without labels: {right(gaussian.predict(x), states):.1%} of frames by Gaussians")
    print(f"and {right(neural.predict(x), states):.1%} by a network; stays {neural.transmat_.diagonal().round(2)}")

    (x, states, cue), (later, truth, heard) = switches(rng), switches(rng)
    settings = {"network": "gaussian", "random_state": 0, "learning_rate": 0.05, "n_iter": 50}
    constant = NeuralHMM(2, **settings).fit_supervised(x, states)
    told = NeuralHMM(2, transitions=FromCue(1, 4), **settings).fit_supervised(x, states, context=cue)
    print(f"switches, later: {(constant.predict(later) == truth).mean():.1%} with transitions that are always the same")
    print(f"and {(told.predict(later, context=heard) == truth).mean():.1%} with those that a cue tells:")
    first = told.transition_proba(np.zeros((1, 2, 1)), context=np.array([[[0.0], [1.0]]]))[0]
    print(f"leaves state 0 with {first[0, 0, 1]:.2f} without a cue, {first[1, 0, 1]:.2f} with one (0.90 is true)")

    if plot:
        from streamhmm.plots import plot_posteriors

        plot_posteriors(told, later[:3], path=plot, context=heard[:3])


if __name__ == "__main__":
    main()
