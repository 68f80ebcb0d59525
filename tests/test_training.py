"""Training runs: the same seed gives the same model, a stopped run goes on as if it had not been, misuse is named."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from rich.console import Console
from tiny_speech import entry_of, tones, write_training_set

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.checkpoint import load_checkpoint
from streamhmm.acoustic.training import train
from streamhmm.acoustic.training.manifest import write_manifest
from streamhmm.errors import AudioError, ModelError, OutputError, TextError

COMMAND = (sys.executable, "-m", "streamhmm.cli", "train", "--config")
# A shell starts what it runs in the background with SIGINT ignored, and programs inherit that.
HEEDING_SIGINT = (
    "import signal, sys\nfrom streamhmm.cli import main\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\nsys.exit(main())"
)


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    """Training sets the number of threads and the seed of the process."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


class StoppingConsole(Console):
    """A console that interrupts the run when the first epoch is reported."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO())

    def print(self, *objects: Any, **options: Any) -> None:
        raise KeyboardInterrupt


def silent() -> Console:
    return Console(file=io.StringIO())


def weights(model: Path) -> dict[str, torch.Tensor]:
    checkpoint = load_checkpoint(model)
    return {**checkpoint.network.state_dict(), "log_prior": checkpoint.log_prior}


def assert_same_model(one: Path, other: Path) -> None:
    assert load_checkpoint(one).training == load_checkpoint(other).training
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two epochs were trained in one go."""
    folder = tmp_path_factory.mktemp("trained")
    train(write_training_set(folder), console=silent())
    return folder


def model_of(folder: Path) -> Path:
    return folder / "out" / "model.safetensors"


def config_beside(trained: Path, folder: Path) -> Path:
    """The configuration of ``trained``, its data included, with what it writes going to ``folder``."""
    text = (trained / "config.toml").read_text()
    for name in ("out", "work"):
        text = text.replace(f"{trained.as_posix()}/{name}", f"{folder.as_posix()}/{name}")
    (folder / "config.toml").write_text(text)
    return folder / "config.toml"


def test_result_is_a_model_with_notes_and_a_prior_of_its_labels(trained: Path) -> None:
    model = AcousticModel.load(model_of(trained))
    assert model.training["seed"] == 1
    assert 2 <= model.training["steps"] / model.training["epoch"] <= 3  # by the speeds that were drawn
    assert list(model.training["dev"]) == [f"{trained.as_posix()}/dev.jsonl"]
    torch.testing.assert_close(model.log_prior.exp().sum(), torch.tensor(1.0))
    assert model.log_prior.argmax() == model.silence
    samples = torch.from_numpy(tones() / 32768).float()
    torch.testing.assert_close(model.log_posteriors(samples).exp().sum(1), torch.ones(70))
    assert not list(trained.rglob("*.part"))


def test_same_seed_gives_the_same_model_and_another_seed_another(trained: Path, tmp_path: Path) -> None:
    config = config_beside(trained, tmp_path)
    train(config, console=silent())
    assert_same_model(model_of(trained), model_of(tmp_path))
    config.write_text(config.read_text() + "seed = 2\n")
    train(config, console=silent())
    biases = [weights(model_of(folder))["trunk.output.bias"] for folder in (trained, tmp_path)]
    assert not torch.equal(*biases)


