"""Backends in scenarios: what is worked through, and what the figures say on made-up clocks."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from made_up_clock import Clock
from test_network import noise, random_checkpoint

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import MODULES, torch_eager
from streamhmm.acoustic.checkpoint import Checkpoint, save_checkpoint
from streamhmm.align.aligner import Aligner
from streamhmm.errors import AudioError, BackendUnavailable
from streamhmm.measure import machine, rtf, scenarios
from streamhmm.measure import report as reporting
from streamhmm.measure.inputs import Recording, find_audio, read_inputs
from streamhmm.measure.rtf import Failure, Measured, Usage, measure
from streamhmm.measure.scenarios import LONG_BATCH, LONG_CHUNKS, LONG_WHOLE, Scenario
from streamhmm.measure.stages import STAGES
from streamhmm.measure.subjects import BASELINE, Subject, open_subjects, wanted_settings
from streamhmm.measure.timing import Sample, Stopwatch, summarise
from streamhmm.measure.tutor import tutor_rows

RATE = 16_000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow where other tests run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another backend, "twin", that needs no library: torch under another name."""

    def open_runtime(checkpoint: Checkpoint, settings: RuntimeSettings) -> torch_eager.TorchRuntime:
        runtime = torch_eager.open_runtime(checkpoint, settings)
        runtime.name = "twin"
        return runtime

    module = SimpleNamespace(open_runtime=open_runtime)
    monkeypatch.setitem(sys.modules, "streamhmm.acoustic.backends.twin", module)  # type: ignore[misc]
    monkeypatch.setitem(MODULES, "twin", "twin")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_checkpoint(random_checkpoint(), path)
    return str(path)


def recording(seconds: float, text: str | None = None, seed: int = 1) -> Recording:
    return Recording(Path(f"{seed}.wav"), noise(round(seconds * RATE), seed), RATE, text)


def made_up(name: str) -> Subject:
    """A subject that has no network."""
    backend, precision = name.split()
    model = SimpleNamespace(backend=SimpleNamespace(name=backend, precision=precision, device=torch.device("cpu")))
    return Subject(name, RuntimeSettings(backend, precision), model, 0.0, 0.0, 0.0)  # type: ignore[arg-type]


def real(name: str = "torch") -> Subject:
    settings = RuntimeSettings(name)
    return Subject(f"{name} fp32", settings, AcousticModel(random_checkpoint(), settings), 0.0, 0.0, 0.0)


# ---- figures


def taking(
    clock: Clock, seconds: dict[str, list[float]], audio_s: float = 2.0, batch_size: int | None = None
) -> Scenario:
    """Two calls a round; the seconds of a subject's calls, one after another, all on one core."""
    left = {name: iter(values) for name, values in seconds.items()}

    def once(subject: Subject, watch: Stopwatch) -> list[Sample]:
        return [watch.time(lambda: clock.work(next(left[subject.name])), audio_s) for _ in range(2)]

    return Scenario("made up", once, lambda model: [])


def run(clock: Clock, subjects: Sequence[Subject], *works: Scenario, rounds: int = 3) -> list[Measured | Failure]:
    return list(measure(subjects, works, rounds, lambda subject: Stopwatch(clock.wall, clock.processor)))


def test_figures_of_two_backends() -> None:
    clock = Clock()
    warm, again = [7.0, 8.0, 0.0, 0.0], [9.0, 9.0]
    rounds = {"torch fp32": [[4.0, 5.0], [2.0, 3.0], [1.0, 1.0]], "onnx fp32": [[1.0, 1.0], [1.0, 1.0], [0.5, 0.5]]}
    seconds = {name: [*warm, *(one for each in own for one in (*again, *each))] for name, own in rounds.items()}
    base, other = run(clock, [made_up("torch fp32"), made_up("onnx fp32")], taking(clock, seconds))
    assert isinstance(base, Measured)
    assert isinstance(other, Measured)
    assert (base.subject, base.audio_s, base.calls, base.rounds, base.chunk_s, base.first_s) == (
        *("torch fp32", 4.0, 2, 3, 2.0),
        15.0,
    )
    assert base.call == summarise([4.0, 5.0, 2.0, 3.0, 1.0, 1.0])
    assert (base.rtf, base.speed_up, base.processor_s) == (5.0 / 4.0, 1.0, 5.0)
    assert (other.rtf, other.speed_up, other.processor_s) == (2.0 / 4.0, 2.5, 2.0)
    assert other.stages == {"other": 0.5}
    assert (base.processor_utilisation, other.processor_utilisation) == (1.0, 1.0)


