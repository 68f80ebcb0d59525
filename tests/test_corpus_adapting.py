"""A corpus adapted to its speakers: who is adapted together, what is kept, what is done again."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import streamhmm as sh
from streamhmm import cli
from streamhmm.align.adaptation import LEAST_UTTERANCES, Adaptation
from streamhmm.corpus import Part, Settings, Utterance, align_corpus
from streamhmm.corpus import run as corpus_run
from streamhmm.corpus import worker as corpus_worker
from streamhmm.corpus.adapting import SAMPLE_UTTERANCES, WHOLE, Groups, path_of, read_kept, write_kept
from streamhmm.corpus.messages import Adapted, Failed
from streamhmm.corpus.worker import Worker
from streamhmm.errors import OutputError

FLAC = Path(__file__).resolve().parents[1] / "examples" / "quick_start" / "ferry.flac"
SAMPLES, RATE = soundfile.read(FLAC, dtype="float32")
TEXT = FLAC.with_suffix(".txt").read_text()
PROGRAM = [sys.executable, "-m", "streamhmm.cli"]
SOME = Adaptation(None, (0.1,) * 40, 0.2, 8)


def utterances(**counts: int) -> list[Utterance]:
    return [
        Utterance(f"{speaker}/{index}", f"{speaker}{index}.wav", (Part(TEXT),), speaker)
        for speaker, count in counts.items()
        for index in range(count)
    ]


def test_who_says_enough_is_a_group_and_all_others_are_one():
    known = [*utterances(ann=LEAST_UTTERANCES, bob=LEAST_UTTERANCES - 1, cy=1), Utterance("x", "x.wav", (Part(TEXT),))]
    groups = Groups(known)
    assert list(groups) == ["ann", WHOLE]
    assert [groups.of(one) for one in known] == ["ann"] * LEAST_UTTERANCES + [WHOLE] * (LEAST_UTTERANCES + 1)
    assert groups.task("ann", "out").utterances == known[:LEAST_UTTERANCES]
    assert groups.task(WHOLE, "out").utterances == known
    assert list(Groups(utterances(ann=8, bob=9))) == ["ann", "bob"]
    assert list(Groups([])) == []


@pytest.mark.parametrize("count", [8, 23, 24, 25, 48, 1000])
def test_a_sample_is_spread_over_its_group(count):
    members = utterances(ann=count)
    chosen = Groups(members).task("ann", "out").utterances
    places = [members.index(one) for one in chosen]
    assert len(places) == min(count, SAMPLE_UTTERANCES)
    assert set(np.diff(places)) == {max(1, count // SAMPLE_UTTERANCES)}


def test_any_name_of_a_speaker_makes_a_file_name_of_its_own(tmp_path):
    names = ["ann", "Ann", "a/n", "a n", "a_n", "é\n", "..", "", "x" * 300, "x" * 301, "\udcff"]
    paths = [path_of(str(tmp_path), name) for name in names]
    assert len({path.lower() for path in paths}) == len(names)
    for path in paths:
        assert os.path.dirname(path) == str(tmp_path / ".streamhmm" / "adaptation")
        assert os.path.basename(path).isascii()
        write_kept(path, SOME, "digest")
        assert Adaptation.load(path) == SOME


def test_what_is_kept_is_of_the_same_settings_and_whole(tmp_path):
    groups, results = Groups(utterances(ann=8, bob=8, cy=8, dee=8, eve=8)), str(tmp_path)
    write_kept(path_of(results, "ann"), SOME, "digest")
    write_kept(path_of(results, "bob"), None, "digest")
    write_kept(path_of(results, "cy"), SOME, "other")
    Path(path_of(results, "dee")).write_text("{")
    assert read_kept(groups, results, "digest") == {"ann": SOME, "bob": None}


def test_nowhere_to_keep_it(tmp_path):
    (tmp_path / ".streamhmm").write_text("a file")
    with pytest.raises(OutputError, match=r"adaptation.*can't be written"):
        write_kept(path_of(str(tmp_path), "ann"), SOME, "digest")


# ---- a whole corpus


def dull(samples: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 200) / 1000)
    return 0.3 * np.fft.irfft(spectrum * 10 ** (-9 / 20 * octaves), len(samples)).astype(np.float32)


def write(path: Path, later: int, channel=lambda samples: samples) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, channel(SAMPLES[100 * later :]), RATE, subtype="PCM_16")
    path.with_suffix(".lab").write_text(TEXT, encoding="utf-8")


@pytest.fixture
def corpus(tmp_path):
    """Ann's recordings are dull, Bob's are not, Cy has but one."""
    folder = tmp_path / "in"
    for index in range(LEAST_UTTERANCES):
        write(folder / f"ann/{index}.wav", index, dull)
        write(folder / f"bob/{index}.wav", index)
    write(folder / "cy/0.wav", 0)
    return folder


@pytest.fixture
def in_process(monkeypatch):
    """Workers run here; the names of what they are sent."""
    aligner = sh.Aligner()
    sent = []

    class HerePool:
        def __init__(self, jobs, target, settings, digest, results):
            self._worker = Worker(aligner, settings, digest, results)

        def run(self, tasks):
            for task in tasks:
                sent.extend(task.names)
                yield from task.run(self._worker)

        def close(self):
            self._worker.close()

    monkeypatch.setattr(corpus_run, "Pool", HerePool)
    return sent


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "report.csv", encoding="utf-8-sig", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_each_speaker_has_what_helps_and_only_what_changed_is_done_again(corpus, tmp_path, in_process):
    out, states = tmp_path / "out", []
    settings = Settings(adapt=True, formats=("json",))
    outcome = align_corpus(corpus, out, settings, on_progress=states.append)
    assert (outcome.done, outcome.problems) == (17, [])
    assert in_process[:3] == ["ann", "bob", WHOLE]
    assert sorted(in_process[3:]) == sorted(rows(out))
    assert (states[-1].speakers, states[-1].adapted) == (3, 3)
    kinds = {name: row["adaptation"] for name, row in rows(out).items()}
    assert {kind for name, kind in kinds.items() if name.startswith("bob")} == {""}
    (ann,) = {kind for name, kind in kinds.items() if name.startswith("ann")}
    adaptation = Adaptation.load(path_of(str(out), "ann"))
    assert ann == adaptation.kind
    alone = sh.Aligner().adapted(adaptation).align(corpus / "ann/3.wav", TEXT)
    found = json.loads((out / "ann/3.json").read_text())["words"]
    assert [word["end"] for word in found] == pytest.approx([word.end for word in alone.words], abs=1e-3)

    def again(**changes):
        in_process.clear()
        align_corpus(corpus, out, Settings(**{"adapt": True, "formats": ("json",), **changes}))
        return sorted(in_process)

    assert again() == []
    (corpus / "ann/0.lab").write_text(TEXT.upper())
    assert again() == ["ann/0"]
    Path(path_of(str(out), "ann")).unlink()  # it comes back as it was
    assert again() == ["ann"]
    adaptation = Adaptation.load(path_of(str(out), "ann"))
    record = json.loads(Path(path_of(str(out), "ann")).read_text())
    write_kept(path_of(str(out), "ann"), SOME, record["digest"])
    assert again() == [f"ann/{index}" for index in range(LEAST_UTTERANCES)]
    assert {row["adaptation"] for row in rows(out).values() if row["speaker"] == "ann"} == {"offsets"}
    assert len(again(adapt=False)) == 17
    assert {row["adaptation"] for row in rows(out).values()} == {""}
    assert len(again(strict=True)) == 20


def test_a_full_device_ends_the_run_before_anything_is_aligned(corpus, tmp_path, in_process, monkeypatch):
    def full(path, adaptation, digest):
        raise OutputError(f"{path}: the device is full") from OSError(28, "full")

    monkeypatch.setattr(corpus_worker, "write_kept", full)
    with pytest.raises(OutputError, match="the device is full; the same command then goes on where it stopped"):
        align_corpus(corpus, tmp_path / "out", Settings(adapt=True))
    assert in_process == ["ann"]


def test_what_can_not_be_read_is_no_sample(tmp_path):
    write(tmp_path / "ann/0.wav", 0, dull)
    good = [Utterance(f"ann/{i}", str(tmp_path / "ann/0.wav"), (Part(TEXT),), "ann") for i in range(LEAST_UTTERANCES)]
    bad = Utterance("ann/bad", str(tmp_path / "none.wav"), (Part(TEXT),), "ann")
    worker = Worker(sh.Aligner(), Settings(), "digest", str(tmp_path / "out"))
    found = worker.adapt(Groups([bad, *good]).task("ann", str(tmp_path / "out")))
    assert isinstance(found, Adapted)
    assert found.adaptation is not None
    assert found.adaptation.utterances == LEAST_UTTERANCES
    (tmp_path / "out/.streamhmm/adaptation").rename(tmp_path / "gone")
    (tmp_path / "out/.streamhmm/adaptation").write_text("")
    failed = worker.adapt(Groups(good).task("ann", str(tmp_path / "out")))
    assert isinstance(failed, Failed)
    assert not failed.stops_all
    worker.close()


def test_killed_while_it_adapts_the_program_goes_on(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.rmtree(corpus / "bob")
    command = [*PROGRAM, "corpus", corpus, out, "--adapt", "--jobs", "1", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(out.glob(".streamhmm/adaptation/*.json")):
            time.sleep(0.01)
        process.kill()
    for path in out.glob(".streamhmm/adaptation/*.json"):
        assert json.loads(path.read_text())["helps"] in (True, False)
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"9 of 9 aligned, " in done.stdout
    assert len(list(out.glob(".streamhmm/adaptation/*.json"))) == 2


def test_align_takes_what_was_kept(tmp_path, capsys):
    def words(*options):
        code = cli.main(["align", str(FLAC), "--text", TEXT, *options])
        return code, capsys.readouterr()

    path = tmp_path / "ann.json"
    write_kept(str(path), Adaptation((0.5,) * 80, None, 0.2, 8), "digest")
    code, adapted = words("--adaptation", str(path))
    assert code == 0
    assert adapted.out != words()[1].out
    write_kept(str(path), None, "digest")
    code, refused = words("--adaptation", str(path))
    assert code == 1
    assert refused.err.startswith(f"streamhmm: {path}: there is no adaptation in it (")
