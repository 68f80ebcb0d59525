"""Models of hmmlearn's names: the same numbers as hmmlearn gives, from the same parameters and from the same start."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm import models
from streamhmm.models import GMMHMM, GaussianHMM, PoissonHMM, Topology

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn import hmm

STATES, FEATURES, MIXTURES, SYMBOLS, TRIALS = 4, 5, 3, 7, 12
LENGTHS = [100, 300, 250, 150]
KINDS = ("spherical", "diag", "full", "tied")
FIXED: dict[str, Any] = {"n_iter": 6, "tol": -np.inf, "init_params": ""}


def vectors(seed: int = 0) -> np.ndarray:
    """Four clusters of 200."""
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.randn(200, FEATURES) + 3 * rng.randn(FEATURES) for _ in range(4)])


def covariances(kind: str, groups: tuple[int, ...]) -> np.ndarray:
    """Random ones of a kind for every Gaussian of a grid."""
    rng = np.random.RandomState(3)
    matrix = np.cov(rng.randn(40, FEATURES).T) + np.eye(FEATURES)
    if kind == "spherical":
        return 0.5 + rng.rand(*groups)
    if kind == "diag":
        return 0.5 + rng.rand(*groups, FEATURES)
    return np.tile(matrix, (*(groups if kind == "full" else groups[:-1]), 1, 1))


def pair(name: str, kind: str | None = None, **given: Any) -> tuple[Any, Any, np.ndarray]:
    """hmmlearn's model and ours with the same settings and parameters, and data for them."""
    rng = np.random.RandomState(1)
    options = {**FIXED, **given}
    if kind is not None:
        options["covariance_type"] = kind
    if name == "GMMHMM":
        options["n_mix"] = MIXTURES
    if name == "MultinomialHMM":
        options["n_trials"] = TRIALS
    both = getattr(hmm, name)(STATES, **options), getattr(models, name)(STATES, **options)
    x = vectors()
    values: dict[str, Any] = {
        "startprob_": rng.dirichlet(np.ones(STATES)),
        "transmat_": rng.dirichlet(np.ones(STATES), STATES),
    }
    if name == "CategoricalHMM":
        x = rng.randint(0, SYMBOLS, (len(x), 1))
        values["emissionprob_"] = rng.dirichlet(np.ones(SYMBOLS), STATES)
    elif name == "MultinomialHMM":
        values["emissionprob_"] = rng.dirichlet(np.ones(SYMBOLS), STATES)
        x = np.stack([rng.multinomial(TRIALS, values["emissionprob_"][frame // 200]) for frame in range(len(x))])
    elif name == "PoissonHMM":
        x = rng.poisson(5, (len(x), 3))
        values["lambdas_"] = rng.gamma(4, 2, (STATES, 3))
    elif name == "GaussianHMM":
        values["means_"] = x[::200] + 0.1
        values["covars_"] = covariances(str(kind), (STATES,))
        if kind == "tied":
            values["covars_"] = covariances("full", ())
    else:
        values["means_"] = np.stack([x[200 * state : 200 * state + MIXTURES] for state in range(STATES)])
        values["covars_"] = covariances(str(kind), (STATES, MIXTURES))
        values["weights_"] = rng.dirichlet(np.ones(MIXTURES), STATES)
    for model in both:
        for key, value in values.items():
            setattr(model, key, value)
    return *both, x


DISCRETE = [("CategoricalHMM", None), ("MultinomialHMM", None), ("PoissonHMM", None)]
CASES: list[tuple[str, str | None]] = [*DISCRETE, *((n, k) for n in ("GaussianHMM", "GMMHMM") for k in KINDS)]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_score_and_posteriors_are_those_of_hmmlearn(name: str, kind: str | None) -> None:
    theirs, ours, x = pair(name, kind)
    np.testing.assert_allclose(ours.score(x, LENGTHS), theirs.score(x, LENGTHS), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(x, LENGTHS), theirs.predict_proba(x, LENGTHS), atol=1e-9)
    np.testing.assert_allclose(ours.decode(x, LENGTHS)[0], theirs.decode(x, LENGTHS)[0], rtol=1e-9)
    np.testing.assert_allclose(
        ours.decode(x, LENGTHS, "map")[0], theirs.decode(x, LENGTHS, algorithm="map")[0], rtol=1e-9
    )
    if kind is not None:  # symbols and counts repeat, so several paths may be the best
        np.testing.assert_array_equal(ours.predict(x, LENGTHS), theirs.predict(x, LENGTHS))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_em_goes_the_way_of_hmmlearn(name: str, kind: str | None) -> None:
    theirs, ours, x = pair(name, kind)
    theirs.fit(x, LENGTHS)
    ours.fit(x, LENGTHS)
    np.testing.assert_allclose(ours.monitor_.history, list(theirs.monitor_.history), rtol=1e-9)
    for key in ("startprob_", "transmat_", "means_", "covars_", "weights_", "lambdas_", "emissionprob_"):
        if hasattr(theirs, key):
            wanted = theirs._covars_ if key == "covars_" and hasattr(theirs, "_covars_") else getattr(theirs, key)
            wanted = wanted[:, 0] if key == "covars_" and (name, kind) == ("GaussianHMM", "spherical") else wanted
            np.testing.assert_allclose(getattr(ours, key), wanted, rtol=1e-6, atol=1e-8, err_msg=key)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_fitted_from_nothing_it_fits_better_than_at_first(name: str, kind: str | None) -> None:
    _, ours, x = pair(name, kind)
    model = type(ours)(3, random_state=0, n_iter=5, tol=0.0, **({"covariance_type": kind} if kind else {}))
    history = model.fit(x, LENGTHS).monitor_.history
    assert history[-1] > history[0]
    again = type(ours)(3, random_state=0, n_iter=5, tol=0.0, **({"covariance_type": kind} if kind else {}))
    assert again.fit(x, LENGTHS).monitor_.history == history
    assert model.score(x, LENGTHS) >= history[-1] - 1e-6


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_padded_batches_are_the_same_sequences(name: str, kind: str | None) -> None:
    _, ours, x = pair(name, kind)
    padded = torch.zeros(len(LENGTHS), max(LENGTHS), x.shape[1], dtype=torch.float64)
    begin = 0
    for row, length in enumerate(LENGTHS):
        padded[row, :length] = torch.from_numpy(x[begin : begin + length])
        begin += length
    double = torch.from_numpy(x).double()
    np.testing.assert_allclose(ours.score(padded, LENGTHS), ours.score(double, LENGTHS), rtol=1e-12)
    states, joined = ours.predict(padded, LENGTHS), ours.predict(double, LENGTHS)
    assert isinstance(states, torch.Tensor)
    assert torch.equal(torch.cat([row[:length] for row, length in zip(states, LENGTHS, strict=True)]), joined)
    assert all(bool((row[length:] == -1).all()) for row, length in zip(states, LENGTHS, strict=True))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradients_reach_every_parameter(name: str, kind: str | None) -> None:
    _, ours, x = pair(name, kind)
    loss = -ours.log_prob(x[:50], [20, 30]).mean()
    loss.backward()
    for key, parameter in ours.named_parameters():
        assert parameter.grad is not None, key
        assert bool(parameter.grad.isfinite().all()), key
        assert bool((parameter.grad != 0).any()), key


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_samples_have_the_means_of_their_states(name: str, kind: str | None) -> None:
    _, ours, _ = pair(name, kind)
    frames, states = ours.sample(20_000, random_state=5)
    share = np.bincount(states, minlength=STATES) / len(states)
    np.testing.assert_allclose(share, ours.get_stationary_distribution(), atol=0.03)
    for state in range(STATES):
        found = frames[states == state].mean(0)
        if name == "CategoricalHMM":
            wanted: Any = [np.arange(SYMBOLS) @ ours.emissionprob_[state]]
        elif name == "MultinomialHMM":
            wanted = TRIALS * ours.emissionprob_[state]
        elif name == "PoissonHMM":
            wanted = ours.lambdas_[state]
        elif name == "GaussianHMM":
            wanted = ours.means_[state]
        else:
            wanted = ours.weights_[state] @ ours.means_[state]
        np.testing.assert_allclose(found, wanted, atol=0.2)


def test_information_criteria_are_those_of_hmmlearn() -> None:
    for kind in KINDS:
        theirs, ours, x = pair("GaussianHMM", kind)
        theirs.n_features = FEATURES
        np.testing.assert_allclose(ours.aic(x, LENGTHS), theirs.aic(x, LENGTHS), rtol=1e-12)
        np.testing.assert_allclose(ours.bic(x, LENGTHS), theirs.bic(x, LENGTHS), rtol=1e-12)


def test_scikit_learn_clones_and_pipes_it() -> None:
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = GaussianHMM(3, covariance_type="full", random_state=1)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    piped = make_pipeline(StandardScaler(), copy.set_params(n_iter=2)).fit(vectors())
    assert piped.predict(vectors()).shape == (800,)
    with pytest.raises(ValueError, match="GaussianHMM has no parameter 'speed'; it has: algorithm, "):
        model.set_params(speed=3)


def test_constant_features_meet_the_floor() -> None:
    x = np.concatenate([vectors(), np.zeros((800, 1))], axis=1)
    model = GMMHMM(2, n_mix=1, random_state=0, n_iter=3)
    with pytest.warns(RuntimeWarning) as warned:
        model.fit(x)
    texts = [str(each.message) for each in warned]
    assert texts[0].startswith("features [5] of X are constant: floors and priors alone keep their variances above 0")
    assert texts[1].startswith("variances of 2 states or mixtures were below 1e-09: constant features")
    assert np.isfinite(model.score(x))
    assert model.covars_.min() == pytest.approx(1e-9)


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        (np.zeros(3), None, r"X must be \(N, D\), or \(B, T, D\) padded, got shape \(3,\)"),
        (np.zeros((3, 4)), None, "X must have 5 features, got 4"),
        (np.full((3, 5), np.nan), None, r"X must be finite, got \[nan, nan, nan, nan, nan\] in row 0"),
        (np.zeros((3, 5)), [2], "lengths must add up to the 3 rows of X, got a sum of 2"),
        (np.zeros((3, 5)), [4, -1], "lengths must be whole numbers from 0 on, one a sequence"),
        (np.zeros((3, 5)), [1.5, 1.5], "lengths must be whole numbers from 0 on, one a sequence"),
        (np.zeros((2, 3, 5)), [4, 1], r"lengths must be \(2,\) numbers from 0 to 3, got \[4, 1\]"),
        (np.zeros((2, 3, 5)), [3], r"lengths must be \(2,\) numbers from 0 to 3, got \[3\]"),
    ],
)
def test_wrong_observations_are_refused(x: np.ndarray, lengths: Any, message: str) -> None:
    _, ours, _ = pair("GaussianHMM", "diag")
    with pytest.raises(ValueError, match=message):
        ours.score(x, lengths)


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("CategoricalHMM", [[7]], "X must hold symbols below 7, got 7; n_features tells how many there are"),
        ("CategoricalHMM", [[-1]], r"X must be whole numbers from 0 on, got \[-1.0\] in row 0"),
        ("CategoricalHMM", [[1, 2]], r"X must be \(N, 1\) symbols, got shape \(1, 2\)"),
        ("PoissonHMM", [[1, 2, 0.5]], "X must be whole numbers from 0 on"),
    ],
)
def test_what_no_state_gives_is_refused(name: str, x: Any, message: str) -> None:
    _, ours, _ = pair(name)
    with pytest.raises(ValueError, match=message):
        ours.score(x)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("startprob_", [0.5, 0.5], r"startprob_ must have shape \(4,\), got \(2,\)"),
        ("startprob_", [0.5, 0.5, 0.5, 0.5], "startprob_ must be probabilities that add up to 1, got sums of 2.0"),
        ("transmat_", np.eye(4) * 2, "transmat_ must be probabilities that add up to 1"),
        ("means_", np.zeros((3, 5)), r"means_ must have shape \(4, 5\), got \(3, 5\)"),
        ("means_", np.full((4, 5), np.nan), "means_ must be finite, got "),
        ("covars_", np.zeros((4, 5)), "covars_ must be positive, got 0.0"),
        ("covars_", np.ones((4, 6)), r"covars_ must have shape \(4, 5\), got \(4, 6\)"),
    ],
)
def test_wrong_parameters_are_refused(key: str, value: Any, message: str) -> None:
    _, ours, _ = pair("GaussianHMM", "diag")
    with pytest.raises(ValueError, match=message):
        setattr(ours, key, value)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="covariance_type must be one of spherical, diag, full, tied, got 'round'"):
        GaussianHMM(2, covariance_type="round")
    with pytest.raises(ValueError, match="algorithm must be one of viterbi, map, got 'beam'"):
        GaussianHMM(2, algorithm="beam")
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, got 0"):
        GaussianHMM(0)
    with pytest.raises(ValueError, match="the model has no emissions yet; call fit, set its parameters, or name"):
        GaussianHMM(2).sample(3)


