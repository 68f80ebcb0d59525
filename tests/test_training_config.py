"""Training configurations: what a file says arrives, and what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_speech import write_training_set

from streamhmm.acoustic.network import NetworkConfig
from streamhmm.acoustic.training.augment import AugmentConfig
from streamhmm.acoustic.training.config import Schedule, Source, TrainingConfig, read_config
from streamhmm.acoustic.training.targets import Masks
from streamhmm.errors import TextError

MINIMAL = 'output = "o"\nwork_dir = "w"\ndev = ["d"]\n[[train]]\nmanifest = "m"\n'
EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples" / "english_model").glob("*.toml"))


def test_every_key_arrives(tmp_path: Path) -> None:
    folder = tmp_path.as_posix()
    config = read_config(write_training_set(tmp_path, top='initial = "i"', train="mask_sonorant_s = 1"))
    assert config == TrainingConfig(
        output=f"{folder}/out/model.safetensors",
        work_dir=f"{folder}/work",
        initial="i",
        train=(Source(f"{folder}/train.jsonl", mask_sonorant_s=1.0, speeds=(0.9, 1.0, 1.1), aspirated=0.5),),
        dev=(f"{folder}/dev.jsonl",),
        network=NetworkConfig(width=8, hidden=16, kernel=3, dilations=(1,), dropout=0.1),
        schedule=Schedule(epochs=2, batch=2, row_s=0.5, warmup_steps=2),
    )
    assert config.train[0].masks == Masks(sonorant_s=1.0)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(MINIMAL + "[augment]\nlevel_db = [-30, -20]\n")
    expected = TrainingConfig("o", "w", (Source("m"),), ("d",), augment=AugmentConfig(level_db=(-30.0, -20.0)))
    assert read_config(tmp_path / "c.toml") == expected


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_documented_configurations_are_valid(path: Path) -> None:
    config = read_config(path)
    assert not Path(config.output).is_absolute()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output = ", r"not TOML \(.*\); correct the file"),
        (
            MINIMAL.replace("output", "outptu"),
            "unknown key outptu, expected one of augment, dev, fake_quantise, fine_tune, initial",
        ),
        (MINIMAL + "mask = 1", "unknown key train.mask, expected one of anchor, aspirated, coded"),
        (MINIMAL.replace('work_dir = "w"\n', ""), "missing key work_dir; correct the configuration"),
        (MINIMAL.replace("manifest", "speeds = [1]\n#"), "missing key train.manifest"),
        (MINIMAL.replace('["d"]', "[]"), r"needs at least one \[\[train\]\] table and one dev manifest; correct"),
        (MINIMAL.replace('["d"]', '"d"'), "dev must be an array, got 'd'"),
        (MINIMAL.replace('["d"]', "[1]"), "dev must be str, got 1"),
        (MINIMAL.replace("[[train]]", "[train]"), "train must be an array, got {'manifest': 'm'}"),
        ("train = [3]\n" + MINIMAL.split("[[")[0], "train must be Source, got 3"),
        ("initial = 3\n" + MINIMAL, r"initial must be .*str.*, got 3"),
        ("schedule = 3\n" + MINIMAL, "schedule must be Schedule, got 3"),
        (MINIMAL + "[schedule]\nepochs = 1.5", "schedule.epochs must be int, got 1.5"),
        (MINIMAL + "[schedule]\nepochs = true", "schedule.epochs must be int, got True"),
        (MINIMAL + "[schedule]\nrow_s = 'long'", "schedule.row_s must be float, got 'long'"),
        (MINIMAL + "[schedule]\nbatch = 0", "schedule.batch must be above 0, got 0"),
        (MINIMAL + "[augment]\nlevel_db = [1]", r"augment.level_db must be an array of 2, got \[1\]"),
        (MINIMAL + "[network]\nn_labels = 3", "network.n_labels must be 40, got 3"),
        (MINIMAL + "speeds = []", r"train.speeds must be one or more numbers above 0, got \[\]"),
        (MINIMAL + "speeds = [0]", r"train.speeds must be one or more numbers above 0, got \[0\.0\]"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(TextError, match=message) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_missing_and_binary_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"c\.toml: no such training configuration; see examples/english_model/1_synth"):
        read_config(tmp_path / "c.toml")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TextError, match=r"c\.toml: not TOML"):
        read_config(tmp_path / "c.toml")
