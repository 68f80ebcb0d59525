"""Pruned networks: what goes, what stays, and what it does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_fine_tuning import corpus_of
from test_network import SMALL, random_checkpoint, whole
from test_quantise import corpus, utterances
from torch import nn

from streamhmm import cli
from streamhmm.acoustic import RuntimeSettings
from streamhmm.acoustic.backends import open_backend
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.acoustic.compress.agreement import whole_log_posteriors
from streamhmm.acoustic.compress.prune import layers_of, pruned, pruned_layer, statistics
from streamhmm.acoustic.compress.sensitivity import recognised, sensitivity
from streamhmm.acoustic.exported import onnx_file
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.network import AcousticNetwork, NetworkConfig
from streamhmm.errors import ModelError

MATRICES = ["input", *(f"blocks.{i}.{name}" for i in range(3) for name in ("expand", "project")), "output"]


def matrices(network: AcousticNetwork) -> dict[str, torch.Tensor]:
    return {name: network.trunk.get_submodule(name).get_parameter("weight") for name in MATRICES}


def test_smallest_weights_of_each_matrix_become_zero() -> None:
    checkpoint = random_checkpoint()
    found = pruned(checkpoint, "magnitude", 0.4)
    for name, old in matrices(checkpoint.network).items():
        threshold = old.abs().flatten().sort().values[round(0.4 * old.numel())]
        expected = torch.where(old.abs() >= threshold, old, 0.0)
        assert torch.equal(matrices(found.network)[name], expected)
    assert set(found.network.state_dict()) == set(checkpoint.network.state_dict())
    notes = {"method": "magnitude", "amount": 0.4, "global": False, "source": checkpoint.fingerprint}
    assert found.training == {"pruning": [notes]}


def test_smallest_weights_of_all_become_zero_together() -> None:
    checkpoint = random_checkpoint()
    found = matrices(pruned(checkpoint, "magnitude", 0.4, together=True).network)
    old = matrices(checkpoint.network)
    values = torch.cat([weight.abs().flatten() for weight in old.values()]).sort().values
    threshold = values[round(0.4 * len(values))]
    for name, weight in old.items():
        assert torch.equal(found[name], torch.where(weight.abs() >= threshold, weight, 0.0))


def test_units_without_weights_go_and_change_nothing() -> None:
    """Half of the units of each block do nothing; without them the network is smaller and computes the same."""
    checkpoint = random_checkpoint()
    for block in checkpoint.network.trunk.blocks:
        block.project.weight[:, ::2] = 0.0
    smaller = pruned(checkpoint, "structured", 0.5)
    assert smaller.config == replace(SMALL, hidden=(16, 16, 16))
    features = torch.randn(2, 41, 80)
    torch.testing.assert_close(whole(smaller.network, features), whole(checkpoint.network, features))


def test_smaller_networks_give_smaller_exported_files() -> None:
    checkpoint = random_checkpoint()
    smaller = pruned(checkpoint, "structured", 0.5)
    weights = [4 * sum(weight.numel() for weight in each.network.parameters()) for each in (checkpoint, smaller)]
    sizes = [onnx_file(each).stat().st_size for each in (checkpoint, smaller)]
    assert sizes[0] - sizes[1] == pytest.approx(weights[0] - weights[1], rel=0.1)
    features = torch.randn(1, 41, 80)
    backend = open_backend(smaller, RuntimeSettings("onnx"))
    found = whole_log_posteriors(backend, [features[0]])
    torch.testing.assert_close(found, whole(smaller.network, features)[0], atol=1e-4, rtol=0)


def test_together_blocks_give_what_they_can_spare() -> None:
    checkpoint = random_checkpoint()
    for block, spared in zip(checkpoint.network.trunk.blocks, (24, 8, 0), strict=True):
        block.project.weight[:, :spared] = 0.0
    smaller = pruned(checkpoint, "structured", 32 / 96, together=True)
    assert smaller.config.hidden_sizes == (8, 24, 32)
    features = torch.randn(2, 41, 80)
    torch.testing.assert_close(whole(smaller.network, features), whole(checkpoint.network, features))


@pytest.mark.parametrize(("amount", "sizes"), [(0.0, 32), (0.1, 32), (0.3, 24), (0.99, 8)])
def test_units_are_kept_in_eights(amount: float, sizes: int) -> None:
    assert pruned(random_checkpoint(), "structured", amount).config.hidden_sizes == (sizes,) * 3


@pytest.mark.parametrize("method", ["magnitude", "structured"])
def test_one_layer_alone(method: str) -> None:
    network = random_checkpoint().network
    layers = layers_of(network, method)
    assert layers == (MATRICES if method == "magnitude" else ["blocks.0", "blocks.1", "blocks.2"])
    found = {row.layer: row for row in statistics(network, pruned_layer(network, method, layers[1], 0.5))}
    changed = {name for name, row in found.items() if row.zeros or row.after < row.before}
    assert changed == ({"blocks.0.expand"} if method == "magnitude" else {"blocks.1.expand", "blocks.1.project"})
    assert statistics(network, network)[0] == ("input", 640 * 16, 640 * 16, 0)


def test_pruned_twice_is_noted_twice(tmp_path: Path) -> None:
    checkpoint = replace(random_checkpoint(), calibration={"some": 1})
    twice = pruned(pruned(checkpoint, "structured", 0.5), "magnitude", 0.5)
    save_checkpoint(twice, tmp_path / "a.safetensors")
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert [notes["method"] for notes in loaded.training["pruning"]] == ["structured", "magnitude"]
    assert (loaded.config, loaded.fingerprint) == (twice.config, twice.fingerprint)
    assert loaded.config.hidden == (16, 16, 16)
    assert loaded.calibration == {"some": 1}


@pytest.mark.parametrize("amount", [-0.1, 1.0])
def test_amount_is_a_share(amount: float) -> None:
    with pytest.raises(ValueError, match=f"amount must be from 0 up to, not including, 1, got {amount}"):
        pruned(random_checkpoint(), "magnitude", amount)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method must be one of magnitude, structured, got 'rose'"):
        pruned(random_checkpoint(), "rose", 0.5)


def test_sizes_must_fit_the_blocks() -> None:
    with pytest.raises(ValueError, match="hidden must have 3 sizes, one a dilation, got 2"):
        NetworkConfig(hidden=(8, 16), dilations=(1, 2, 1))


def test_file_with_sizes_that_do_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    smaller = pruned(random_checkpoint(), "structured", 0.5)
    save_checkpoint(smaller, path)
    path.write_bytes(path.read_bytes().replace(b"[16, 16, 16]", b"[16, 16]    "))
    with pytest.raises(ModelError, match=r"header is damaged .*hidden must have 3 sizes.*get the model file"):
        load_checkpoint(path)
    save_checkpoint(smaller, path)
    path.write_bytes(path.read_bytes().replace(b"[16, 16, 16]", b"[16, 16, 24]"))
    with pytest.raises(ModelError, match=r"tensor network\.trunk\.blocks\.2\.expand\.bias has shape \(16,\), expected"):
        load_checkpoint(path)


# ---- sensitivity


def test_recognised_phones_leave_out_short_runs() -> None:
    labels = torch.tensor([3] * 4 + [5] * 2 + [3] * 5 + [7] * 3 + [1])
    posteriors = nn.functional.one_hot(labels, 40).float()
    assert recognised(posteriors) == [LABELS[3], LABELS[7]]


def test_layers_that_do_nothing_are_not_missed() -> None:
    checkpoint = random_checkpoint()
    checkpoint.network.trunk.blocks[1].project.weight.zero_()
    found = sensitivity(checkpoint, utterances(90, 60), "structured", amounts=(0.5,))
    assert [(row.layer, row.amount) for row in found] == [("blocks.0", 0.5), ("blocks.1", 0.5), ("blocks.2", 0.5)]
    assert found[1].agreement.largest < 1e-5
    assert (found[1].agreement.same_label, found[1].moved, found[1].agreement.frames) == (1.0, 0.0, 150)
    assert min(found[0].agreement.divergence, found[2].agreement.divergence) > 1e-6


# ---- the command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_checkpoint(random_checkpoint(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_command_prunes_and_counts(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "small.safetensors"
    assert cli.main(["prune", str(model), "-o", str(output), "--method", "structured", "--global"]) == 0
    lines = capsys.readouterr().out.splitlines()
    total = next(line for line in lines if "│ all " in line)
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]{3,}(?= )", total)]
    before, after = (
        sum(weight.numel() for name, weight in network.named_parameters() if weight.dim() > 1)
        for network in (random_checkpoint().network, load_checkpoint(output).network)
    )
    assert numbers == [before, after]
    assert lines[-1] == str(output)
    assert output.stat().st_size < model.stat().st_size


def test_command_says_what_each_layer_does(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["prune", str(model), "--method", "structured", "--sensitivity", str(corpus(tmp_path / "in"))]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert re.findall(r"(blocks\.\d) │ +(\d+)%", said.out) == [
        (f"blocks.{block}", amount) for block in range(3) for amount in ("25", "50", "75")
    ]
    assert said.err == ""


def test_command_draws_what_each_layer_does(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plot)")
    figure = tmp_path / "found.svg"
    arguments = ["prune", str(model), "--sensitivity", str(corpus(tmp_path / "in")), "--method", "structured"]
    assert cli.main([*arguments, "--plot", str(figure)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(figure)
    drawn = figure.read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("blocks.0", "blocks.2", "25% pruned", "75% pruned"))


def test_fine_tuned_zeros_stay(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, results = corpus_of(tmp_path, 12)
    output = tmp_path / "small.safetensors"
    arguments = ["prune", str(model), "-o", str(output), "--corpus", str(source), str(results), "--epochs", "2"]
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        assert cli.main(arguments) == 0
    torch.set_num_threads(threads)
    assert capsys.readouterr().out.splitlines()[-1] == str(output)
    zeros = pruned(random_checkpoint(), "magnitude", 0.5)
    tuned = load_checkpoint(output)
    assert "initial" in tuned.training
    for name, old in matrices(zeros.network).items():
        assert torch.equal(matrices(tuned.network)[name] == 0, old == 0)
    assert not torch.equal(matrices(tuned.network)["input"], matrices(zeros.network)["input"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give -o, the model to write, or --sensitivity, recordings to measure on"),
        (["--sensitivity", "x", "--corpus", "a", "b"], "--corpus needs -o, the model to write"),
        (["-o", "a", "--plot", "a.png"], "--plot needs --sensitivity, recordings to measure on"),
        (["--sensitivity", "x", "--plot", "a.gif"], "--plot: the suffix of 'a.gif' must be one of .png, .svg, .pdf"),
        (["--amount", "1"], "argument --amount: must be from 0 up to, not including, 1, got '1'"),
        (["--amount", "half"], "argument --amount: must be from 0 up to, not including, 1, got 'half'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["prune", "en", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_place_that_is_not_there_is_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prune", str(model), "-o", str(tmp_path / "none" / "a.safetensors")]) == 1
    assert "a.safetensors: there is no folder" in capsys.readouterr().err