def test_forbidden_transitions_stay_forbidden() -> None:
    _, ours, x = pair("GaussianHMM", "diag")
    ours.transmat_ = np.triu(np.ones((4, 4))) / np.arange(4, 0, -1)[:, None]
    ours.startprob_ = [1, 0, 0, 0]
    ours.fit(x)
    assert np.array_equal(ours.transmat_ > 0, np.triu(ours.transmat_ > 0))
    assert ours.startprob_.tolist() == [1, 0, 0, 0]
    assert (np.diff(ours.predict(x)) >= 0).all()


def test_other_shapes_begin_anew() -> None:
    from sklearn.model_selection import GridSearchCV

    model = GaussianHMM(1, random_state=0, n_iter=2).fit(vectors())
    model.set_params(n_components=3, covariance_type="full").fit(vectors())
    assert model.covars_.shape == (3, FEATURES, FEATURES)
    found = GridSearchCV(GaussianHMM(random_state=0, n_iter=2), {"n_components": [1, 2]}, cv=2).fit(vectors())
    assert found.best_params_["n_components"] in (1, 2)


@pytest.mark.parametrize("x", [np.zeros((50, 1)), np.full((50, 1), 3), np.eye(50, 2)])
def test_counts_may_be_zero_or_constant(x: np.ndarray) -> None:
    model = PoissonHMM(2, random_state=0, n_iter=30).fit(x)
    assert np.isfinite(model.score(x))
    assert (model.lambdas_ >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM])
