"""A corpus from end to end: results, restart, changes, what goes wrong with files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from permissions import unprivileged

import streamhmm as sh
from streamhmm.corpus import Part, Problem, Settings, Utterance, align_corpus, writer
from streamhmm.corpus import run as corpus_run
from streamhmm.corpus.messages import Failed, Finished
from streamhmm.corpus.recordings import Recordings
from streamhmm.corpus.worker import Worker
from streamhmm.errors import AudioError, CorpusError, ModelError, OutputError, TextError
from streamhmm.formats import load

FLAC = Path(__file__).resolve().parents[1] / "examples" / "quick_start" / "ferry.flac"
SAMPLES, RATE = soundfile.read(FLAC, dtype="float32")
TEXT = "The last ferry to the island"
PROGRAM = [sys.executable, "-m", "streamhmm.cli", "corpus"]


@pytest.fixture
def corpus(tmp_path):
    """Six recordings of the beginning of the example, one of them not what its text says, one damaged."""
    folder = tmp_path / "in"
    for name, seconds in (("ann/a", 2.0), ("ann/b", 1.8), ("bob/c d", 2.2), ("bob/é\n", 1.75)):
        write(folder / f"{name}.wav", TEXT, seconds)
    write(folder / "bob/wrong.wav", "zebra crossing at noon tomorrow", 2.0)
    write(folder / "bob/damaged.wav", TEXT, 2.0)
    (folder / "bob/damaged.wav").write_bytes(b"RIFF nonsense")
    return folder


def write(path: Path, text: str, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, SAMPLES[: round(seconds * RATE)], RATE, subtype="PCM_16")
    path.with_suffix(".lab").write_text(text, encoding="utf-8")


@pytest.fixture
def in_process(aligner, monkeypatch):
    """Workers run here, one after the other, with the tests' aligner."""

    class HerePool:
        def __init__(self, jobs, target, settings, digest, results):
            self._worker = Worker(aligner, settings, digest, results)
            aligned.append(jobs)

        def run(self, tasks):
            for task in tasks:
                aligned.extend(task.names)
                yield from task.run(self._worker)

        def close(self):
            self._worker.close()
            aligned.append("closed")

    aligned = []
    monkeypatch.setattr(corpus_run, "Pool", HerePool)
    return aligned


@pytest.fixture(scope="module")
def aligner():
    return sh.Aligner()


GOOD = ["ann/a", "ann/b", "bob/c d", "bob/é\n", "bob/wrong"]


def test_a_corpus_and_what_is_done_again(corpus, tmp_path, in_process, aligner):
    out = tmp_path / "out"
    settings = Settings(formats=("textgrid", "json"))
    states = []
    outcome = align_corpus(corpus, out, settings, jobs=3, on_progress=states.append)
    assert (outcome.total, outcome.done, outcome.kept) == (6, 5, 0)
    assert [problem.name for problem in outcome.problems] == ["bob/damaged"]
    assert outcome.problems[0].reason.startswith("not audio that can be read (")
    assert outcome.audio_s == pytest.approx(9.75)
    assert in_process[0] == 3
    assert in_process[-1] == "closed"
    assert (states[-1].done, states[-1].failed, states[-1].total) == (5, 1, 6)
    assert states[-1].work == states[-1].work_done == sum(path.stat().st_size for path in corpus.rglob("*.wav"))
    for name in GOOD:
        tiers = load(out / f"{name}.json")
        alone = aligner.align(corpus / f"{name}.wav", tiers.text)
        assert [word.label for word in load(out / f"{name}.TextGrid").words] == tiers.text.split()
        for word, other in zip(tiers.words, alone.words, strict=True):
            assert (word.start, word.end) == pytest.approx((other.start, other.end), abs=1e-3)

    def again(**changes):
        in_process.clear()
        outcome = align_corpus(corpus, out, Settings(**{"formats": settings.formats, **changes}), jobs=1)
        return [name for name in in_process if isinstance(name, str) and name != "closed"], outcome

    assert again()[0] == ["bob/damaged"]  # what failed is tried again
    (corpus / "ann/a.lab").write_text("The last ferry")
    (corpus / "bob/damaged.wav").write_bytes((corpus / "ann/a.wav").read_bytes())
    names, outcome = again()
    assert sorted(names) == ["ann/a", "bob/damaged"]
    assert (outcome.total, outcome.done, outcome.kept, outcome.problems) == (6, 6, 4, [])
    assert len(load(out / "ann/a.json").words) == 3
    write(corpus / "ann/b.wav", TEXT, 1.9)
    (out / "bob/c d.TextGrid").unlink()
    assert sorted(again()[0]) == ["ann/b", "bob/c d"]
    assert again()[0] == []
    assert again(formats=("json",))[0] == []
    assert len(again(strict=True)[0]) == 6
    lexicon = tmp_path / "lexicon"
    lexicon.write_text("ferry F EH R IY\n")
    assert len(again(lexicon=(str(lexicon),))[0]) == 6
    lexicon.write_text("ferry F EH R IY IY\n")
    assert len(again(lexicon=(str(lexicon),))[0]) == 6


