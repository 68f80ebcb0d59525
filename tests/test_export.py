"""``streamhmm export``: every form computes what the network does, and nothing else is kept."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from test_network import SMALL, noise, random_checkpoint

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.backends.runtime import PRECISIONS as RUNTIME_PRECISIONS
from streamhmm.acoustic.checkpoint import Checkpoint, save_checkpoint
from streamhmm.acoustic.exported import ExportedModel, example, load_model, writing
from streamhmm.acoustic.exported.model import FORMS
from streamhmm.acoustic.exported.torch_files import load_program, load_torchscript, program_step
from streamhmm.acoustic.exported.writing import export_model, largest_difference
from streamhmm.acoustic.network import AcousticNetwork
from streamhmm.cli import main
from streamhmm.cli.export import SUFFIXES
from streamhmm.errors import BackendUnavailable, ModelError, OutputError


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(random_checkpoint(), path)
    return path


@pytest.mark.parametrize(
    ("name", "precision", "kept_precision", "tolerance"),
    [
        ("x.onnx", "auto", "fp32", 1e-4),
        ("x.onnx", "fp16", "fp16", 0.05),
        ("x.onnx", "int8", "int8", 0.5),
        ("x.ts", "fp32", "fp32", 1e-4),
        ("x.pt2", "auto", "fp32", 1e-4),
    ],
)
def test_files_are_written_and_checked(
    tmp_path: Path, name: str, precision: str, kept_precision: str, tolerance: float
) -> None:
    path = tmp_path / name
    path.write_text("an earlier file")
    written = export_model(random_checkpoint(), path, precision)
    assert (written.path, written.form, written.precision) == (path, FORMS[path.suffix], kept_precision)
    assert written.size == path.stat().st_size
    assert written.difference < tolerance
    model = load_model(path)
    assert isinstance(model, ExportedModel)
    assert (model.form, model.precision, model.source) == (
        written.form,
        kept_precision,
        random_checkpoint().fingerprint,
    )
    assert model.provenance == {"torch": torch.__version__}
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (1, 2), (3, 1), (4, 70), (1, 600)])
@pytest.mark.parametrize("name", ["x.ts", "x.pt2"])
def test_pytorchs_files_take_any_sizes(
    tmp_path_factory: pytest.TempPathFactory, name: str, batch: int, steps: int
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    checkpoint = random_checkpoint()
    if not path.exists():
        export_model(checkpoint, path)
    step = load_torchscript(path) if path.suffix == ".ts" else program_step(load_program(path))
    frames, states = (torch.randn_like(each) for each in example(checkpoint.network, batch, steps))
    with torch.inference_mode():
        torch.testing.assert_close(step(frames, states), checkpoint.network.trunk(frames, states), atol=1e-5, rtol=0)


def test_onnx_is_simplified_with_named_and_free_sizes_and_no_notes(tmp_path: Path) -> None:
    export_model(random_checkpoint(), tmp_path / "x.onnx")
    graph = onnx.load(tmp_path / "x.onnx").graph
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    steps = sum(SMALL.pasts)
    assert shapes == {
        "frames": ["batch", "2*pairs", 80],
        "states": ["batch", steps, 16],
        "log_posteriors": ["batch", "2*pairs - 6", 40],
        "states_after": ["batch", steps, 16],
    }
    assert not any(node.metadata_props or node.doc_string for node in graph.node)
    assert {node.op_type for node in graph.node}.isdisjoint({"Identity", "Constant", "Dropout", "Cast", "Gather"})


def test_an_onnx_file_becomes_another(tmp_path: Path) -> None:
    export_model(random_checkpoint(), tmp_path / "x.onnx")
    model = load_model(tmp_path / "x.onnx")
    smaller = export_model(model, tmp_path / "y.onnx", "int8")
    same = export_model(load_model(smaller.path), tmp_path / "z.onnx")
    assert (smaller.precision, same.precision) == ("int8", "int8")
    assert onnx.load(same.path).graph == onnx.load(smaller.path).graph
    assert load_model(same.path).training == {}
    with pytest.raises(
        BackendUnavailable, match=r"a \.onnx file of this model has no precision fp16; choose one of: auto, int8"
    ):
        export_model(load_model(smaller.path), tmp_path / "z.onnx", "fp16")


@pytest.mark.parametrize("name", ["y.ts", "y.pt2"])
def test_an_onnx_file_has_no_weights_for_pytorch(tmp_path: Path, name: str) -> None:
    export_model(random_checkpoint(), tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=r"x\.onnx: has no weights for PyTorch; export the safetensors file"):
        export_model(load_model(tmp_path / "x.onnx"), tmp_path / name)


def test_no_onnx_comes_of_torchscript(tmp_path: Path) -> None:
    export_model(random_checkpoint(), tmp_path / "x.ts")
    with pytest.raises(ModelError, match=r"x\.ts: no ONNX graph can be made of it; give the file it was made from"):
        export_model(load_model(tmp_path / "x.ts"), tmp_path / "x.onnx")


def test_what_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = random_checkpoint(seed=1)

    def write_other(model: Checkpoint, path: Path, precision: str, device: str) -> None:
        writing.write_torchscript(other, path)

    monkeypatch.setitem(writing._WRITERS, "torchscript", write_other)
    (tmp_path / "x.ts").write_text("an earlier file")
    with pytest.raises(ModelError, match=r"x\.ts: not written, its log-posteriors on noise differ by \d"):
        export_model(random_checkpoint(), tmp_path / "x.ts")
    assert [each.name for each in tmp_path.iterdir()] == ["x.ts"]
    assert (tmp_path / "x.ts").read_text() == "an earlier file"


def test_nan_is_not_kept(tmp_path: Path) -> None:
    network = AcousticNetwork(SMALL).eval().requires_grad_(False)
    network.trunk.output.bias.fill_(torch.nan)
    with pytest.raises(ModelError, match="differ by nan"):
        export_model(Checkpoint(network, torch.zeros(40)), tmp_path / "x.ts")
    assert not list(tmp_path.iterdir())


def test_every_precision_has_its_tolerance() -> None:
    assert set(writing.TOLERANCES) == set(RUNTIME_PRECISIONS)


def test_difference_is_that_of_the_largest_entry(tmp_path: Path) -> None:
    """A bias on one logit before the softmax moves every log-posterior by a known amount at most."""
    checkpoint = random_checkpoint()
    export_model(checkpoint, tmp_path / "x.ts")
    moved = random_checkpoint()
    moved.network.trunk.output.bias[0] += 0.5
    assert 0.4 < largest_difference(moved, tmp_path / "x.ts") < 0.5


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"there is no folder .*none; make it first"):
        export_model(random_checkpoint(), tmp_path / "none" / "x.ts")
    (tmp_path / "x.ts").mkdir()
    with pytest.raises(OutputError, match="this is a directory; name a file in it"):
        export_model(random_checkpoint(), tmp_path / "x.ts")
    with pytest.raises(ValueError, match=r"x\.wav: the suffix must be one of \.onnx, \.ts"):
        export_model(random_checkpoint(), tmp_path / "x.wav")


@pytest.mark.parametrize("form", ["torchscript", "program"])
def test_files_of_pytorch_that_are_damaged_inside_are_named(tmp_path: Path, form: str) -> None:
    load = {"torchscript": load_torchscript, "program": load_program}[form]
    path = tmp_path / "x"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"can't read it \(.*\); export the model again with this PyTorch"):
        load(path)


def test_command_writes_what_the_aligner_takes(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.onnx"
    assert main(["export", str(model_file), "-o", str(target), "--precision", "fp32"]) == 0
    output = capsys.readouterr().out
    size = target.stat().st_size / 1e6
    assert output.startswith(f"{target}: onnx in fp32, {size:.2f} MB; log-posteriors of noise differ by ")
    samples = noise(5000)
    expected = AcousticModel.load(model_file).scores(samples)
    torch.testing.assert_close(AcousticModel.load(target).scores(samples), expected, atol=1e-4, rtol=0)


def test_command_refuses_other_suffixes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "en", "-o", "x.wav"])
    assert "x.wav: the suffix must be one of .onnx, .ts, .pt, .pt2, .engine, .plan" in capsys.readouterr().err
    assert tuple(FORMS) == SUFFIXES


def test_command_names_what_it_cannot_do(tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(model_file), "-o", str(tmp_path / "x.ts"), "--precision", "int8"]) == 1
    assert "a .ts file of this model has no precision int8; choose one of: auto, fp32" in capsys.readouterr().err