def test_equal_features_of_any_scale_meet_a_floor(kind: str, scale: float, family: type) -> None:
    x = scale * np.tile(vectors()[:, :1], (1, 3))
    model = family(2, covariance_type=kind, random_state=0, n_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the floor; below it the likelihood may fall
        model.fit(x)
    assert np.isfinite(model.score(x))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_states_that_nothing_reaches_stay_as_they_are(name: str, kind: str | None) -> None:
    _, ours, x = pair(name, kind)
    ours.startprob_ = [1, 0, 0, 0]
    ours.transmat_ = np.eye(4)
    before = {key: parameter[-1].clone() for key, parameter in ours.emission.named_parameters()}
    ours.fit(x)
    assert np.isfinite(ours.score(x))
    for key, parameter in ours.emission.named_parameters():
        if kind != "tied" or key != "covariance.raw" or name == "GMMHMM":
            torch.testing.assert_close(parameter.detach()[-1], before[key])


def test_impossible_sequences_are_named() -> None:
    model = GaussianHMM(5, topology=Topology.left_to_right(5), random_state=0)
    with pytest.raises(ValueError, match="sequence 1 of 3 frames is impossible for this model: no path through its st"):
        model.fit(vectors(), [397, 3, 400])


def test_odd_inputs() -> None:
    _, ours, x = pair("GaussianHMM", "diag")
    assert ours.score(x[::-1]) == ours.score(x[::-1].copy())
    with pytest.raises(ValueError, match="algorithm must be one of viterbi, map, got 'viterby'"):
        ours.decode(x, algorithm="viterby")
    with pytest.raises(ValueError, match="X must have rows to learn from, got none"):
        GaussianHMM(2).fit(x[:0])
    with pytest.raises(ValueError, match="X must have at least 2 rows to find a first covariance, got 1"):
        GaussianHMM(1).fit(x[:1])
    same = [ours.sample(5, random_state=np.random.default_rng(3))[1].tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert ours.sample(5, random_state=0, currstate=2)[1][0] == 2