def test_results_that_are_not_ours_are_kept(corpus, tmp_path, in_process):
    out = tmp_path / "out"
    (out / "ann").mkdir(parents=True)
    (out / "ann/a.TextGrid").write_text("of somebody else")
    assert align_corpus(corpus, out).backed_up == [f"{out}/ann/a.TextGrid"]
    assert (out / "ann/a.TextGrid.bak").read_text() == "of somebody else"
    assert align_corpus(corpus, out).backed_up == []
    (out / "ann/b.TextGrid").write_text("corrected by hand")
    (corpus / "ann/a.lab").write_text("The last")
    outcome = align_corpus(corpus, out)
    assert (outcome.kept, outcome.backed_up) == (3, [f"{out}/ann/b.TextGrid"])
    assert (out / "ann/b.TextGrid.bak").read_text() == "corrected by hand"
    (out / "ann/b.TextGrid").write_text("corrected again")
    align_corpus(corpus, out)
    assert (out / "ann/b.TextGrid.bak").read_text() == "corrected by hand"
    assert (out / "ann/b.TextGrid.bak2").read_text() == "corrected again"


def test_formats_that_differ_between_runs(corpus, tmp_path, in_process):
    out = tmp_path / "out"
    text = (corpus / "ann/a.lab").read_text()
    align_corpus(corpus, out)
    assert align_corpus(corpus, out, Settings(formats=("textgrid-short",))).kept == 0
    (corpus / "ann/a.lab").write_text("The last")
    align_corpus(corpus, out, Settings(formats=("json",)))
    (corpus / "ann/a.lab").write_text(text)
    align_corpus(corpus, out, Settings(formats=("textgrid-short",)))
    assert len(load(out / "ann/a.TextGrid").words) == 6


def test_results_do_not_overwrite_one_another(tmp_path, in_process):
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("report", "a", "a.phones"):
        write(folder / f"{name}.wav", TEXT, 2.0)
    table = f"{out}/report.csv"
    reason = f"its result {table} would overwrite {table} itself; rename it, or take another format"
    assert align_corpus(folder, out, Settings(formats=("csv",))).problems == [Problem("report", reason)]
    outcome = align_corpus(folder, out, Settings(formats=("ctm", "ctm-phones")))
    assert [one.name for one in outcome.problems] == ["a.phones"]
    assert "would overwrite that of a;" in outcome.problems[0].reason


def test_imperfect_texts(corpus, tmp_path, in_process):
    (corpus / "ann/a.lab").write_text("The last ferry never ever to the island")
    align_corpus(corpus, tmp_path / "out", Settings(imperfect=True, formats=("json",)))
    assert load(tmp_path / "out/ann/a.json").skipped == (3, 4)


