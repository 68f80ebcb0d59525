"""Models with networks: what they compute, against every path; that they learn; what they refuse."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from streamhmm.models import FrameNetwork, GaussianNetwork, NeuralHMM, Topology, arc_chain, conditioned

FRAMES, FEATURES, CONTEXT = 5, 2, 3
TOPOLOGIES = {
    "ergodic": Topology.ergodic(3),
    "left to right": Topology.left_to_right(3),
    "skip": Topology.left_to_right(4, skip=1),
    "least duration": Topology.ergodic(2).with_least_duration(2),
    "ring": Topology.of([[1, 1, 0], [0, 1, 1], [1, 0, 1]], first=[1, 1, 0], last=[0, 1, 1]),
    "shared emission": Topology.of(torch.ones(3, 3), pdfs=[0, 1, 0]),
    "tied": Topology.of(torch.ones(2, 2), ties=[[0, 1], [1, 0]]),
    "no way out": Topology.of([[1, 1], [0, 0]]),
}
KINDS = (None, "arcs", "matrix")


class Pairs(nn.Module):
    """Logits (B, T, S, S), from a linear layer."""

    receptive_field = (0, 0)

    def __init__(self, states: int, n_context: int = 0) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES + n_context, states * states)
        self.states = states

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        if context is not None:
            x = torch.cat((x, context if context.dim() == 3 else context[:, None].expand(-1, x.shape[1], -1)), -1)
        return self.layer(x).unflatten(-1, (self.states, self.states))


def model_of(name: str, kind: str | None = None, seed: int = 0, n_context: int = 0, **options: Any) -> NeuralHMM:
    """A model with random parameters."""
    topology = TOPOLOGIES[name]
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = FrameNetwork(FEATURES, topology.n_emissions, -1, 1, hidden=4, n_context=n_context).double()
        groups = topology.allowed.sum() if topology.ties is None else topology.ties.max() + 1
        arcs = FrameNetwork(FEATURES, int(groups), -2, 0, hidden=4, n_context=n_context)
        transitions = {None: None, "arcs": arcs, "matrix": Pairs(topology.n_states, n_context)}[kind]
        settings: dict[str, Any] = {"outputs": "posteriors", **options}
        model = NeuralHMM(
            topology.n_emissions,
            network=network,
            transitions=None if transitions is None else transitions.double(),
            topology=topology,
            dtype=torch.float64,
            **settings,
        )
        with torch.no_grad():
            for parameter in (model.chain.initial_logits, model.chain.transition_logits):
                parameter += torch.randn_like(parameter)
            model.log_priors.copy_(torch.randn(topology.n_emissions).log_softmax(-1))
    return model.eval()


def data(count: int = 2, seed: int = 1) -> Tensor:
    return torch.randn(count, FRAMES, FEATURES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def every_path(model: NeuralHMM, x: Tensor, context: Tensor | None = None) -> dict[tuple[int, ...], float]:
    """The score of each path of states through (T, D)."""
    topology, told = model.chain.topology, () if context is None else (context[None],)
    with torch.no_grad():
        outputs = model.network(x[None], *told)[0]
        scores = outputs.log_softmax(-1) - model.log_priors if model.meaning == "posteriors" else outputs
        matrices = model.transition_proba(x[None], context=None if context is None else context[None])[0].log()
    begin = model.chain.initial_logits.detach().log_softmax(-1).tolist()
    end = [0.0 if last else -np.inf for last in topology.last]
    steps, fits = matrices.tolist(), scores[:, topology.pdfs].tolist()
    found = {}
    for path in itertools.product(range(topology.n_states), repeat=len(x)):
        total = begin[path[0]] + end[path[-1]]
        total += sum(steps[frame][path[frame - 1]][path[frame]] for frame in range(1, len(path)))
        found[path] = total + sum(fit[state] for fit, state in zip(fits, path, strict=True))
    return found


def total_of(paths: dict[tuple[int, ...], float]) -> float:
    return float(torch.tensor(list(paths.values()), dtype=torch.float64).logsumexp(0))


def cases() -> list[tuple[str, str | None]]:
    return [(name, kind) for name in TOPOLOGIES for kind in KINDS if (name, kind) != ("tied", "matrix")]


@pytest.mark.parametrize(("name", "kind"), cases())
@pytest.mark.parametrize("widest", [16, 0])
def test_every_path_counts(name: str, kind: str | None, widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arc_chain, "WIDEST", widest)
    model = model_of(name, kind)
    x, pdfs = data(), TOPOLOGIES[name].pdfs
    log_prob, states, chances = model.log_prob(x), model.predict(x), model.predict_proba(x)
    best_score = 0.0
    for index in range(len(x)):
        paths = every_path(model, x[index])
        total = total_of(paths)
        best = max(paths, key=lambda path: paths[path])
        best_score += paths[best]
        assert log_prob[index].item() == pytest.approx(total, rel=1e-9)
        assert states[index].tolist() == pdfs[list(best)].tolist()
        shares, each = np.exp(np.array(list(paths.values())) - total), pdfs.numpy()[np.array(list(paths))]
        wanted = [[shares[each[:, frame] == pdf].sum() for pdf in range(model.n_components)] for frame in range(FRAMES)]
        np.testing.assert_allclose(chances[index], wanted, atol=1e-9, rtol=0)
    assert model.decode(x)[0] == pytest.approx(best_score)
    assert model.score(x) == pytest.approx(float(log_prob.sum().detach()))
    assert model.score_samples(x)[0] == model.score(x)


@pytest.mark.parametrize(("name", "kind"), cases())
def test_transitions_are_probabilities_where_they_are_allowed(name: str, kind: str | None) -> None:
    model, topology = model_of(name, kind), TOPOLOGIES[name]
    found = model.transition_proba(data())
    assert found.shape == (2, FRAMES, topology.n_states, topology.n_states)
    assert not (found[..., ~topology.allowed] != 0).any()
    sums = topology.allowed.any(1).double().expand(2, FRAMES, -1)
    torch.testing.assert_close(found.sum(-1), sums, atol=1e-9, rtol=0)
    if kind is None:
        np.testing.assert_array_equal(found[0, 0], model.transmat_)


def test_tied_transitions_are_equal_at_each_time() -> None:
    found = model_of("tied", "arcs").transition_proba(data())
    torch.testing.assert_close(found[..., 0, 0], found[..., 1, 1])
    assert float((found[:, 1:, 0, 0] - found[:, :-1, 0, 0]).abs().max()) > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_gradients_reach_networks_transitions_and_initial(kind: str | None, training: bool) -> None:
    model = model_of("ring", kind).train(training)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert {"chain.initial_logits", "network.output.bias"} < set(names)
    assert ("chain.transition_logits" in names) == (kind is None)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    values = [parameter.detach().clone().requires_grad_() for parameter in learning]
    values[names.index("chain.initial_logits")].data[2] = -1e9  # −inf has no slope to measure

    def loss(*given: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(names, given, strict=True)), (data()[:, :3], [3, 2]))

    model.forward = model.log_prob  # type: ignore[method-assign]
    assert torch.autograd.gradcheck(loss, values)


def test_any_optimiser_raises_the_likelihood() -> None:
    model = model_of("ergodic", "arcs").train()
    before, optimizer = float(model.log_prob(data()).mean().detach()), torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        loss = -model.log_prob(data()).mean()
        loss.backward()
        optimizer.step()
    assert -float(loss.detach()) > before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_frame", [False, True])
def test_a_context_is_heard(kind: str | None, per_frame: bool) -> None:
    model = model_of("ring", kind, n_context=CONTEXT)
    generator = torch.Generator().manual_seed(3)
    context = torch.randn(*((2, FRAMES) if per_frame else (2,)), CONTEXT, generator=generator, dtype=torch.float64)
    found = model.log_prob(data(), context=context)
    for index in range(2):
        paths = every_path(model, data()[index], context[index])
        assert found[index].item() == pytest.approx(total_of(paths), rel=1e-9)
    assert not torch.allclose(found, model.log_prob(data(), context=context + 1))
    joined = context.flatten(0, 1) if per_frame else context
    torch.testing.assert_close(model.log_prob(data().flatten(0, 1), [FRAMES] * 2, context=joined), found)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: str | None) -> None:
    model, x = model_of("ring", kind, n_context=CONTEXT), data(3)
    context = torch.randn(3, FRAMES, CONTEXT, dtype=torch.float64)
    lengths = [5, 2, 4]
    found = model.log_prob(x, lengths, context=context)
    for index, length in enumerate(lengths):
        alone = model.log_prob(x[index : index + 1, :length], context=context[index : index + 1, :length])
        torch.testing.assert_close(found[index], alone[0])
    states = model.predict(x.numpy(), lengths, context=context)
    assert isinstance(states, np.ndarray)
    assert (states >= 0).sum(1).tolist() == lengths


def test_density_networks_give_normalised_densities() -> None:
    network = GaussianNetwork(1, 2, past=1, hidden=3).double()
    grid = torch.linspace(-200, 200, 40001, dtype=torch.float64)
    pairs = torch.stack((torch.full_like(grid, 0.7), grid), 1)[..., None]  # a frame, and any that may follow
    mass = network(pairs)[:, 1].exp().sum(0) * (grid[1] - grid[0])
    torch.testing.assert_close(mass, torch.ones(2, dtype=torch.float64), atol=1e-6, rtol=0)
    mean, log_variance = network.parameters_of(pairs[:1])
    wanted = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(pairs[:1, :, None]).sum(-1)
    torch.testing.assert_close(network(pairs[:1]), wanted)


def test_log_prob_of_posteriors_is_a_ratio_of_densities() -> None:
    """Frames of two kinds: with true posteriors it is log p(x) / Π p(x_t) of the HMM that they come from."""
    emission = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64)
    priors = torch.tensor([0.6, 0.4], dtype=torch.float64)
    marginal = priors @ emission
    network = nn.Linear(3, 2, bias=False).double()  # of one-hot frames
    with torch.no_grad():
        network.weight.copy_((emission * priors[:, None] / marginal).log())
    model = NeuralHMM(2, network=network, state_priors=priors, dtype=torch.float64)
    model.transmat_, model.startprob_ = [[0.8, 0.2], [0.3, 0.7]], priors
    symbols = torch.tensor([0, 2, 1, 1])
    x = torch.eye(3, dtype=torch.float64)[symbols]
    alpha = priors * emission[:, 0]
    for symbol in symbols[1:]:
        alpha = (alpha @ torch.from_numpy(model.transmat_)) * emission[:, symbol]
    wanted = alpha.sum().log() - marginal[symbols].log().sum()
    assert model.score(x) == pytest.approx(float(wanted))


def test_a_state_that_no_frame_is_in_costs_nothing() -> None:
    x = data(4).float()
    network, smaller = nn.Linear(FEATURES, 3), nn.Linear(FEATURES, 2)
    with torch.no_grad():
        network.bias[2] = -300  # which no float32 holds the exponential of
        smaller.weight.copy_(network.weight[:2])
        smaller.bias.copy_(network.bias[:2])
    found = NeuralHMM(3, network=network, topology=Topology.of(np.diag([1, 1, 1])[:, [1, 0, 2]])).estimate_priors(x)
    without = NeuralHMM(2, network=smaller, topology=Topology.of([[0, 1], [1, 0]])).estimate_priors(x)
    assert found.log_priors.isfinite().all()
    found.startprob_ = [0.5, 0.5, 0]
    torch.testing.assert_close(found.eval().log_prob(x), without.eval().log_prob(x))
    assert np.isfinite(NeuralHMM(3, network=network, n_iter=1, random_state=0).fit(x).score(x))


def test_many_sequences_go_through_the_networks_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, context = model_of("ring", "arcs", n_context=CONTEXT), data(7), torch.randn(7, CONTEXT).double()
    given: dict[str, Any] = {"lengths": [2, 5, 0, 3, 4, 0, 1], "context": context}
    asked = [model.score, model.predict_proba, lambda *a, **b: torch.tensor(model.decode(*a, **b)[0]), model.predict]
    wanted = [torch.as_tensor(ask(x, **given)) for ask in asked]
    seen: list[int] = []
    model.network.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    monkeypatch.setattr(conditioned, "AT_ONCE", 3)
    for ask, value in zip(asked, wanted, strict=True):
        torch.testing.assert_close(torch.as_tensor(ask(x, **given)), value)
    assert seen == [3, 3, 1] * 4


def test_learning_anew_forgets_the_first_state() -> None:
    model = bare(n_iter=1, random_state=0)
    model.startprob_ = [1, 0]
    assert model.fit(data().numpy()[0]).startprob_.min() > 0


def test_in_training_the_priors_are_those_of_the_batch() -> None:
    model, x = model_of("ergodic"), data(4)
    model.estimate_priors(x)
    with torch.no_grad():
        torch.testing.assert_close(model.log_priors.exp(), model.network(x).softmax(-1).mean((0, 1)))
        wanted, before = model.log_prob(x), model.log_priors.clone()
        model.log_priors.fill_(-np.log(3))
        assert not torch.allclose(model.log_prob(x), wanted)
        torch.testing.assert_close(model.train().log_prob(x), wanted)
    remembered = 0.9 / 3 + 0.1 * before.exp()
    torch.testing.assert_close(model.log_priors.exp(), remembered)
    assert model.score(x) != pytest.approx(float(wanted.sum()))  # by what it remembers
    assert model.training


def rings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """States that last, each a ring around the origin: no Gaussian tells them apart."""
    rng = np.random.RandomState(seed)
    states = np.repeat(rng.randint(0, 2, (count, 6)), 10, axis=1)
    radius, angle = 1 + 2 * states + 0.2 * rng.randn(*states.shape), rng.uniform(0, 2 * np.pi, states.shape)
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), -1), states


def agreement(found: np.ndarray, states: np.ndarray) -> float:
    """With the better naming of two states."""
    return float(max((found == states).mean(), (found != states).mean()))


def test_states_are_found_without_labels() -> None:
    x, states = rings(30, 0)
    model = NeuralHMM(2, random_state=0, n_iter=30).fit(x)
    assert agreement(model.predict(x), states) > 0.99
    assert not model.training
    again = NeuralHMM(2, random_state=0, n_iter=30).fit(x)
    assert again.monitor_.history == model.monitor_.history
    assert again.score(x) == model.score(x)
    np.testing.assert_allclose(model.log_priors.exp().sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("outputs", ["posteriors", "scores"])
@pytest.mark.parametrize("transitions", [None, "mlp"])
def test_labels_teach(outputs: str, transitions: str | None) -> None:
    x, states = rings(20, 1)
    model = NeuralHMM(2, outputs=outputs, transitions=transitions, random_state=0, n_iter=15)
    some = np.where(np.random.RandomState(0).rand(*states.shape) < 0.5, states, -1)
    model.fit_supervised(x, some)
    assert (model.predict(x) == states).mean() > 0.98
    if outputs == "posteriors":
        counts = np.bincount(some[some >= 0]) + 1
        np.testing.assert_allclose(model.log_priors.exp(), counts / counts.sum(), rtol=1e-5)


def test_complete_data_likelihood_is_that_of_the_paths_through_the_labels() -> None:
    from streamhmm.models.neural_training import objective

    for name, kind, outputs in itertools.product(("skip", "least duration"), KINDS[:2], ("posteriors", "scores")):
        model, x = model_of(name, kind, outputs=outputs), data(1)
        paths = every_path(model, x[0])
        path = max(paths, key=lambda each: paths[each])
        total = total_of(paths) if outputs == "scores" else 0.0
        labels = TOPOLOGIES[name].pdfs[list(path)]
        fitting = {each: score for each, score in paths.items() if TOPOLOGIES[name].pdfs[list(each)].equal(labels)}
        known = objective(model, model.conditioned(x, None, y=labels[None]))
        assert known.item() == pytest.approx(total_of(fitting) - total, rel=1e-9, abs=1e-9)


def test_gaussians_of_a_context_are_learnt() -> None:
    rng = np.random.RandomState(0)
    context = rng.uniform(0.5, 2, (40, 1))
    states = np.repeat(rng.randint(0, 2, (40, 5)), 6, axis=1)
    x = (np.where(states == 1, 2.0, -2.0) * context + 0.3 * rng.randn(*states.shape))[..., None]
    told = NeuralHMM(2, network="gaussian", random_state=0, n_iter=60).fit(x, context=context)
    deaf = NeuralHMM(2, network="gaussian", random_state=0, n_iter=60).fit(x)
    assert told.score(x, context=context) > deaf.score(x) + 100
    assert agreement(told.predict(x, context=context), states) > 0.9
    size = told.free_parameters()
    assert told.aic(x, context=context) == pytest.approx(-2 * told.score(x, context=context) + 2 * size)
    frames = np.log(x.shape[0] * x.shape[1])
    assert told.bic(x, context=context) == pytest.approx(-2 * told.score(x, context=context) + size * frames)
    body = 1 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4
    assert size == body + 1 + 2


def test_fit_goes_on_or_begins_anew() -> None:
    x, _ = rings(8, 2)
    model = NeuralHMM(2, random_state=0, n_iter=3).fit(x)
    first = model.monitor_.history
    assert model.fit(x).monitor_.history == first
    assert model.set_params(warm_start=True).fit(x).monitor_.history[0] > first[-1]
    own = nn.Linear(2, 2)
    weight = own.weight.detach().clone()
    other = NeuralHMM(2, network=own, n_iter=1, random_state=0, optimizer="LBFGS", learning_rate=0.1)
    assert other.fit(x).monitor_.iter == 1
    assert other.network is own
    assert not torch.equal(own.weight, weight)


def test_it_is_a_module_and_an_estimator() -> None:
    model = model_of("ergodic", "arcs")
    other = model_of("ergodic", "arcs", seed=9)
    other.load_state_dict(model.state_dict())
    assert other.score(data()) == model.score(data())
    assert copy.deepcopy(model).score(data()) == model.score(data())
    copied = clone(NeuralHMM(3, network=nn.Linear(2, 3), transitions="mlp", n_iter=7))
    assert (copied.n_iter, copied.transitions, type(copied.network)) == (7, "mlp", nn.Linear)
    copied.set_params(network="mlp", n_features=2)
    assert copied.predict(data().numpy()[0]).shape == (FRAMES,)
    assert model.to(torch.float32).predict_proba(data()).dtype == torch.float32


@pytest.mark.parametrize("widest", [16, 0])
def test_sequences_without_frames_are_certain(widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arc_chain, "WIDEST", widest)
    model = model_of("ergodic", "arcs")
    assert model.log_prob(data(), [5, 0])[1] == 0
    assert model.decode(data(), [5, 0])[0] == model.decode(data()[:1])[0]
    assert model.predict(data()[:, :0]).shape == (2, 0)


def bare(**options: Any) -> NeuralHMM:
    return NeuralHMM(2, **{"n_features": FEATURES, **options})


ONE = np.zeros((4, FEATURES))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NeuralHMM(0), "n_components must be a whole number of at least 1, got 0"),
        (lambda: NeuralHMM(2, network="lstm"), "network must be a module or one of 'mlp', 'gaussian', got 'lstm'"),
        (lambda: NeuralHMM(2, transitions="x"), "transitions must be a module or one of 'mlp', None, got 'x'"),
        (lambda: NeuralHMM(2, outputs="odds"), "outputs must be one of 'posteriors', 'densities', 'scores', None, got"),
        (lambda: NeuralHMM(2, algorithm="best"), "algorithm must be one of viterbi, map, got 'best'"),
        (lambda: NeuralHMM(2, receptive_field=(1, -1)), r"receptive_field must be two numbers of frames from 0 on"),
        (lambda: NeuralHMM(2.5), "n_components must be a whole number of at least 1, got 2.5"),
        (lambda: NeuralHMM(2, state_priors=[1.0, 0.0]), r"state_priors must be above 0, got \[1.0, 0.0\]"),
        (lambda: bare().estimate_priors(ONE[:0]), "X must have rows to learn from, got none"),
        (lambda: bare(n_context=1).score(ONE, context=[[np.nan]]), "context must be finite, got NaN or inf"),
        (lambda: NeuralHMM(2, state_priors=[1.0]), r"state_priors must have shape \(2,\), got \(1,\)"),
        (lambda: NeuralHMM(2, state_priors=[1.0, 1.0]), "state_priors must be probabilities that add up to 1"),
        (lambda: NeuralHMM(3, topology=Topology.ergodic(2)), "topology has 2 emissions for n_components = 3"),
        (lambda: NeuralHMM(2).predict(ONE), "the model has no network yet; call fit, or name n_features"),
        (lambda: bare().predict(ONE[:, :1]), "X must have 2 features, got 1"),
        (lambda: bare().predict(ONE + np.nan), r"X must be finite, got \[nan, nan\] in row 0"),
        (lambda: bare().predict(ONE, context=np.zeros((1, 3))), "context must have 0 numbers for network, got 3"),
        (lambda: bare().predict(ONE, context=np.zeros((2, 3))), r"context must be \(1, C\) or \(4, C\), got shape \(2"),
        (lambda: bare(network=nn.Linear(2, 5)).predict(ONE), r"network must give \(B, T, S\) = \(1, 4, 2\), got"),
        (
            lambda: bare(transitions=nn.Linear(2, 5)).predict(ONE),
            r"transitions must give \(1, 4, 4\) or \(1, 4, 2",
        ),
        (
            lambda: bare(outputs="scores").fit(ONE),
            "scores have no likelihood to maximise; use fit_superv",
        ),
        (
            lambda: bare(optimizer="Newton").fit(ONE),
            "optimizer must be the name of a class in torch.optim, got",
        ),
        (lambda: bare().fit(ONE[:0]), "X must have rows to learn from, got none"),
        (lambda: bare().fit_supervised(ONE, [0, 1]), r"y must have shape \(4,\), got \(2,\)"),
        (
            lambda: bare().fit_supervised(ONE, [0.5] * 4),
            "y must hold states 0 … 1, or -1 where they",
        ),
        (lambda: bare().fit_supervised(ONE, [0, 1, 2, 0]), r"not known, got \[0, 1, 2, 0\]"),
        (lambda: bare().aic(ONE), "aic needs a density of the data; log_prob of 'posteriors' is none"),
        (lambda: bare().bic(ONE), "bic needs a density of the data; log_prob of 'posteriors' is none"),
        (lambda: bare(transitions="mlp").transmat_, "transitions vary with time: transition_proba tells what they are"),
        (lambda: setattr(bare(transitions="mlp"), "transmat_", np.eye(2)), "transitions vary with time"),
        (lambda: FrameNetwork(2, 2, first=2, last=0), "last must be at least first - 1, got 2 … 0"),
        (
            lambda: bare(topology=Topology.left_to_right(2)).fit_supervised(ONE, [1, 0, 1, 1]),
            "sequence 0 is impossible for this model: no path through its states is of that length, or passes through",
        ),
    ],
)
def test_wrong_calls_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_only_a_context_is_taken_and_only_by_networks() -> None:
    with pytest.raises(TypeError, match="NeuralHMM takes context beside X and lengths, not y"):
        bare().score(ONE, y=[0] * 4)
    from streamhmm.models import GaussianHMM

    with pytest.raises(TypeError, match="GaussianHMM takes no context"):
        GaussianHMM(2, n_features=2).score(ONE, context=ONE)
