"""Pictures of models: what is drawn where, formats, many states, several sequences, errors."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm.errors import BackendUnavailable, OutputError
from streamhmm.models import CategoricalHMM, GaussianHMM, NeuralHMM, Topology
from streamhmm.models.chain import Chain
from streamhmm.models.visits import visit_lengths
from streamhmm.plots import plot_durations, plot_posteriors, plot_training, plot_transitions
from streamhmm.plots.states import Run, decoded, runs_of, state_colour

pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plot)")

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def levels(states: int, features: int = 1, stay: float = 0.8, **options: Any) -> GaussianHMM:
    """States whose means lie ten standard deviations apart: the path is plain."""
    model = GaussianHMM(states, n_features=features, random_state=0, **options)
    model.means_ = 10.0 * np.arange(states)[:, None].repeat(features, 1)
    model.covars_ = np.ones((states, features))
    if model.topology is None:
        model.transmat_ = np.full((states, states), (1 - stay) / max(1, states - 1)) * (1 - np.eye(states)) + (
            np.eye(states) * (stay if states > 1 else 1)
        )
    return model


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for one in (figure, *figure.axes) for text in one.texts if text.get_text()]


def titles_of(figure: Any) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def spans_of(collection: Any) -> list[tuple[float, float]]:
    """From where to where its rectangles reach."""
    return [tuple(map(float, path.get_extents().intervalx)) for path in collection.get_paths()]


X = np.array([0, 0, 10, 10, 10, 0, 20, 20, 0.0])[:, None]
PATH = [0, 0, 1, 1, 1, 0, 2, 2, 0]


# ---- what they share


def test_runs_of_paths() -> None:
    states = np.array([0, 0, 1, 1, -1, 2, 2, 1])
    found = runs_of(states, (5, 0, 3))
    assert found == [Run(0, 0, 2, True), Run(1, 2, 2, False), Run(2, 5, 2, True), Run(1, 7, 1, True)]


def test_padded_observations_are_joined() -> None:
    model = levels(3)
    padded = torch.zeros(2, 6, 1, dtype=torch.float64)
    padded[0, :6, 0], padded[1, :3, 0] = torch.from_numpy(X[:6, 0]), torch.from_numpy(X[6:, 0])
    whole, found = decoded(model, X, [6, 3]), decoded(model, padded, [6, 3])
    assert whole.states.tolist() == found.states.tolist() == PATH
    assert whole.lengths == found.lengths == (6, 3)
    np.testing.assert_allclose(whole.posteriors, found.posteriors)
    np.testing.assert_array_equal(whole.frames, found.frames)
    assert decoded(model, padded[:1], None).lengths == (6,)


@pytest.mark.parametrize("draw", [plot_posteriors, plot_durations])
def test_what_a_model_asks_besides_is_handed_on(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = levels(2), []
    for name in ("predict", "predict_proba"):
        real = getattr(model, name)
        monkeypatch.setattr(model, name, lambda x, n, context, real=real: (asked.append(context), real(x, n))[1])
    draw(model, X[:6], context="anna")
    assert set(asked) == {"anna"}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_each_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    plot_transitions(levels(2), path)
    assert path.read_bytes().startswith(STARTS[kind])


@pytest.mark.parametrize("draw", [plot_posteriors, plot_durations])
def test_pictures_of_observations_are_written(draw: Any, tmp_path: Path) -> None:
    draw(levels(2), X[:6], path=tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(STARTS["png"])


def test_wrong_calls(tmp_path: Path) -> None:
    model = levels(3)
    for draw in (lambda **n: plot_posteriors(model, X, **n), lambda **n: plot_transitions(model, **n)):
        with pytest.raises(ValueError, match=r"^names must be one for each of the 3 states, got 2$"):
            draw(names=["a", "b"])
        with pytest.raises(ValueError, match=r"must be one of .png, .svg, .pdf, got '.gif'"):
            draw(path="a.gif")
    with pytest.raises(OutputError, match="there is no folder"):
        plot_durations(model, path=tmp_path / "none" / "a.png")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BackendUnavailable, match=r"pip install 'streamhmm\[plot\]'"):
        plot_transitions(levels(2))


# ---- posteriors


def test_posteriors_and_path_in_rows() -> None:
    figure = plot_posteriors(levels(3), X, [6, 3], names=["low", "mid", "high"])
    above, below = figure.axes
    assert above.get_title(loc="left") == "observations"
    assert below.get_xlabel() == "frame"
    assert [label.get_text() for label in below.get_yticklabels()] == ["low", "mid", "high"]
    bars = [spans_of(part) for part in below.collections]
    assert bars == [[(0, 2), (5, 6), (8, 9)], [(2, 5)], [(6, 8)]]
    assert [spans_of(part) for part in above.collections] == bars
    borders = [line for line in above.lines if len(line.get_xdata()) == 2]
    assert [line.get_xdata()[0] for line in borders] == [6]
    assert below.get_xlim() == (0, 9)
    areas = [patch.get_data() for patch in below.patches if patch.get_fill()]
    heights = [np.round((area.values - area.baseline) / 0.74, 6).tolist() for area in areas]
    assert heights == [[float(state == each) for state in PATH] for each in range(3)]


def test_a_time_axis_and_names_of_features() -> None:
    class Frame(np.ndarray):
        columns = ("return", "volume")

    x = np.concatenate([X + 0.5, X + 0.25], axis=1).view(Frame)
    figure = plot_posteriors(levels(3, 2), x, frame_s=0.01)
    assert figure.axes[1].get_xlabel() == "time (s)"
    assert figure.axes[1].get_xlim() == (0, pytest.approx(0.09))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["return", "volume"]
    alone = plot_posteriors(levels(3), X, observations=False)
    assert len(alone.axes) == 1


def test_symbols_are_dots_and_many_features_an_image() -> None:
    model = CategoricalHMM(2, n_features=3, random_state=0)
    model.emissionprob_ = [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    (line,) = plot_posteriors(model, [[0], [2], [1]]).axes[0].lines
    assert (line.get_marker(), line.get_linestyle()) == ("o", "None")
    wide = plot_posteriors(levels(3, 7), X.repeat(7, 1) + 0.5)
    assert wide.axes[0].get_ylabel() == "feature"
    assert wide.axes[0].images[0].get_array().shape == (7, 9)


def test_more_than_ten_states_are_an_image() -> None:
    x = np.arange(11.0)[:, None].repeat(2, 0) * 10
    figure = plot_posteriors(levels(11), x)
    image = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(image, np.eye(11).repeat(2, 1), atol=1e-6)
    assert titles_of(figure)[1] == "probability of the states, and the decoded path (orange)"
    assert [spans_of(part) for part in figure.axes[1].collections] == [[(2 * s, 2 * s + 2)] for s in range(11)]


def test_long_sequences_are_averaged() -> None:
    x = np.tile([[0.0], [10.0]], (4000, 1))
    figure = plot_posteriors(levels(2), x, observations=False)
    area = next(patch for patch in figure.axes[0].patches if patch.get_fill()).get_data()
    assert len(area.values) == 2000
    np.testing.assert_allclose(area.values - area.baseline, 0.37, atol=1e-6)


# ---- transitions


def test_the_graph_tells_every_probability() -> None:
    model = levels(3)
    model.startprob_ = [0.25, 0.75, 0.0]
    model.transmat_ = [[0.9, 0.08, 0.02], [0.3, 0.5, 0.2], [0.0, 0.001, 0.999]]
    found = texts_of(plot_transitions(model, names=["calm", "rough", "wild"]))
    shown = ["0.90", "0.08", "0.02", "0.30", "0.50", "0.20", "0.999", "start 0.25", "start 0.75"]
    assert sorted(found) == sorted([*shown, "calm", "rough", "wild", "less probable than 0.005: not drawn"])


def test_a_left_to_right_model_stands_in_a_row() -> None:
    figure = plot_transitions(levels(4, topology=Topology.left_to_right(4, skip=1)))
    nodes = [line for line in figure.axes[0].lines if line.get_markersize() > 30]
    assert [tuple(line.get_xydata()[0]) for line in nodes] == [(1.25 * state, 0.0) for state in range(4)]
    rings = [line for line in figure.axes[0].lines if 20 < line.get_markersize() <= 30]
    assert [line.get_xdata()[0] for line in rings] == [3.75]  # only the last state may be the last
    assert [line.get_markeredgecolor() for line in nodes] == [state_colour(state) for state in range(4)]
    assert "start" in texts_of(figure)


def test_copies_of_a_state_are_numbered() -> None:
    model = levels(2, topology=Topology.ergodic(2).with_least_duration(2))
    found = texts_of(plot_transitions(model, names=["a", "b"]))
    assert {"a.1", "a.2", "b.1", "b.2"} < set(found)


@pytest.mark.parametrize("states", [1, 2, 5, 8, 12])
def test_labels_do_not_stand_on_each_other(states: int) -> None:
    model = levels(states)
    model.transmat_ = np.random.default_rng(states).dirichlet(np.ones(states), states)
    figure = plot_transitions(model)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    for index, box in enumerate(boxes):
        touching = [other for other in boxes[:index] if box.overlaps(other)]
        assert not touching
        assert figure.bbox.containsx(box.x0)
        assert figure.bbox.containsx(box.x1)


def test_many_states_are_a_matrix() -> None:
    figure = plot_transitions(levels(13))
    first, main, _ = figure.axes
    np.testing.assert_allclose(main.images[0].get_array() ** 2, levels(13).transmat_)
    assert first.images[0].get_array().shape == (13, 1)
    assert {text.get_text() for text in main.texts} == {".80", ".02"}
    assert len(plot_transitions(levels(3), matrix=True).axes) == 3
    assert len(plot_transitions(levels(13, topology=Topology.left_to_right(13)), matrix=False).axes) == 1
    assert len(plot_transitions(levels(30)).axes[1].texts) == 0  # no room for numbers


# ---- durations


def test_visits_of_single_states_are_geometric() -> None:
    model = levels(2)
    model.transmat_ = [[0.7, 0.3], [0.5, 0.5]]
    found = visit_lengths(model.chain, 5)
    days = np.arange(5)
    np.testing.assert_allclose(found, [0.3 * 0.7**days, 0.5 * 0.5**days], atol=1e-9)


def test_visits_of_tied_states_are_of_phase_type() -> None:
    """Emission 0 has two ways: 1 frame (state 0), or at least 2 (states 1, 2), begun at 3 to 1; then emission 1."""
    allowed = [[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    chain = Chain(Topology.of(allowed, first=[0, 0, 0, 1], pdfs=[0, 0, 0, 1]))
    chain.set_transitions(torch.tensor([[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0.5, 0.5], [0.75, 0.25, 0, 0]]).double())
    found = visit_lengths(chain, 5)
    np.testing.assert_allclose(found[0], [0.75, *(0.25 * 0.5**n for n in (1, 2, 3, 4))], atol=1e-6)
    np.testing.assert_allclose(found[1], [1, 0, 0, 0, 0], atol=1e-9)


def test_visits_with_a_least_duration_and_without_an_end() -> None:
    chain = Chain(Topology.left_to_right(2).with_least_duration(3))
    found = visit_lengths(chain, 6)
    np.testing.assert_allclose(found[0], [0, 0, 0.5, 0.25, 0.125, 0.0625], atol=1e-9)
    assert found[1].tolist() == [0] * 6  # the last state is never left


def test_durations_of_model_and_path() -> None:
    figure = plot_durations(levels(3), X, names=["low", "mid", "high"])
    assert titles_of(figure) == ["low", "mid", "high"]
    assert texts_of(figure)[-3:] == [
        "model: mean 5 frames\n1 visits: mean 1 frames\n2 cut off, left out",
        "model: mean 5 frames\n1 visits: mean 3 frames",
        "model: mean 5 frames\n1 visits: mean 2 frames",
    ]
    curve = figure.axes[1].lines[0]
    np.testing.assert_allclose(curve.get_ydata(), 0.2 * 0.8 ** (curve.get_xdata() - 1), atol=1e-6)
    bars = figure.axes[1].patches[0].get_data()
    np.testing.assert_allclose((bars.values * np.diff(bars.edges)).sum(), 1)
    assert bars.edges[bars.values.argmax()] < 3 < bars.edges[bars.values.argmax() + 1]
    assert "duration (s)" in [figure.get_supxlabel() for figure in [plot_durations(levels(2), frame_s=0.01)]]


def test_whole_visits_are_kept_where_sequences_begin_and_end_there() -> None:
    model = levels(2, topology=Topology.left_to_right(2))
    texts = texts_of(plot_durations(model, np.array([[0.0], [0], [10], [0], [10], [10]]), [3, 3]))
    assert texts[-2:] == [
        "model: mean 2 frames\n2 visits: mean 1.5 frames",
        "model: to the end\n2 visits: mean 1.5 frames",
    ]


def test_a_model_with_its_own_durations() -> None:
    model = levels(2)
    model.durations_ = np.array([[0, 0.5, 0.5], [1.0, 0, 0]])
    figure = plot_durations(model)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0, 0.5, 0.5]
    assert texts_of(figure)[-2:] == ["model: mean 2.5 frames", "model: mean 1 frames"]


def test_states_that_last_very_long() -> None:
    model = levels(2)
    model.transmat_ = [[1 - 1e-5, 1e-5], [0.5, 0.5]]
    assert texts_of(plot_durations(model))[-2] == "model: 96% beyond 4096 frames"


# ---- training


@pytest.fixture(scope="module")
def fitted() -> GaussianHMM:
    x, _ = levels(2).sample(100)
    return GaussianHMM(2, random_state=0, n_iter=20).fit(x)


def test_a_run_that_converged(fitted: GaussianHMM) -> None:
    figure = plot_training(fitted)
    values, gains = figure.axes
    history = fitted.monitor_.history
    assert values.lines[0].get_ydata().tolist() == history
    assert values.lines[1].get_marker() == "o"
    np.testing.assert_allclose(gains.lines[0].get_ydata(), np.diff(history))
    assert texts_of(figure) == [f"converged after {len(history)} iterations: {history[-1]:.6g} nats", "tol 0.01"]


def test_viterbi_training_has_another_score() -> None:
    x, _ = levels(2).sample(100)
    figure = plot_training(GaussianHMM(2, random_state=0, fit_method="viterbi").fit(x))
    assert titles_of(figure)[0] == "log-likelihood (Viterbi training: score of the paths)"


def test_several_runs(fitted: GaussianHMM) -> None:
    x, _ = levels(2).sample(100)
    early = GaussianHMM(2, random_state=1, n_iter=2, tol=1e-6).fit(x)
    figure = plot_training({"whole": fitted, "early": early})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["whole", "early"]
    lines = figure.axes[0].lines
    assert [line.get_marker() for line in lines] == ["None", "o", "None", "X"]
    assert [line.get_color() for line in lines] == [state_colour(run) for run in (0, 0, 1, 1)]
    assert "1 of 2 runs converged (disc)" in texts_of(figure)
    names = plot_training([fitted, early]).legends[0].get_texts()
    assert [text.get_text() for text in names] == ["run 0", "run 1"]


def test_what_was_not_fitted() -> None:
    with pytest.raises(ValueError, match=r"^there must be at least one fitted model, got none$"):
        plot_training([])
    with pytest.raises(ValueError, match=r"^the model was not fitted yet; call fit$"):
        plot_training(levels(2))
    with pytest.raises(ValueError, match=r"^the model 'a' was not fitted yet; call fit$"):
        plot_training({"a": levels(2)})


def test_durations_that_vary_with_time_are_of_the_path_alone() -> None:
    model = NeuralHMM(2, n_features=1, transitions="mlp")
    figure = plot_durations(model, np.arange(40.0)[:, None])
    assert [line for axes in figure.axes for line in axes.lines] == []
    assert all(text.startswith("model: varies with time") for text in texts_of(figure) if "model" in text)


def test_gains_of_passes_are_those_that_tol_is_compared_with() -> None:
    rng = np.random.RandomState(0)
    model = NeuralHMM(2, n_iter=13, tol=-np.inf, random_state=0).fit(rng.randn(20, 1))
    line = plot_training(model).axes[1].lines[0]
    history = np.array(model.monitor_.history)
    wanted = [(history[end - 5 : end].mean() - history[end - 10 : end - 5].mean()) / 5 for end in range(10, 14)]
    assert line.get_xdata().tolist() == [10, 11, 12, 13]
    np.testing.assert_allclose(line.get_ydata(), np.where(np.array(wanted) > 0, wanted, np.nan), rtol=1e-6)
    assert model.monitor_.gain == pytest.approx(wanted[-1])