def rows(out: Path) -> list[dict[str, str]]:
    with open(out / "report.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_says_what_to_look_at(corpus, tmp_path, in_process):
    write(corpus / "alone.wav", TEXT, 2.0)
    (corpus / "alone.lab").unlink()
    align_corpus(corpus, tmp_path / "out")
    found = rows(tmp_path / "out")
    assert [(row["file"], row["status"]) for row in found[:3]] == [
        ("alone", "failed"),
        ("bob/damaged", "failed"),
        ("bob/wrong", "aligned"),
    ]
    assert found[0]["warnings"] == "alone.wav has no text; write it into alone.lab or .txt beside it"
    assert {row["file"] for row in found[3:]} == {"ann/a", "ann/b", "bob/c d", "bob/é\n"}
    by_name = {row["file"]: row for row in found}
    assert by_name["ann/a"]["speaker"] == "ann"
    assert float(by_name["ann/a"]["duration_s"]) == 2.0
    assert by_name["bob/wrong"]["words"] == "5"
    assert float(by_name["bob/wrong"]["suspicion"]) > 2 > float(by_name["ann/a"]["suspicion"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    start = page.index("const data = ") + len("const data = ")
    data = json.loads(page[start : page.index(";\n", start)])
    assert [row[0] for row in data["rows"]] == [row["file"] for row in found]
    assert data["links"][2] == "../in/bob/wrong.wav"
    assert "5 utterances, 29 words, 0.00 hours aligned; 2 inputs failed." in page


def test_parts_of_a_recording(tmp_path, in_process):
    soundfile.write(tmp_path / "a.wav", np.concatenate([SAMPLES[: 2 * RATE]] * 3), RATE)
    lines = [{"audio_filepath": "a.wav", "text": TEXT, "offset": float(2 * i), "duration": 2.0} for i in range(1, 3)]
    lines += [{"audio_filepath": "a.wav", "text": TEXT, "offset": 6.0, "duration": 2.0}]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    outcome = align_corpus(tmp_path / "m.jsonl", tmp_path / "out", Settings(formats=("json",)))
    assert outcome.problems == [
        Problem("a-3", "the text is said from 6.00 s on, and the recording lasts 6.00 s; check the times")
    ]
    assert outcome.audio_s == pytest.approx(4.0)
    assert [(row["file"], row["duration_s"]) for row in rows(tmp_path / "out")[1:]] == [("a", "2.0"), ("a-2", "2.0")]
    assert '"../a.wav#t=2.00"' in (tmp_path / "out/report.html").read_text()
    first, second = (load(tmp_path / "out" / f"{name}.json") for name in ("a", "a-2"))
    assert first.duration == second.duration == 6.0
    for word, other in zip(first.words, second.words, strict=True):
        assert (other.start - word.start, other.end - word.end) == pytest.approx((2.0, 2.0), abs=1e-3)


def test_the_length_of_batches_is_taken_over_and_makes_no_other_results(tmp_path):
    aligner = sh.Aligner()
    Worker(aligner, Settings(batch_s=2.0), "digest", str(tmp_path)).close()
    assert aligner.model.batch_size.seconds == 2.0
    assert Settings(batch_s=2.0).digest([FLAC]) == Settings().digest([FLAC])


def test_a_part_that_fails_is_a_warning_and_all_of_them_an_error(tmp_path, aligner):
    worker = Worker(aligner, Settings(), "digest", str(tmp_path))
    parts = (Part(TEXT, 0.0, 2.0), Part("too long a text for so little time", 2.0, 2.1))
    (finished,) = worker.align([Utterance("x", str(FLAC), parts)])
    assert isinstance(finished, Finished)
    assert finished.entry.row["words"] == 6
    assert finished.entry.row["warnings"][0].startswith("from 2.00 s on: not aligned: ")
    (failed,) = worker.align([Utterance("y", str(FLAC), parts[1:])])
    assert isinstance(failed, Failed)
    assert failed.reason.startswith("the audio is too short for the text: it lasts 0.10 s")
    assert list(worker.align([])) == []
    worker.close()


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, SAMPLES, RATE)
    states = iter([(1,), (2,), (2,), (2,)])
    monkeypatch.setattr("streamhmm.corpus.recordings.file_state", lambda path: next(states))
    assert len(Recordings(RATE).read(str(path), None).audio.samples) == len(SAMPLES)
    growing = iter(range(100))
    monkeypatch.setattr("streamhmm.corpus.recordings.file_state", lambda path: next(growing))
    with pytest.raises(AudioError, match="it changed while it was read; run again when it is complete"):
        Recordings(RATE).read(str(path), None)


def test_nothing_to_write_to_ends_the_run_and_keeps_what_there_is(corpus, tmp_path, in_process, monkeypatch):
    def full(path):
        raise OutputError(f"{path}: the device is full, nothing was written") from OSError(28, "full")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "atomic_write", full)
        with pytest.raises(OutputError, match=r"the device is full.*; the same command then goes on where it stopped"):
            align_corpus(corpus, tmp_path / "out")
    assert in_process[-1] == "closed"
    assert align_corpus(corpus, tmp_path / "out").done == 5


def test_what_is_no_call(corpus, tmp_path):
    with pytest.raises(CorpusError, match="results must not go into the corpus itself; name another folder"):
        align_corpus(corpus, corpus)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="there are no recordings with texts in it"):
        align_corpus(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(TextError, match=r"none\.txt: can't be read \(No such file or directory\); check the path"):
        align_corpus(corpus, tmp_path / "out", Settings(lexicon=("none.txt",)))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="there is no such model file; check the path"):
        align_corpus(corpus, tmp_path / "out", Settings(model="none.safetensors"))
    with pytest.raises(ValueError, match="formats must have different suffixes, got textgrid, textgrid-short"):
        Settings(formats=("textgrid", "textgrid-short"))
    with pytest.raises(ValueError, match="follow and imperfect do not go together"):
        Settings(follow=True, imperfect=True)
    with pytest.raises(ValueError, match=r"batch_s must be positive, got 0\.0"):
        Settings(batch_s=0.0)
    with unprivileged() as folder:
        folder.chmod(0o500)
        with pytest.raises(OutputError, match="no permission to write it"):
            align_corpus(FLAC.parent, folder / "out")