def test_resumed_run_equals_an_unbroken_one(trained: Path, tmp_path: Path) -> None:
    config = config_beside(trained, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(config, console=StoppingConsole())
    assert torch.load(tmp_path / "work" / "last.pt", weights_only=True)["epoch"] == 1
    report = silent()
    assert train(config, resume=True, console=report) == model_of(tmp_path)
    assert report.file.getvalue().startswith("epoch 2: ")  # type: ignore[attr-defined]
    ended = [torch.load(folder / "work" / "last.pt", weights_only=True) for folder in (trained, tmp_path)]
    for state in ended:
        del state["seconds"]
    torch.testing.assert_close(ended[0], ended[1], rtol=0, atol=0)
    assert_same_model(model_of(trained), model_of(tmp_path))


def test_initial_weights_are_where_training_starts(trained: Path, tmp_path: Path) -> None:
    slow = "learning_rate = 1e-12\nweight_decay = 0.0"
    config = write_training_set(tmp_path, top=f'initial = "{model_of(trained).as_posix()}"', schedule=slow)
    train(config, console=silent())
    started, ended = weights(model_of(trained)), weights(model_of(tmp_path))
    del started["log_prior"], ended["log_prior"]
    torch.testing.assert_close(started, ended, rtol=0, atol=1e-8)


def test_training_stops_when_boundaries_stop_getting_better(tmp_path: Path) -> None:
    report = silent()
    config = write_training_set(tmp_path, schedule="patience = 1\nlearning_rate = 1e-12\nbfloat16 = false")
    config.write_text(config.read_text().replace("epochs = 2", "epochs = 9"))
    train(config, console=report)
    epochs = report.file.getvalue().count("epoch")  # type: ignore[attr-defined]
    assert epochs < 9
    assert load_checkpoint(model_of(tmp_path)).training["epoch"] == epochs - 1


def test_terminal_shows_a_progress_bar(tmp_path: Path) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    train(write_training_set(tmp_path), console=terminal)
    assert "━" in terminal.file.getvalue()  # type: ignore[attr-defined]


def test_interrupted_command_leaves_a_checkpoint_to_resume_from(trained: Path, tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    config.write_text(config.read_text().replace("epochs = 2", "epochs = 100000\npatience = 100000"))
    command = [sys.executable, "-c", HEEDING_SIGINT, "train", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("epoch 1: loss ")
        run.send_signal(signal.SIGINT)
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (-signal.SIGINT, "streamhmm: interrupted\n")
    assert "\x1b" not in output
    assert "━" not in output
    epoch = torch.load(tmp_path / "work" / "last.pt", weights_only=True)["epoch"]
    with pytest.raises(KeyboardInterrupt):
        train(config, resume=True, console=StoppingConsole())
    assert torch.load(tmp_path / "work" / "last.pt", weights_only=True)["epoch"] == epoch + 1
    AcousticModel.load(model_of(tmp_path))


def test_command_names_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    config = write_training_set(tmp_path, schedule="epoch = 3")
    done = subprocess.run([*COMMAND, str(config)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"streamhmm: {config}: unknown key schedule.epoch, expected one of average, batch, ")


def test_nothing_to_resume_from_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"last\.pt: nothing to resume from; start without --resume"):
        train(write_training_set(tmp_path), resume=True, console=silent())


@pytest.mark.parametrize("damage", ["cut", "other size", "other content"])
def test_checkpoint_that_does_not_fit_is_named(trained: Path, tmp_path: Path, damage: str) -> None:
    config = write_training_set(tmp_path)
    saved = (trained / "work" / "last.pt").read_bytes()
    (tmp_path / "work").mkdir()
    last = tmp_path / "work" / "last.pt"
    last.write_bytes(b"" if damage == "cut" else saved)
    if damage == "other content":
        torch.save({"epoch": 1}, last)
    if damage == "other size":
        config.write_text(config.read_text().replace("width = 8", "width = 16"))
    with pytest.raises(ModelError, match=r"last\.pt: damaged, or of another \[network\]; start without"):
        train(config, resume=True, console=silent())


def test_initial_model_of_another_size_is_named(trained: Path, tmp_path: Path) -> None:
    config = write_training_set(tmp_path, top=f'initial = "{model_of(trained).as_posix()}"')
    config.write_text(config.read_text().replace("width = 8", "width = 16"))
    with pytest.raises(ModelError, match=r"a NetworkConfig\(.*width=8.*set \[network\] to it, or leave initial out"):
        train(config, console=silent())


def test_too_little_audio_is_named(tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    config.write_text(config.read_text().replace("batch = 2", "batch = 200"))
    with pytest.raises(TextError, match=r"shorter than one batch \(200 rows of 0\.5 s\); give more, or lower"):
        train(config, console=silent())


def test_dev_set_without_a_known_boundary_is_named(tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    write_manifest(tmp_path / "dev.jsonl", [entry_of("4.wav", ("S",))])
    with pytest.raises(TextError, match=r"dev\.jsonl: no boundary between known phones to measure; name another"):
        train(config, console=silent())


def test_unlabelled_manifest_is_named(tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    (tmp_path / "train.jsonl").write_text(json.dumps({"audio": "0.wav", "text": "see"}))
    with pytest.raises(TextError, match=r"train\.jsonl: 0\.wav has no phones; label the manifest first"):
        train(config, console=silent())


@pytest.mark.parametrize(
    ("rate", "channels", "message"),
    [
        (8000, 1, r"training takes 16 kHz mono, got 8000 Hz and 1 channel\(s\); convert it first"),
        (16000, 2, r"training takes 16 kHz mono, got 16000 Hz and 2 channel\(s\); convert it first"),
        (0, 0, r"0\.wav: can't be read \(.*; correct the manifest"),
    ],
)
def test_unfit_audio_is_named(tmp_path: Path, rate: int, channels: int, message: str) -> None:
    config = write_training_set(tmp_path)
    if rate:
        soundfile.write(tmp_path / "0.wav", tones()[:, None].repeat(channels, 1), rate)
    else:
        (tmp_path / "0.wav").unlink()
    with pytest.raises(AudioError, match=message):
        train(config, console=silent())


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match=r"out: can't be made \(File exists\); name another folder"):
        train(config, console=silent())
