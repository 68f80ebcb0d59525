"""How warm was each day of a summer, if all that is left is a diary of ice creams? Symbols as observations.

The diary and the first guess are those of Eisner, "An interactive spreadsheet for teaching the forward-backward
algorithm", 2002.

python examples/models/weather.py [--plot weather.png]
"""

import argparse

import numpy as np

from streamhmm.models import CategoricalHMM

ICE_CREAMS = "233232322313311121113121112332322"
COLD, HOT = 0, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="the days as a picture: .png, .svg or .pdf")
    plot = parser.parse_args().plot
    diary = np.array([[int(eaten) - 1] for eaten in ICE_CREAMS])  # symbols count from 0

    model = CategoricalHMM(2, n_iter=100, tol=1e-4, init_params="")  # "": EM begins with what is set here
    model.startprob_ = [0.5, 0.5]
    model.transmat_ = [[0.8, 0.2], [0.2, 0.8]]
    model.emissionprob_ = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]
    before = model.score(diary)
    model.fit(diary)

    print(f"log-likelihood: {before:.2f} with the first guess, {model.score(diary):.2f} learned")
    print(f"ice creams        {ICE_CREAMS}")
    print(f"most likely days  {''.join('CH'[state] for state in model.predict(diary))}")
    for state, name in ((COLD, "cold"), (HOT, "hot")):
        chances = ", ".join(f"{eaten}: {p:.2f}" for eaten, p in enumerate(model.emissionprob_[state], start=1))
        print(f"a {name} day follows one with {model.transmat_[state, state]:.2f}; ice creams: {chances}")

    _, tomorrow = model.score_samples(diary)
    print(f"tomorrow is hot with {(tomorrow[-1] @ model.transmat_)[HOT]:.2f}")

    if plot:
        from streamhmm.plots import plot_posteriors

        plot_posteriors(model, diary, path=plot, names=["cold", "hot"])


if __name__ == "__main__":
    main()
