"""How long the states of a machine last: an HSMM learns it from a noisy sensor, an HMM can not.

A machine idles, heats up and runs; each state lasts a typical time. An HMM believes that a state ends as likely in one
minute as in any other, so the shortest visits are the likeliest. The HSMM learns a duration for each state.

python examples/models/durations.py [--plot durations.png]
"""

import argparse

import numpy as np

from streamhmm.models import HSMM, GaussianHMM

STATES = ("idle", "heating", "running")
DURATIONS_MIN = (20, 6, 45)
POWER_KW = (1.0, 3.0, 2.0)
LONGEST_MIN = 120


def shifts(rng: np.random.Generator, count: int = 20, minutes: int = 480) -> tuple[np.ndarray, np.ndarray]:
    """Power (count · minutes, 1) and states (count · minutes,) of some shifts."""
    states = []
    for _ in range(count):
        shift: list[int] = []
        while len(shift) < minutes:
            for state, mean in enumerate(DURATIONS_MIN):
                shift += [state] * max(1, round(rng.normal(mean, mean / 5)))
        states += shift[:minutes]
    power = np.array(POWER_KW)[states] + rng.normal(0, 0.9, len(states))
    return power[:, None], np.array(states)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="how long the states last, of the HSMM: .png, .svg or .pdf")
    plot = parser.parse_args().plot
    power, states = shifts(np.random.default_rng(1))
    lengths = [480] * 20
    emissions = GaussianHMM(3, random_state=0)
    models = {
        "HMM": GaussianHMM(3, random_state=0, n_iter=100),
        "HSMM": HSMM(emissions, durations="gamma", max_duration=LONGEST_MIN, random_state=0, n_iter=100),
    }
    for name, model in models.items():
        model.fit(power, lengths)
        order = np.argsort(model.means_[:, 0])[[0, 2, 1]]  # by power: idle, running, heating
        found = np.argsort(order)[model.predict(power, lengths)]
        lasting = model.mean_durations_[order] if name == "HSMM" else 1 / (1 - np.diag(model.transmat_)[order])
        print(f"{name}: {np.mean(found == states):.1%} of the minutes in the right state")
        for state, mean, wanted in zip(STATES, lasting, DURATIONS_MIN, strict=True):
            print(f"  {state:8} {mean:5.1f} minutes (truth {wanted})")
    model = models["HSMM"]
    print(f"{'minutes':12}" + "".join(f"{minutes:8}" for minutes in range(5, 65, 10)))
    for state, each in zip(STATES, model.durations_[order], strict=True):
        print(f"{state:12}" + "".join(f"{each[minutes - 1]:8.3f}" for minutes in range(5, 65, 10)))

    if plot:
        from streamhmm.plots import plot_durations

        names = [STATES[list(order).index(state)] for state in range(3)]
        plot_durations(model, power, lengths, path=plot, names=names)


if __name__ == "__main__":
    main()
