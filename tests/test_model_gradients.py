"""Training by gradients: ``loss = -model.log_prob(x).mean()`` with torch's optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from model_cases import LENGTHS, NAMES, drawn, known, make, valid

from streamhmm.models import GaussianHMM, Topology

OPTIMISERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.5),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.05),
    "LBFGS": lambda parameters: torch.optim.LBFGS(parameters, max_iter=4, line_search_fn="strong_wolfe"),
}


def trained(model: Any, x: torch.Tensor, optimiser: torch.optim.Optimizer, steps: int) -> list[float]:
    """Log-likelihoods a sequence before each step."""
    history = []

    def closure() -> Any:
        optimiser.zero_grad()
        loss = -model.log_prob(x, LENGTHS).mean()
        loss.backward()
        return loss

    for _ in range(steps):
        history.append(-optimiser.step(closure).item())
    return history


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", NAMES)
def test_optimisers_raise_the_likelihood(name: str, optimiser: str, kind: torch.dtype) -> None:
    x, _ = drawn(name)
    frames = torch.from_numpy(x).to(kind)
    model = make(name, random_state=0, n_iter=0, dtype=kind).fit(frames, LENGTHS)
    history = trained(model, frames, OPTIMISERS[optimiser](model.parameters()), 8)
    assert model.log_prob(frames, LENGTHS).mean() > history[0] + 0.05
    valid(model)
    assert all(parameter.dtype == kind for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_differences(name: str) -> None:
    x, _ = drawn(name, 9)
    model = known(name)
    frames = torch.from_numpy(x).double()
    names = [key for key, _ in model.named_parameters()]

    def total(*values: torch.Tensor) -> Any:
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(model, parameters, (frames, [5, 4]))

    model.forward = model.log_prob
    assert torch.autograd.gradcheck(total, tuple(model.parameters()))


@pytest.mark.parametrize("name", ["poisson", "spherical", "diag", "full", "tied"])
def test_gradients_vanish_where_em_ends(name: str) -> None:
    """Without priors a fixed point of EM is a stationary point of the likelihood."""
    x, _ = drawn(name, 300)
    flat = {"covars_prior": 0.0} if name in ("spherical", "diag", "full", "tied") else {}
    model = known(name, n_iter=500, tol=1e-9, **flat).fit(x)
    model.log_prob(x).sum().backward()
    for key, parameter in model.named_parameters():
        if parameter.grad is not None and key != "chain.initial_logits":  # that of the first state goes to 1
            assert parameter.grad.abs().max() < 0.05, key


def test_what_is_forbidden_stays_forbidden() -> None:
    model = GaussianHMM(3, topology=Topology.left_to_right(3), random_state=0, n_iter=0)
    x = torch.from_numpy(np.repeat([[0.0], [3.0], [6.0]], 20, axis=0))
    model.fit(x)
    allowed = model.chain.topology.allowed.numpy()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    before = model.score(x)
    for _ in range(10):
        optimiser.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimiser.step()
    assert model.score(x) > before
    assert not model.transmat_[~allowed].any()
    assert model.startprob_.tolist() == [1, 0, 0]
    valid(model)
