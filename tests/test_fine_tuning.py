"""Fine-tuning: where it begins, what it keeps, what it writes; the training set that a corpus gives."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from tiny_speech import PHONE_S, PHONES, tones, write_training_set

from streamhmm import cli
from streamhmm.acoustic import training
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.acoustic.training import train
from streamhmm.acoustic.training.manifest import read_manifest
from streamhmm.corpus import fine_tuning, training_set
from streamhmm.corpus.journal import Entry, append, open_journal
from streamhmm.corpus.training_set import DROPPED_SHARE
from streamhmm.errors import CorpusError, ModelError, OutputError, TextError
from streamhmm.formats.textgrid import format_textgrid
from streamhmm.formats.tiers import Tiers
from streamhmm.segment import Segment


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def said(console: Console) -> str:
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def silent() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with all that a model may have."""
    folder = tmp_path_factory.mktemp("initial")
    with torch.random.fork_rng():
        config = write_training_set(folder, schedule="learning_rate = 1e-2\nbfloat16 = false")
        config.write_text(config.read_text().replace("epochs = 2", "epochs = 12\npatience = 12"))
        path = train(config, console=silent())
    assert path is not None
    full = dataclasses.replace(load_checkpoint(path), calibration={"some": 1}, label_means=torch.ones(40, 80))
    save_checkpoint(full, path)
    return path


def fine_tuning_config(folder: Path, initial: Path, schedule: str = "learning_rate = 1e-3") -> Path:
    return write_training_set(
        folder, top=f'initial = "{initial.as_posix()}"\nfine_tune = true', schedule=f"bfloat16 = false\n{schedule}"
    )


def losses(report: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"loss ([\d.]+)", report)]


def dev_losses(report: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"dev ([\d.]+)", report)]


def test_it_begins_with_the_initial_weights_and_keeps_what_belongs_to_them(initial: Path, tmp_path: Path) -> None:
    report, scratch = silent(), silent()
    path = train(fine_tuning_config(tmp_path, initial), console=report)
    assert path == tmp_path / "out" / "model.safetensors"
    (tmp_path / "scratch").mkdir()
    train(write_training_set(tmp_path / "scratch"), console=scratch)
    assert losses(said(report))[0] < 0.95 * losses(said(scratch))[0]
    assert said(report).startswith(f"{initial}: dev ")
    before, *after = dev_losses(said(report))
    assert min(after) < before
    old, new = load_checkpoint(initial), load_checkpoint(path)
    assert torch.equal(new.log_prior, old.log_prior)
    assert new.label_means is not None
    assert torch.equal(new.label_means, torch.ones(40, 80))
    assert new.calibration == {"some": 1}
    assert new.training["initial"] == {"model": str(initial), "training": old.training}
    dev = f"{tmp_path.as_posix()}/dev.jsonl"
    assert new.training["dev"][dev]["loss"] == pytest.approx(min(after), abs=1e-4)


def test_nothing_is_written_where_nothing_is_better(initial: Path, tmp_path: Path) -> None:
    config = fine_tuning_config(tmp_path, initial, "learning_rate = 10.0")
    assert train(config, console=silent()) is None
    assert not (tmp_path / "out" / "model.safetensors").exists()


