"""What survives the end of a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from permissions import unprivileged

from streamhmm.corpus.journal import Entry, Journal, append, open_journal
from streamhmm.errors import CorpusError, OutputError

ENTRIES = [
    Entry("a", "1", {"x": 1.5, "y": "é"}, {"json": "11"}),
    Entry("b\nb", "2", {}, {}),
    Entry("caf\udce9", "3", {"z": None}, {"json": "33", "textgrid": "34"}),
]


def add(folder: Path, *entries: Entry) -> None:
    with open_journal(str(folder)) as file:
        for entry in entries:
            append(file, entry)


def written(folder: Path) -> Path:
    add(folder, *ENTRIES)
    return folder / ".streamhmm" / "journal.jsonl"


def finished(folder: Path) -> list[Entry]:
    journal = Journal(str(folder))
    journal.close()
    return list(journal.finished.values())


def test_entries_come_back(tmp_path):
    assert written(tmp_path).read_bytes().count(b"\n") == 3
    assert finished(tmp_path) == ENTRIES


def test_of_two_entries_the_later_counts(tmp_path):
    written(tmp_path)
    add(tmp_path, Entry("a", "9", {}, {"json": "99"}))
    assert finished(tmp_path)[0] == Entry("a", "9", {}, {"json": "99"})
    journal = Journal(str(tmp_path))
    journal.close()
    assert journal.written == {"11", "33", "34", "99"}


def test_cut_anywhere_only_the_last_line_is_lost_and_new_ones_are_kept(tmp_path):
    path = written(tmp_path)
    whole = path.read_bytes()
    last_but_one = whole.rindex(b"\n")
    for length in range(last_but_one, len(whole)):
        path.write_bytes(whole[:length])
        assert finished(tmp_path) == ENTRIES[:2]
        add(tmp_path, Entry("new", "4", {}, {}))
        assert finished(tmp_path) == [*ENTRIES[:2], Entry("new", "4", {}, {})]


@pytest.mark.parametrize(
    "line", ["[]", "3", '{"name": "x"}', '{"name": "x", "key": "1", "row": {}, "files": {}, "more": 1}', "\0"]
)
def test_lines_of_something_else_are_passed_over(tmp_path, line):
    path = written(tmp_path)
    path.write_text(line + "\n" + json.dumps(ENTRIES[0]._asdict()) + "\n")
    assert finished(tmp_path) == ENTRIES[:1]


def test_one_process_at_a_time(tmp_path):
    first = Journal(str(tmp_path))
    with pytest.raises(CorpusError, match="another streamhmm is at work in it; wait for it, or stop it"):
        Journal(str(tmp_path))
    first.close()
    Journal(str(tmp_path)).close()


def test_where_nothing_may_be_written():
    with unprivileged() as folder:
        folder.chmod(0o500)
        with pytest.raises(OutputError, match=r"journal\.jsonl: no permission to write it; choose another folder"):
            Journal(str(folder / "out"))


def test_a_full_device():
    with (
        open("/dev/full", "ab", buffering=0) as file,
        pytest.raises(OutputError, match="/dev/full: the device is full"),
    ):
        append(file, ENTRIES[0])
