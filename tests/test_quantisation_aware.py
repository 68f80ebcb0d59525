"""Quantisation-aware training: what it computes, what it learns, and that the exported file computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from test_fine_tuning import StoppingConsole, corpus_of, initial, silent
from test_network import random_checkpoint, whole
from test_quantise import utterances, written
from tiny_speech import write_training_set

from streamhmm import cli
from streamhmm.acoustic.checkpoint import load_checkpoint
from streamhmm.acoustic.compress.agreement import agreement_of, whole_log_posteriors
from streamhmm.acoustic.compress.quantise import quantise_static
from streamhmm.acoustic.exported import ExportedModel, load_model
from streamhmm.acoustic.features import SILENCE
from streamhmm.acoustic.training import train
from streamhmm.acoustic.training.fake_quantise import FakeQuantisation
from streamhmm.corpus import fine_tuning

__all__ = ["initial"]


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def test_rounding_is_that_of_the_exported_file(tmp_path: Path) -> None:
    """ONNX Runtime's integer kernels with the learnt ranges give what the fake-quantised network gave in torch."""
    checkpoint = random_checkpoint()
    features = utterances(120, 80)
    plain = torch.cat([whole(checkpoint.network, one[None])[0] for one in features])
    fake = FakeQuantisation(checkpoint.network)
    model = quantise_static(checkpoint, features, ranges=[[-1.0, 1.0]] * len(fake.inputs))
    clipped = whole_log_posteriors(written(model, checkpoint, tmp_path / "clipped.onnx"), features)
    fake.attach(checkpoint.network)
    for one in features:
        whole(checkpoint.network, one[None])
    fake.eval()
    rounded = torch.cat([whole(checkpoint.network, one[None])[0] for one in features])
    for matrix in (module for module in checkpoint.network.modules() if isinstance(module, torch.nn.Linear)):
        del matrix.forward
    model = quantise_static(checkpoint, features, ranges=fake.ranges())
    found = whole_log_posteriors(written(model, checkpoint, tmp_path / "a.onnx"), features)
    # Values on the edge between two steps may fall on either side.
    assert agreement_of(rounded, found).mean < 0.25 * agreement_of(plain, found).mean
    assert agreement_of(plain, clipped).mean > 5 * agreement_of(plain, found).mean


def test_ranges_are_learnt_while_it_trains_only() -> None:
    network = random_checkpoint().network
    fake = FakeQuantisation(network)
    fake.attach(network)
    features = torch.randn(1, 40, 80).clamp(-2, 2)
    whole(network, features)
    before = fake.ranges()
    assert before[0] == pytest.approx([SILENCE, float(features.max())], rel=0.02)
    fake.eval()
    whole(network, 10 * features)
    assert fake.ranges() == before
    fake.train()
    whole(network, 10 * features)
    assert fake.ranges()[0][1] > before[0][1]


def test_gradients_pass_through_the_rounding() -> None:
    network = random_checkpoint().network.requires_grad_(True)
    fake = FakeQuantisation(network)
    fake.attach(network)
    whole(network, torch.randn(1, 40, 80))[..., 0].sum().backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in network.parameters() if weight.grad is not None)
    assert network.trunk.input.weight.grad is not None


def configuration(folder: Path, initial: Path) -> Path:
    folder.mkdir(exist_ok=True)
    top = f'initial = "{initial.as_posix()}"\nfine_tune = true\nfake_quantise = true'
    return write_training_set(folder, top=top, schedule="learning_rate = 1e-3\nbfloat16 = false")


def test_ranges_are_noted_in_the_model_and_resumed(initial: Path, tmp_path: Path) -> None:
    whole_run, stopped = (configuration(tmp_path / name, initial) for name in ("whole", "stopped"))
    path = train(whole_run, console=silent())
    assert path is not None
    ranges = load_checkpoint(path).training["ranges"]
    assert len(ranges) == 4  # input, one block's two, output
    assert all(least < largest for least, largest in ranges)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, console=StoppingConsole())
    train(stopped, resume=True, console=silent())
    states = [torch.load(tmp_path / name / "work" / "last.pt", weights_only=True) for name in ("whole", "stopped")]
    torch.testing.assert_close(states[0]["fake"], states[1]["fake"], rtol=0, atol=0)
    torch.testing.assert_close(states[0]["average"], states[1]["average"], rtol=0, atol=0)


def test_command_writes_what_was_tuned(initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, results = corpus_of(tmp_path, 12)
    output = tmp_path / "small.onnx"
    arguments = ["quantize", str(initial), "-o", str(output), "--method", "aware", "--epochs", "4"]
    arguments += ["--corpus", str(source), "--aligned", str(results)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(f"{output}: 0.0")
    tuned, model = load_checkpoint(f"{output}.safetensors"), load_model(output)
    assert isinstance(model, ExportedModel)
    assert (model.source, model.provenance["method"]) == (tuned.fingerprint, "aware")
    assert tuned.training["teacher"]["model"] == str(initial)
    assert model.calibration == {"some": 1}


def test_nothing_better_is_said(
    initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tuning, "train_as", lambda *arguments: None)
    source, results = corpus_of(tmp_path, 12)
    arguments = ["quantize", str(initial), "-o", str(tmp_path / "a.onnx"), "--method", "aware"]
    assert cli.main([*arguments, "--corpus", str(source), "--aligned", str(results)]) == 0
    said = capsys.readouterr().out
    assert said == f"nothing is better than {initial} in 8 bits on what was held out; no model is written\n"


@pytest.mark.parametrize("more", [["--method", "aware"], ["--aligned", "c"]])
def test_what_it_learns_from_must_be_aligned(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["quantize", "en", "-o", "a.onnx", "--corpus", "b", *more])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "--method aware and --aligned, what streamhmm corpus made of the corpus, go together" in said