def test_backends_take_turns() -> None:
    order: list[str] = []

    def once(subject: Subject, watch: Stopwatch) -> list[Sample]:
        order.append(subject.name)
        return [Sample(1.0, 1.0, 1.0, {})]

    list(measure([made_up("torch fp32"), made_up("onnx fp32")], [Scenario("made up", once, lambda model: [])], 3))
    assert order == [
        "torch fp32",
        "torch fp32",
        "onnx fp32",
        "onnx fp32",
        *["torch fp32", "torch fp32", "onnx fp32", "onnx fp32"] * 3,
    ]


def test_long_scenarios_have_fewer_rounds_but_two() -> None:
    def once(subject: Subject, watch: Stopwatch) -> list[Sample]:
        return [Sample(1.0, 1.0, 1.0, {})]

    works = [Scenario("a", once, lambda model: [], share=0.5), Scenario("b", once, lambda model: [], share=0.01)]
    assert [found.rounds for found in measure([made_up("torch fp32")], works, 10)] == [5, 2]  # type: ignore[union-attr]


def test_without_a_baseline_there_is_no_speed_up() -> None:
    clock = Clock()
    (found,) = run(clock, [made_up("onnx fp32")], taking(clock, {"onnx fp32": [1.0] * 16}))
    assert isinstance(found, Measured)
    assert math.isnan(found.speed_up)
    assert found.rtf == 0.5


@pytest.mark.parametrize("at", [0, 8])
def test_a_backend_that_fails_says_why_and_the_others_go_on(at: int) -> None:
    clock, left = Clock(), [at]

    def once(subject: Subject, watch: Stopwatch) -> list[Sample]:
        if subject.name == "onnx fp32":
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("no kernel\nin line 3")
        return [watch.time(lambda: clock.work(1.0), 1.0)]

    subjects = [made_up("torch fp32"), made_up("onnx fp32"), made_up("openvino fp32")]
    found = run(clock, subjects, Scenario("made up", once, lambda model: []), rounds=9)
    assert [each for each in found if isinstance(each, Failure)] == [
        Failure("made up", "onnx fp32", "RuntimeError: no kernel")
    ]
    assert [each.subject for each in found if isinstance(each, Measured)] == ["torch fp32", "openvino fp32"]


def test_who_runs_out_of_memory_is_asked_for_no_larger_batch() -> None:
    def once(size: int, subject: Subject, watch: Stopwatch) -> list[Sample]:
        if size >= 4 and subject.name == "onnx fp32":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [Sample(1.0, 1.0, 1.0, {})]

    works = [Scenario(f"{size}", partial(once, size), lambda model: [], batch_size=size) for size in (2, 4, 8)]
    works.append(Scenario("after", partial(once, 0), lambda model: []))
    found = list(measure([made_up("torch fp32"), made_up("onnx fp32")], works, 1))
    assert [(each.scenario, each.subject) for each in found if isinstance(each, Failure)] == [("4", "onnx fp32")]
    done = [each.scenario for each in found if isinstance(each, Measured) and each.subject == "onnx fp32"]
    assert done == ["2", "after"]


def test_who_would_run_out_of_memory_is_asked_for_no_larger_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtf, "memory_limit", lambda: 1000)
    monkeypatch.setattr(rtf, "peak_bytes", iter([400, 501]).__next__)

    def once(subject: Subject, watch: Stopwatch) -> list[Sample]:
        return [Sample(1.0, 1.0, 1.0, {})]

    works = [Scenario(f"{size}", once, lambda model: [], batch_size=size) for size in (1, 2, 4)]
    assert [each.scenario for each in measure([made_up("torch fp32")], works, 1)] == ["1", "2"]


def test_memory_is_that_of_the_process() -> None:
    machine.reset_peak()
    before = machine.resident_bytes()
    taken = np.ones(8_000_000)
    assert machine.resident_bytes() - before > 0.9 * taken.nbytes
    del taken
    assert machine.peak_bytes() - before > 0.9 * 64e6
    assert math.isnan(machine.gpu_utilisation(torch.device("cpu")))


