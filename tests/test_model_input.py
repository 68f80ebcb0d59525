"""Wrong calls of models, each with its message; odd ones that are right, with their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_models import CASES, KINDS, STATES, TRIALS, pair, vectors

from streamhmm import models
from streamhmm.errors import ModelError
from streamhmm.models import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM, Topology

QUESTIONS = ("score", "log_prob", "decode", "predict", "predict_proba", "score_samples", "aic", "bic")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), r"X must be \(N, D\), or \(B, T, D\) padded, got shape \(5,\)"),
        (3.0, r"X must be \(N, D\), or \(B, T, D\) padded, got shape \(\)"),
        (np.zeros((1, 2, 3, 5)), r"X must be \(N, D\), or \(B, T, D\) padded, got shape \(1, 2, 3, 5\)"),
        (np.zeros((3, 4)), "X must have 5 features, got 4"),
        (np.zeros((3, 0)), "X must have 5 features, got 0"),
        (
            [[0, 1, 2, np.nan, 4]],
            r"X must be finite, got \[0.0, 1.0, 2.0, nan, 4.0\] in row 0; missing='marginal' takes",
        ),
        ([[0, 1, 2, np.inf, 4]], r"X must be finite, got \[0.0, 1.0, 2.0, inf, 4.0\] in row 0$"),
        ([["a"] * 5], "X must hold numbers, got dtype <U1"),
        (np.array([["1.5"] * 5]), "X must hold numbers, got dtype <U3"),
        ([[b"a"] * 5], r"X must hold numbers, got dtype \|S1"),
        (np.array([[object()] * 5]), "X must hold numbers, got dtype object"),
        (None, r"X must be \(N, D\)"),
        ({"x": 1}, "X must hold numbers, got dtype object"),
        (np.zeros((2, 5), dtype="M8[s]"), r"X must hold numbers, got dtype datetime64\[s\]"),
        (np.zeros((2, 5), dtype=complex), "X must hold real numbers, got dtype torch.complex128"),
        (torch.zeros(2, 5, dtype=torch.complex64), "X must hold real numbers, got dtype torch.complex64"),
        ([np.zeros((3, 5)), np.zeros((2, 5))], "X must be one array; join sequences one after another, and name their"),
    ],
)
@pytest.mark.parametrize("question", ["score", "predict", "fit"])
def test_wrong_observations(x: Any, message: str, question: str) -> None:
    _, model, _ = pair("GaussianHMM", "diag")
    with pytest.raises(ValueError, match=message):
        getattr(model, question)(x)


@pytest.mark.parametrize("name", ["CategoricalHMM", "MultinomialHMM", "PoissonHMM"])
@pytest.mark.parametrize(("bad", "found"), [(-1, r"\[-1.0"), (0.5, r"\[0.5"), (np.inf, r"\[inf")])
def test_wrong_counts_and_symbols(name: str, bad: float, found: str) -> None:
    _, model, x = pair(name)
    x = x[:4].astype(float)
    x[2, 0] = bad
    for each in (model, type(model)(2)):
        for question in ("score", "fit") if each is model else ("fit",):
            with pytest.raises(ValueError, match=f"X must be (whole numbers from 0 on|finite), got {found}"):
                getattr(each, question)(x)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, 3], "lengths must add up to the 5 rows of X, got a sum of 6"),
        ([[2, 3]], "lengths must be whole numbers from 0 on, one a sequence, got"),
        ([6, -1], "lengths must be whole numbers from 0 on, one a sequence, got"),
        ([2.0, 3.0], "lengths must be whole numbers from 0 on, one a sequence, got"),
        (5, "lengths must be whole numbers from 0 on, one a sequence, got 5"),
        (["5"], "lengths must be whole numbers from 0 on, one a sequence, got"),
        ("5", "lengths must be whole numbers from 0 on, one a sequence, got '5'"),
        ([True] * 5, "lengths must be whole numbers from 0 on, one a sequence, got"),
        ([], "lengths must add up to the 5 rows of X, got a sum of 0"),
    ],
)
def test_wrong_lengths(lengths: Any, message: str) -> None:
    _, model, x = pair("GaussianHMM", "diag")
    with pytest.raises(ValueError, match=message):
        model.fit(x[:5], lengths)


def as_readonly(x: np.ndarray) -> np.ndarray:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x[:, ::-1].copy()[:, ::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.longdouble),
        lambda x: x.astype(object),
        lambda x: x.tolist(),
        as_readonly,
        torch.from_numpy,
        lambda x: torch.from_numpy(x.T.copy()).T,
        lambda x: torch.from_numpy(x).requires_grad_(),
    ],
)
def test_any_form_of_the_same_numbers_is_taken(form: Any) -> None:
    _, model, x = pair("GaussianHMM", "full")
    assert model.score(form(x)) == pytest.approx(model.score(x), rel=1e-14)
    np.testing.assert_array_equal(model.predict(form(x)), model.predict(x))
    fitted = model.set_params(init_params="stmc", random_state=0, n_iter=2).fit(form(x)).monitor_.history
    assert fitted == pytest.approx(model.fit(x).monitor_.history, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.float16, np.float32, bool])
def test_any_type_of_numbers_is_taken(dtype: Any) -> None:
    _, model, x = pair("GaussianHMM", "diag")
    whole = np.abs(x).round().astype(dtype)
    assert model.score(whole) == model.score(whole.astype(float))


def test_gradients_reach_the_observations() -> None:
    _, model, x = pair("GaussianHMM", "full")
    given = torch.from_numpy(x[:20]).requires_grad_()
    model.log_prob(given).sum().backward()
    assert given.grad is not None
    step = 1e-6
    moved = x[:20].copy()
    moved[7, 2] += step
    assert float(given.grad[7, 2]) == pytest.approx((model.score(moved) - model.score(x[:20])) / step, rel=1e-4)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_sequences_without_frames_change_nothing(name: str, kind: str | None) -> None:
    _, model, x = pair(name, kind, n_iter=2)
    lengths, among = [300, 500], [0, 300, 0, 0, 500, 0]
    assert model.score(x, among) == model.score(x, lengths)
    assert model.log_prob(x, among)[[0, 2, 3, 5]].tolist() == [0.0] * 4
    assert model.decode(x, among)[0] == model.decode(x, lengths)[0]
    np.testing.assert_array_equal(model.predict(x, among), model.predict(x, lengths))
    np.testing.assert_array_equal(model.predict_proba(x, among), model.predict_proba(x, lengths))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    history = model.fit(x, among).monitor_.history
    model.load_state_dict(before)
    assert model.fit(x, lengths).monitor_.history == pytest.approx(history, rel=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_observed(name: str, kind: str | None) -> None:
    _, model, x = pair(name, kind)
    assert model.score(x[:0]) == 0.0
    assert model.predict(x[:0]).shape == (0,)
    assert model.predict_proba(x[:0]).shape == (0, STATES)
    with pytest.raises(ValueError, match="X must have rows to learn from, got none"):
        model.fit(x[:0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM])
def test_fewer_frames_than_states_are_refused_where_means_are_sought(family: type, kind: str) -> None:
    """As k-means has it; with more means than frames nothing could be told of the states."""
    with pytest.raises(ValueError, match="X must have at least as many rows as n_components, 5, got 4"):
        family(5, covariance_type=kind).fit(vectors()[:4])


@pytest.mark.parametrize(("family", "x"), [(CategoricalHMM, [[0], [2]]), (PoissonHMM, [[3], [1]])])
def test_fewer_frames_than_states_are_sound_where_nothing_is_sought(family: type, x: Any) -> None:
    model = family(4, random_state=0, n_iter=3, tol=0.0).fit(x)
    assert (np.diff(model.monitor_.history) > -1e-9).all()
    np.testing.assert_allclose(model.predict_proba(x).sum(1), 1)


def test_sequences_shorter_than_a_chain_from_left_to_right_are_impossible() -> None:
    model = GaussianHMM(3, topology=Topology.left_to_right(3), random_state=0).fit(vectors(), [400, 400])
    x = vectors()[:2]
    assert model.score(x) == -np.inf
    assert model.decode(x)[0] == -np.inf
    assert model.predict(x).tolist() == [-1, -1]
    assert model.predict_proba(x).tolist() == [[0.0] * 3] * 2
    with pytest.raises(ValueError, match="sequence 0 of 2 frames is impossible for this model: no path through its"):
        model.set_params(init_params="").fit(x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM])
def test_constant_features_are_named(family: type, kind: str, recwarn: pytest.WarningsRecorder) -> None:
    x = np.concatenate([vectors(), np.full((800, 1), 0.1)], axis=1)
    options = {"covars_prior": 0.0, "covars_weight": 0.0} if family is GaussianHMM else {}
    model = family(2, covariance_type=kind, random_state=0, n_iter=3, **options).fit(x)
    assert np.isfinite(model.score(x))
    texts = [str(each.message) for each in recwarn if each.category is RuntimeWarning]
    if kind == "spherical":  # the others' variance is its too
        assert texts == []
    else:
        assert texts[0].startswith(
            "features [5] of X are constant: floors and priors alone keep their variances above 0"
        )
        assert any("states or mixtures were below 1e-09: constant features" in text for text in texts[1:])


@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM, CategoricalHMM, MultinomialHMM, PoissonHMM])
@pytest.mark.parametrize("states", [0, -1, 2.0, "2", None])
def test_wrong_numbers_of_states(family: type, states: Any) -> None:
    with pytest.raises(ValueError, match=f"n_components must be a whole number of at least 1, got {states!r}"):
        family(states)


def test_wrong_settings() -> None:
    for family in (GaussianHMM, GMMHMM):
        with pytest.raises(ValueError, match="covariance_type must be one of spherical, diag, full, tied, got 'round'"):
            family(2, covariance_type="round")
        with pytest.raises(ValueError, match="covariance_type must be one of"):
            family(2).set_params(covariance_type="round")
    with pytest.raises(ValueError, match="n_mix must be a whole number of at least 1, got 0"):
        GMMHMM(2, n_mix=0)
    with pytest.raises(ValueError, match="missing must be one of error, marginal, got 'mean'"):
        GaussianHMM(2, missing="mean")
    with pytest.raises(TypeError, match="states"):
        GaussianHMM(states=2)


@pytest.mark.parametrize(
    ("name", "kind", "prior"),
    [
        ("GaussianHMM", "diag", {"startprob_prior": np.ones(3)}),
        ("GaussianHMM", "diag", {"transmat_prior": np.ones((3, 3))}),
        ("GaussianHMM", "diag", {"means_prior": np.ones((4, 6))}),
        ("GaussianHMM", "diag", {"means_weight": np.ones((3, 5))}),
        ("GaussianHMM", "full", {"covars_prior": np.ones((4, 4))}),
        ("GMMHMM", "diag", {"weights_prior": np.ones((4, 2))}),
        ("GMMHMM", "diag", {"means_prior": np.ones((4, 3, 6))}),
        ("GMMHMM", "full", {"covars_prior": np.ones((4, 4))}),
        ("CategoricalHMM", None, {"emissionprob_prior": np.ones(6)}),
        ("PoissonHMM", None, {"lambdas_prior": np.ones((3, 3))}),
        ("PoissonHMM", None, {"lambdas_weight": "much"}),
    ],
)
def test_priors_of_wrong_shapes(name: str, kind: str | None, prior: dict[str, Any]) -> None:
    _, model, x = pair(name, kind, n_iter=1)
    key, value = next(iter(prior.items()))
    found = "'much'" if isinstance(value, str) else rf"shape \({', '.join(map(str, value.shape))},?\)"
    with pytest.raises(ValueError, match=f"{key} must be a number, or of shape .*, got {found}"):
        model.set_params(**prior).fit(x)


@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM, CategoricalHMM, MultinomialHMM, PoissonHMM])
def test_models_without_parameters_answer_nothing(family: type, tmp_path: Path) -> None:
    model = family(2)
    message = "the model has no emissions yet; call fit, set its parameters, or name n_features"
    for question in QUESTIONS:
        with pytest.raises(ValueError, match=message):
            getattr(model, question)(np.ones((3, 1)))
    for call in (model.sample, model.stream, model.free_parameters, lambda: models.save(model, tmp_path / "x")):
        with pytest.raises(ValueError, match=message):
            call()
    assert not any(hasattr(model, name) for name in ("means_", "emission", "lambdas_", "emissionprob_"))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        model.nothing  # noqa: B018


@pytest.mark.parametrize("content", ["directory", "text", "other"])
def test_files_that_are_no_models(content: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    if content == "directory":
        path.mkdir()
    elif content == "text":
        path.write_text("no model")
    else:
        save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=str(path)):
        models.load(path)


def test_padding_may_hold_anything() -> None:
    _, model, x = pair("MultinomialHMM")
    padded = np.full((2, 4, 7), -5.0)
    padded[0, :2], padded[1] = x[:2], x[2:6]
    assert model.score(padded, [2, 4]) == pytest.approx(model.score(x[:6], [2, 4]))
    assert padded[1].sum(1).tolist() == [TRIALS] * 4
    assert model.predict(padded, [2, 4])[0, 2:].tolist() == [-1, -1]