class StoppingConsole(Console):
    """A console that interrupts the run when the first epoch is reported."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO())

    def print(self, *objects: Any, **options: Any) -> None:
        if str(objects[0]).startswith("epoch 1"):
            raise KeyboardInterrupt


def test_it_resumes(initial: Path, tmp_path: Path) -> None:
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole, stopped = (fine_tuning_config(tmp_path / name, initial) for name in ("whole", "stopped"))
    expected = silent()
    train(whole, console=expected)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, console=StoppingConsole())
    report = silent()
    assert train(stopped, resume=True, console=report) is not None
    assert losses(said(report)) == losses(said(expected))[1:]
    assert dev_losses(said(report)) == dev_losses(said(expected))[2:]


def test_another_initial_model_may_be_named_beside_the_configuration(initial: Path, tmp_path: Path) -> None:
    report = silent()
    config = fine_tuning_config(tmp_path, tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match=r"none\.safetensors: no such model file"):
        train(config, console=report)
    assert train(config, console=report, initial=str(initial)) is not None
    with pytest.raises(ModelError, match=r"^en: a NetworkConfig\(.*width=192.*set \[network\] to it, or leave"):
        train(config, console=report, initial="en")


def test_fine_tuning_from_nothing_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="fine_tune needs an initial model; correct the configuration"):
        train(write_training_set(tmp_path, top="fine_tune = true"), console=silent())


# ---- the training set of a corpus

LABELS = PHONES[1:-1]


def corpus_of(folder: Path, count: int, speakers: int = 1, rate: int = 16000) -> tuple[Path, Path]:
    """A corpus of tones and what aligning it gave; the later an utterance, the better it fits."""
    source, results = folder / "in", folder / "out"
    journal = open_journal(str(results))
    for index in range(count):
        name = f"s{index % speakers}/u{index:02}"
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(source / f"{name}.wav", np.roll(tones(), index), rate)
        (source / f"{name}.lab").write_text("see Karma")
        scale = 16000 / rate
        phones = [
            Segment(label, (i + 1) * PHONE_S * scale, (i + 2) * PHONE_S * scale) for i, label in enumerate(LABELS)
        ]
        words = (Segment("see", phones[0].start, phones[1].end), Segment("Karma", phones[2].start, phones[4].end))
        tiers = Tiers(words, tuple(phones), (0, 0, 1, 1, 1), 7 * PHONE_S * scale)
        (results / f"{name}.TextGrid").write_text(format_textgrid(tiers))
        append(journal, Entry(name, "key", {"mean_score": index / count}, {}))
    journal.close()
    return source, results


def test_labels_are_those_of_the_results(tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, 20)
    found = training_set.write_training_set(source, results, tmp_path)
    train_set, dev_set = read_manifest(found.train), read_manifest(found.dev)
    assert (len(train_set), len(dev_set)) == (found.train_utterances, found.dev_utterances) == (15, 2)
    assert found.train_s == pytest.approx(15 * 0.7)
    names = {one.audio.resolve() for one in (*train_set, *dev_set)}
    dropped = round(20 * DROPPED_SHARE)
    assert names == {source / f"s0/u{index:02}.wav" for index in range(dropped, 20)}
    units = train_set[0].units
    assert units is not None
    assert [(unit.phones, round(unit.start, 6), round(unit.end, 6)) for unit in units] == [
        ((label,), pytest.approx(i * PHONE_S), pytest.approx((i + 1) * PHONE_S)) for i, label in enumerate(PHONES)
    ]
    assert train_set[0].text == "see Karma"


def test_whole_speakers_are_held_out_where_there_are_enough(tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, 40, speakers=10)
    found = training_set.write_training_set(source, results, tmp_path)
    speakers = [{one.speaker for one in read_manifest(path)} for path in (found.train, found.dev)]
    assert not speakers[0] & speakers[1]
    assert [len(one) for one in speakers] == [9, 1]


def test_other_rates_are_converted(tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, 12, rate=8000)
    found = training_set.write_training_set(source, results, tmp_path)
    for utterance in read_manifest(found.train):
        info = soundfile.info(utterance.audio)
        assert (info.samplerate, info.channels, info.frames) == (16000, 1, 2 * len(tones()))


@pytest.mark.parametrize("count", [0, 5, 11])
def test_too_little_is_named(count: int, tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, count)
    source.mkdir(exist_ok=True)
    kept = round(count * (1 - DROPPED_SHARE))
    message = rf"out: {kept} aligned utterances to train on, it takes 10; run `streamhmm corpus` first"
    with pytest.raises(CorpusError, match=message):
        training_set.write_training_set(source, results, tmp_path)


def test_results_without_phones_are_named(tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, 12)
    for path in results.rglob("*.TextGrid"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"no result with phones \(\.TextGrid, \.json\); run `streamhmm corpus`"):
        training_set.write_training_set(source, results, tmp_path)


# ---- the command


def test_a_model_learns_from_its_corpus(initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, results = corpus_of(tmp_path, 12)
    output = tmp_path / "my.safetensors"
    arguments = ["train", "--init", str(initial), "--corpus", str(source), str(results), "-o", str(output)]
    assert cli.main([*arguments, "--epochs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{initial}: dev ")
    assert [line.split(":")[0] for line in lines[1:3]] == ["epoch 1", "epoch 2"]
    if output.exists():
        assert lines[3] == str(output)
        assert load_checkpoint(output).calibration == {"some": 1}
    else:
        assert lines[3] == f"nothing is better than {initial} on what was held out; no model is written"
    assert (tmp_path / "my.safetensors.training" / "last.pt").is_file()


def test_the_folder_for_training_can_not_be_made(initial: Path, tmp_path: Path) -> None:
    source, results = corpus_of(tmp_path, 12)
    (tmp_path / "my.training").write_text("a file")
    with pytest.raises(OutputError, match=r"my\.training: .*; choose another place"):
        fine_tuning.fine_tune(source, results, tmp_path / "my", initial=str(initial))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --config --corpus is required"),
        (["--config", "a", "--corpus", "b", "c"], "not allowed with argument"),
        (["--corpus", "a", "b"], "--corpus needs -o, the model to write"),
        (["--config", "a", "-o", "b"], "--output and --epochs go with --corpus; the file of --config says both"),
        (["--config", "a", "--epochs", "2"], "--output and --epochs go with --corpus; the file of --config says both"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_nothing_better_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(training, "train", lambda config, **options: None)
    assert cli.main(["train", "--config", "a.toml", "--init", "en"]) == 0
    said = capsys.readouterr().out
    assert said == "nothing is better than the initial model on what was held out; no model is written\n"
