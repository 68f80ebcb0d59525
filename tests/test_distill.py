"""A student learns what its teacher says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from test_fine_tuning import corpus_of, initial, silent
from test_network import random_checkpoint
from tiny_speech import write_training_set

from streamhmm import cli
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.acoustic.training import train
from streamhmm.acoustic.training.teaching import divergence
from streamhmm.corpus.distilling import student_config
from streamhmm.errors import TextError

__all__ = ["initial"]


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def test_divergence_is_that_of_the_textbook() -> None:
    teacher, student = torch.randn(2, 2, 5, 4).log_softmax(-1)
    expected = sum(p * (p / q).log() for p, q in zip(teacher.exp().flatten(), student.exp().flatten(), strict=True))
    torch.testing.assert_close(divergence(teacher, student), expected / 10)
    assert float(divergence(teacher, teacher)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("weight", "follows"), [(1.0, True), (0.0, False)])
def test_student_follows_its_teacher_as_far_as_it_is_told(
    initial: Path, tmp_path: Path, weight: float, follows: bool
) -> None:
    """The teacher hears label 7 everywhere, which none of the labels says."""
    teacher = load_checkpoint(initial)
    teacher.network.trunk.output.weight.zero_()
    teacher.network.trunk.output.bias.copy_(5.0 * (torch.arange(80) % 40 == 7))
    save_checkpoint(teacher, tmp_path / "teacher.safetensors")
    top = f'teacher = "{tmp_path.as_posix()}/teacher.safetensors"\nteacher_weight = {weight}'
    config = write_training_set(tmp_path, top=top, schedule="learning_rate = 1e-2\nbfloat16 = false")
    config.write_text(config.read_text().replace("epochs = 2", "epochs = 12\npatience = 12"))
    # Epochs are chosen by boundaries, which such a teacher does not know: the last one is what it has learnt.
    train(config, console=silent())
    student = load_checkpoint(tmp_path / "out" / "model.safetensors")
    last = torch.load(tmp_path / "work" / "last.pt", weights_only=True)
    student.network.load_state_dict(last["network"])
    heard = student.network(torch.randn(1, 80, 80))[0].argmax(-1)
    assert (float((heard == 7).double().mean()) > 0.3) == follows
    notes = {"model": f"{tmp_path.as_posix()}/teacher.safetensors", "source": teacher.fingerprint, "weight": weight}
    assert student.training["teacher"] == notes
    assert student.label_means is not None
    assert student.calibration is None


def test_weight_is_a_share(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"teacher_weight must be from 0 to 1, got 1\.5; correct the configuration"):
        train(write_training_set(tmp_path, top="teacher_weight = 1.5"), console=silent())


def test_sizes_of_a_student() -> None:
    config = student_config(48, 96, 5)
    assert (config.width, config.hidden, config.dilations) == (48, 96, (1, 2, 4, 1, 2))


def test_command_trains_a_student(initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, results = corpus_of(tmp_path, 12)
    output = tmp_path / "student.safetensors"
    sizes = ["--width", "8", "--hidden", "8", "--blocks", "2", "--epochs", "2"]
    arguments = ["distill", "--corpus", str(source), str(results), "-o", str(output), "--teacher", str(initial)]
    assert cli.main([*arguments, *sizes]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["epoch 1", "epoch 2"]
    assert lines[2].startswith(f"{output}: 0.0")
    assert lines[3].startswith("on 1 held-out utterances: ")
    assert load_checkpoint(output).config == student_config(8, 8, 2)
    assert load_checkpoint(output).training["teacher"]["weight"] == 0.7


@pytest.mark.parametrize("weight", ["1.5", "-1", "much"])
def test_wrong_usage(weight: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["distill", "--corpus", "a", "b", "-o", "c", f"--weight={weight}"])
    assert ended.value.code == 2
    assert f"argument --weight: must be from 0 to 1, got '{weight}'" in capsys.readouterr().err


def test_training_file_may_give_each_block_its_size(tmp_path: Path) -> None:
    config = write_training_set(tmp_path)
    config.write_text(config.read_text().replace("hidden = 16", "hidden = [24]"))
    path = train(config, console=silent())
    assert path is not None
    assert load_checkpoint(path).config.hidden == (24,)
    config.write_text(config.read_text().replace("hidden = [24]", 'hidden = "many"'))
    with pytest.raises(TextError, match=r"network\.hidden must be int, got 'many'"):
        train(config, console=silent())
    assert random_checkpoint().config.hidden_sizes == (32, 32, 32)