def test_without_the_systems_files_memory_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(self: Path, *arguments: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(Path, "write_text", absent)
    machine.reset_peak()
    assert math.isnan(machine.resident_bytes())
    assert math.isnan(machine.peak_bytes())


@pytest.mark.parametrize("error", [ModuleNotFoundError, RuntimeError])
def test_gpu_utilisation_where_something_tells_it(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(device: torch.device) -> int:
        raise error

    monkeypatch.setattr(torch.cuda, "utilization", lambda device: 25)
    assert machine.gpu_utilisation(torch.device("cuda")) == 0.25
    monkeypatch.setattr(torch.cuda, "utilization", refuse)
    assert math.isnan(machine.gpu_utilisation(torch.device("cuda")))


# ---- subjects


def test_wanted_settings_begin_with_the_baseline_and_have_it_once(tmp_path: Path) -> None:
    both = wanted_settings(["onnx", "torch"], ["int8", "fp32"], "cpu")
    assert [(each.backend, each.precision) for each in both] == [
        *[BASELINE, ("onnx", "int8"), ("onnx", "fp32"), ("torch", "int8")],
    ]
    assert {each.device for each in both} == {"cpu"}
    saved = RuntimeSettings("onnx", "fp32", options={"threads": 1})
    saved.save(tmp_path / "fast.json")
    files = wanted_settings([str(tmp_path / "fast.json")])
    assert files == [RuntimeSettings(*BASELINE), saved]
    assert len(wanted_settings()) > len(both)


@pytest.mark.usefixtures("twin")
def test_subjects_that_open_and_those_that_do_not(model_file: str) -> None:
    clock = Clock()

    def ticking() -> float:
        clock.work(1.0)
        return clock.wall()

    wanted = wanted_settings(["torch", "twin", "abacus"], ["fp32", "auto"])
    opened = open_subjects(model_file, wanted, ticking)
    assert [subject.name for subject in opened.subjects] == ["torch fp32", "twin fp32"]
    assert [(subject.prepare_s, subject.load_s) for subject in opened.subjects] == [(1.0, 1.0)] * 2
    assert [subject.is_baseline for subject in opened.subjects] == [True, False]
    assert [each.name for each in opened.missing] == ["abacus fp32", "abacus auto"]
    assert opened.missing[0].reason.startswith("backend abacus is unknown")


def test_a_library_that_cant_be_read_is_missing(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: object) -> None:
        raise OSError("libtwin.so: cannot open shared object file")

    monkeypatch.setattr("streamhmm.measure.subjects._open", torn)
    opened = open_subjects(model_file, [RuntimeSettings("twin", "fp32")])
    assert opened.missing == [("twin fp32", "libtwin.so: cannot open shared object file")]


# ---- scenarios


def works(subject: Subject, scenario: Scenario, monkeypatch: pytest.MonkeyPatch | None = None) -> list[Sample]:
    watch = Stopwatch()
    with watch.hooked(scenario.hooks(subject.model)):
        return scenario.once(subject, watch)


def named(found: Sequence[Scenario], name: str) -> Scenario:
    return next(each for each in found if each.name == name)


def test_network_scenarios_work_through_the_audio_they_say() -> None:
    found = {each.name: works(real(), each) for each in scenarios.network_scenarios([recording(2.5), recording(1.5)])}
    lengths = {name: [sample.audio_s for sample in samples] for name, samples in found.items()}
    assert lengths == {
        scenarios.SINGLE: [1.0],
        scenarios.SHORT: [3.0],
        LONG_CHUNKS: [1.0] * 10,
        LONG_BATCH: [10.0],
        LONG_WHOLE: [10.0],
    }
    assert all({"features", "network", "other"} <= set(s.stages) for samples in found.values() for s in samples)


def test_short_recordings_are_repeated() -> None:
    repeated = scenarios._repeated(torch.arange(3.0), 7)
    assert repeated.tolist() == [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0]


def test_a_batch_gives_what_single_recordings_give() -> None:
    model = real().model
    recordings = [noise(16_000), noise(12_345, 2), noise(159, 3)]
    together = scenarios._batch_log_posteriors(model, recordings)
    for rows, samples in zip(together, recordings, strict=True):
        alone = model.log_posteriors(samples)
        torch.testing.assert_close(rows[: len(alone)], alone, atol=1e-4, rtol=0)


def test_corpus_batches_have_their_size_and_at_most_ten_seconds_each() -> None:
    found = list(scenarios.corpus_scenarios([recording(11.0), recording(1.0)], (1, 2, 3)))
    assert [each.batch_size for each in found] == [1, 2, 3]
    assert [sum(s.audio_s for s in works(real(), each)) for each in found] == [10.0, 11.0, 21.0]


def test_streams_without_text_end_at_the_network() -> None:
    found = list(scenarios.stream_scenarios(recording(1.0), None))
    samples = works(real(), named(found, "stream, 80 ms"))
    assert [sample.audio_s for sample in samples] == [pytest.approx(0.08)] * 12 + [pytest.approx(0.04)]
    assert set().union(*(sample.stages for sample in samples)) == {"features", "network", "other"}


def test_streams_with_text_have_the_engine_too(model_file: str) -> None:
    found = list(scenarios.stream_scenarios(recording(1.0, "a"), Aligner(model_file)))
    samples = works(real(), named(found, "stream, 160 ms"))
    assert set().union(*(sample.stages for sample in samples)) == {"features", "network", "engine", "other"}


def test_the_controller_takes_longer_chunks_of_a_slow_backend() -> None:
    def pushed(overhead_s: float) -> list[Sample]:
        clock = Clock()
        stream = SimpleNamespace(push=lambda chunk: clock.work(overhead_s))
        watch = Stopwatch(clock.wall, clock.processor)
        return scenarios._followed(torch.zeros(10 * RATE), RATE, lambda subject: stream, made_up("torch fp32"), watch)

    fast, slow = pushed(1e-4), pushed(0.02)
    assert sum(sample.audio_s for sample in fast) == pytest.approx(10.0)
    assert sum(sample.audio_s for sample in slow) == pytest.approx(10.0)
    assert fast[-2].audio_s < 0.05
    assert slow[-2].audio_s > 0.2


def test_whole_alignments_have_every_stage(model_file: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", noise(RATE).numpy(), RATE)
    spoken = Recording(tmp_path / "one.wav", noise(RATE), RATE, "a")
    scenario = scenarios.alignment_scenario([spoken], Aligner(model_file), tmp_path)
    (sample,) = works(real(), scenario)
    assert set(sample.stages) == set(STAGES)
    assert (tmp_path / "out.TextGrid").is_file()


# ---- inputs


def test_audio_is_found_with_the_text_beside_it(tmp_path: Path) -> None:
    for name in ("b/two.wav", "b/one.flac", "c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, noise(RATE).numpy(), RATE)
    (tmp_path / "b/two.txt").write_text("two")
    (tmp_path / "b/two.lab").write_text("too")
    (tmp_path / "b/torn.wav").write_text("no audio")
    paths = find_audio([tmp_path / "c.wav", tmp_path / "b"])
    assert [path.name for path in paths] == ["c.wav", "one.flac", "torn.wav", "two.wav"]
    inputs = read_inputs(paths, 60.0)
    assert [(each.path.name, each.text, each.duration_s) for each in inputs.recordings] == [
        ("c.wav", None, 1.0),
        ("one.flac", None, 1.0),
        ("two.wav", "too", 1.0),
    ]
    assert [each.name for each in inputs.failed] == [str(tmp_path / "b/torn.wav")]
    short = read_inputs(paths, 1.5)
    assert ([each.path.name for each in short.recordings], short.left_out) == (["c.wav", "one.flac"], 2)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"there is no recording in it; name a folder with \.wav, "):
        find_audio([tmp_path])


# ---- the tutor


def long(subject: str, scenario: str, rtf: float) -> Measured:
    call = summarise([1.0])
    return Measured(scenario, subject, 10.0, 1, 2, 10.0, 1.0, call, rtf, {}, 1.0, 1.0, 1.0, Usage())


def test_tutor_rows_name_the_best_combination() -> None:
    found = [long("torch fp32", LONG_CHUNKS, 0.08), long("torch fp32", LONG_BATCH, 0.04)]
    found += [long("torch fp16", LONG_CHUNKS, 0.16), long("torchscript fp32", LONG_CHUNKS, 0.02)]
    found += [long("onnx int8", LONG_BATCH, 0.01), long("onnx int8", scenarios.SINGLE, 0.001)]
    rows = [(row.name, row.subject, row.scenario, row.speed_up, row.note) for row in tutor_rows(found)]
    assert rows == [
        ("baseline", "torch fp32", LONG_CHUNKS, 1.0, ""),
        ("batch", "torch fp32", LONG_BATCH, 2.0, ""),
        ("FP16", "torch fp16", LONG_CHUNKS, 0.5, ""),
        ("TorchScript", "torchscript fp32", LONG_CHUNKS, 4.0, ""),
        ("combined", "onnx int8", LONG_BATCH, 8.0, "the best combination found"),
    ]


def test_tutor_rows_where_things_are_missing() -> None:
    found = [long("torch fp32", LONG_CHUNKS, 0.08), long("torch bf16", LONG_CHUNKS, 0.05)]
    rows = {row.name: row for row in tutor_rows(found)}
    assert (rows["FP16"].subject, rows["FP16"].note) == (
        "torch bf16",
        "FP16 does not run here, BF16 in its place",
    )
    assert (rows["TorchScript"].note, math.isnan(rows["TorchScript"].speed_up)) == ("not measured", True)
    assert [row.note for row in tutor_rows([])] == ["not measured"] * 4


# ---- all of it


@pytest.fixture
def small(twin: None) -> Callable[..., Any]:
    return partial(reporting.run, wanted=wanted_settings(["twin", "abacus"], ["fp32"]), rounds=2, sizes=(1, 2))


def test_a_run_measures_every_backend_in_every_scenario(
    small: Callable[..., Any], model_file: str, tmp_path: Path
) -> None:
    for name, text in (("one", "a"), ("tiny", "many words " * 20)):
        soundfile.write(tmp_path / f"{name}.wav", noise(RATE // 2).numpy(), RATE)
        (tmp_path / f"{name}.txt").write_text(text)
    seen: list[str] = []
    report = small(find_audio([tmp_path]), model=model_file, before=lambda subject, _: seen.append(subject.name))
    assert seen == ["torch fp32", "twin fp32"]
    assert report.failures == []
    names = list(dict.fromkeys(each.scenario for each in report.results))
    assert [name.split(",")[0] for name in names] == [
        *("single chunk", "short", "10 s", "10 s", "10 s"),
        *("stream", "stream", "stream", "stream", "corpus", "corpus", "alignment to a file"),
    ]
    assert len(report.results) == 2 * len(names)
    assert [Path(each.name).name for each in report.inputs.failed] == ["tiny.wav"]
    assert "too short for the text" in report.inputs.failed[0].reason
    written = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert written["results"][0]["usage"]["device_peak_bytes"] is None
    assert [each["has_text"] for each in written["audio"]] == [True, True]
    assert [each["name"] for each in written["runtimes"]] == ["torch fp32", "twin fp32"]
    assert written["missing"][0]["name"] == "abacus fp32"
    assert [row["name"] for row in written["tutor"]][-1] == "combined"


def test_warm_up_is_what_first_rounds_take_longer() -> None:
    clock = Clock()
    works = [taking(clock, {"torch fp32": [5.0, 6.0, 0.0, 0.0, *[1.0] * 8]}) for _ in range(2)]
    results = [each for each in run(clock, [made_up("torch fp32")], *works, rounds=2) if isinstance(each, Measured)]
    report = reporting.Report("en", 1, reporting.Inputs([], [], 0), [], [], results, [])
    assert report.warm_up_s("torch fp32") == 2 * (11.0 - 2.0)
    assert report.warm_up_s("onnx fp32") == 0.0


def test_nothing_to_measure_is_an_error(small: Callable[..., Any], model_file: str, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"no recording could be read: .*gone\.wav"):
        small([tmp_path / "gone.wav"], model=model_file)
    soundfile.write(tmp_path / "one.wav", noise(RATE).numpy(), RATE)
    with pytest.raises(BackendUnavailable, match="no backend works: backend abacus is unknown"):
        reporting.run([tmp_path / "one.wav"], [RuntimeSettings("abacus")], model=model_file)
