"""Calm or turbulent? The regime behind a series of daily returns, told live, day by day. The series is made up.

python examples/models/regimes.py [--plot regimes.png]
"""

import argparse

import numpy as np

from streamhmm.models import GaussianHMM

LEARNED, LIVE = 1500, 500  # days


def made_up_returns(days: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1) returns in percent, and (N,) whether the day was turbulent."""
    rng = np.random.default_rng(seed)
    turbulent = np.zeros(days, dtype=bool)
    for day in range(1, days):
        turbulent[day] = rng.random() < (0.95 if turbulent[day - 1] else 0.01)
    returns = np.where(turbulent, rng.normal(-0.15, 2.2, days), rng.normal(0.05, 0.7, days))
    return returns[:, None], turbulent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="the live days as a picture: .png, .svg or .pdf")
    plot = parser.parse_args().plot
    returns, truth = made_up_returns(LEARNED + LIVE, seed=3)

    model = GaussianHMM(2, n_iter=100, random_state=0).fit(returns[:LEARNED])
    wild = int(model.covars_[:, 0].argmax())
    for state, name in ((1 - wild, "calm"), (wild, "turbulent")):
        mean, spread = model.means_[state, 0], model.covars_[state, 0] ** 0.5
        print(f"{name}: {mean:+.2f} ± {spread:.2f} % a day, for {1 / (1 - model.transmat_[state, state]):.0f} days")

    stream, alarm, told = model.stream(), False, []
    for day, today in enumerate(returns[LEARNED:], start=LEARNED):
        chance = stream.push(today[None]).filtered[0, wild]  # given this day and those before it
        told.append(chance > 0.5)
        if alarm != (chance > (0.2 if alarm else 0.8)):  # two limits, so that it does not flicker
            alarm = not alarm
            print(f"day {day}: {'turbulent' if alarm else 'calm again'} ({chance:.2f})")

    later = model.predict(returns[LEARNED:]) == wild
    for name, found in (("live", np.array(told)), ("afterwards", later)):
        print(f"right {name}: {(found == truth[LEARNED:]).mean():.1%} of {LIVE} days")

    if plot:
        from streamhmm.plots import plot_posteriors

        names = ["turbulent" if state == wild else "calm" for state in range(2)]
        plot_posteriors(model, returns[LEARNED:], path=plot, names=names)


if __name__ == "__main__":
    main()
