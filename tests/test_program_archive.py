"""Exported programs from others: nothing in them is run while they are read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_network import random_checkpoint

from streamhmm.acoustic.exported.onnx_graph import example
from streamhmm.acoustic.exported.torch_files import load_program, program_step, write_program
from streamhmm.errors import ModelError

CHECKPOINT = random_checkpoint()
REFUSED = "holds pickled code or other than streamhmm export writes"


class Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._path, "w"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_program(CHECKPOINT, path)
    return path


def pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def changed(path: Path, to: Path, record: str, change: Callable[[bytes], bytes], name: str | None = None) -> None:
    """Copies an archive with one record changed, or added as ``name``."""
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(to, "w") as after:
        for each in before.namelist():
            content = before.read(each)
            is_meant = each.partition("/")[2] == record
            after.writestr(each, change(content) if is_meant and name is None else content)
            if is_meant and name is not None:
                after.writestr(f"{each.partition('/')[0]}/{name}", change(content))


def test_a_program_is_what_was_written(written: Path) -> None:
    frames, states = example(CHECKPOINT.network)
    found = program_step(load_program(written))(frames, states)
    for one, other in zip(found, CHECKPOINT.network.trunk(frames, states), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("record", ["data/weights/model.pt", "data/constants/model.pt", "data/sample_inputs/model.pt"])
def test_pickles_are_not_run(written: Path, tmp_path: Path, record: str) -> None:
    evil, touched = tmp_path / "evil.pt2", tmp_path / "touched"
    samples = "data/sample_inputs/model.pt"
    name = None if record == samples else record
    changed(written, evil, samples, lambda _: pickled({"x": Touches(touched)}), name)
    with pytest.raises(ModelError, match=REFUSED):
        load_program(evil)
    assert not touched.exists()


@pytest.mark.parametrize("change", [{"use_pickle": True}, {"path_name": "custom_obj_0"}])
def test_pickled_weights_are_not_run(written: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    def with_pickle(content: bytes) -> bytes:
        config = json.loads(content)
        next(iter(config["config"].values())).update(change)
        return json.dumps(config).encode()

    changed(written, tmp_path / "evil.pt2", "data/weights/model_weights_config.json", with_pickle)
    with pytest.raises(ModelError, match=r"is pickled\); it was not read"):
        load_program(tmp_path / "evil.pt2")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("torch.ops.aten.silu.default", "torch.os.system", r"it calls torch\.os\.system"),
        ("Integer(2)", "exec(chr(49))", r"a size is .*exec"),
    ],
)
def test_other_calls_are_not_run(written: Path, tmp_path: Path, before: str, after: str, message: str) -> None:
    evil = tmp_path / "evil.pt2"
    changed(written, evil, "models/model.json", lambda content: content.replace(before.encode(), after.encode()))
    with pytest.raises(ModelError, match=message):
        load_program(evil)


def test_the_older_form_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("version", "8.14")
        archive.writestr("serialized_state_dict.pt", pickled({}))
    with pytest.raises(ModelError, match=r"a record version\)"):
        load_program(tmp_path / "old.pt2")