def test_killed_at_any_moment_the_program_goes_on(corpus, tmp_path):
    out = tmp_path / "out"
    for index in range(120):
        write(corpus / f"more/{index:03}.wav", TEXT, 1.75 + index / 1000)
    command = [*PROGRAM, corpus, out, "--jobs", "2", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(out.rglob("*.json"))) < 3:
            time.sleep(0.01)
        process.kill()
    (out / "more").mkdir(exist_ok=True)
    (out / "more/.0123456789abcdef.tmp").touch()  # as the end of a process in the middle of writing leaves it
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    assert len(before) < 125
    for path in before:
        assert load(path).words[0].label in ("The", "zebra")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"125 of 126 aligned, " in done.stdout
    assert done.stderr.startswith(b"streamhmm: bob/damaged: not audio that can be read (")
    again = {path for path, changed in before.items() if path.stat().st_mtime_ns != changed}
    assert again == set()
    assert not list(out.rglob("*.tmp"))


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(corpus, tmp_path):
    out = tmp_path / "out"
    for index in range(300):
        write(corpus / f"more/{index:03}.wav", TEXT, 1.75 + index / 1000)
    command = [*PROGRAM, corpus, out, "--jobs", "1"]
    heeded = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "start_new_session": True}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **heeded) as process:
        while process.poll() is None and not list(out.rglob("*.TextGrid")):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    lines = complaint.decode().splitlines()
    assert lines[:-2] == [line for line in lines if line.startswith("streamhmm: bob/damaged: ")]
    assert lines[-2].endswith(f" of 306 are aligned, in {out}; the same command goes on from there")
    assert lines[-1] == "streamhmm: interrupted"
    finished = int(lines[-2].split()[1])
    assert len([row for row in rows(out) if row["status"] == "aligned"]) == finished
    assert not list(out.rglob("*.tmp"))


def test_who_only_looks_what_is_done_does_not_wait_for_torch(corpus, tmp_path, in_process):
    align_corpus(corpus, tmp_path / "out")
    (corpus / "bob/damaged.wav").unlink()
    (corpus / "bob/damaged.lab").unlink()
    program = "import sys\nfrom streamhmm import cli\nsys.exit(cli.main(sys.argv[1:]) or 'torch' in sys.modules)"
    command = [sys.executable, "-c", program, "corpus", corpus, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, b"5 of 5 aligned, 5 of them before")


def test_the_help_and_wrong_usage(corpus, tmp_path):
    done = subprocess.run([*PROGRAM, corpus, tmp_path / "out", "--format", "doc"], capture_output=True, check=False)
    assert done.returncode == 2
    assert "streamhmm corpus: error: --format: format must be one of textgrid, " in done.stderr.decode()
    for value in ("0", "nan", "inf", "much"):
        command = [*PROGRAM, corpus, tmp_path / "out", "--batch-seconds", value]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 2
        message = f"error: argument --batch-seconds: must be a number above 0, got {value!r}"
        assert message in done.stderr.decode()
    assert not os.path.exists(tmp_path / "out")
