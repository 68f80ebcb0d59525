"""Processes that die, and the work that goes on."""

from __future__ import annotations

import signal

import corpus_workers
import pytest

from streamhmm.corpus import Part, Utterance, process
from streamhmm.corpus.messages import Adapted, Failed, Finished
from streamhmm.corpus.pool import Pool
from streamhmm.corpus.tasks import AdaptTask, AlignTask
from streamhmm.errors import CorpusError, ModelError


def task(*names: str) -> AlignTask:
    return AlignTask([Utterance(name, f"{name}.wav", (Part("text"),)) for name in names])


def outcome(message):
    return message.entry.name if isinstance(message, Finished) else message


def test_workers_that_die_take_only_their_own_file_along(tmp_path):
    log = tmp_path / "log"
    pool = Pool(2, corpus_workers.obedient, log)
    try:
        tasks = [
            task("a", "deadly", "b", "c"),
            task("d", "bad", "e"),
            task("ending"),
            task("f"),
        ]
        found = [outcome(message) for message in pool.run(tasks)]
    finally:
        pool.close()
    assert [one for one in found if isinstance(one, str)] == sorted("abcdef", key=found.index)
    died, advice = "the process that aligned it died", "align it by itself to see why"
    problems = {one.name: one for one in found if isinstance(one, Failed)}
    assert problems == {
        "bad": Failed("bad", "it is bad"),
        "deadly": Failed("deadly", f"{died} (killed, perhaps because the memory is full); {advice}"),
        "ending": Failed("ending", f"{died} (exit code 3); {advice}"),
    }
    assert len(found) == 9
    begun = log.read_text().split()
    assert {name: begun.count(name) for name in set(begun)} == {
        **dict.fromkeys("abcdef", 1),
        "bad": 1,
        "ending": 1,
        "deadly": 2,
    }


def test_a_pool_takes_tasks_of_other_kinds_and_more_of_them_later(tmp_path):
    pool = Pool(2, corpus_workers.obedient, tmp_path / "log")
    try:
        adapting = [AdaptTask(name, [], "") for name in ("ann", "deadly", "bob")]
        found = sorted(pool.run(adapting), key=lambda message: message.name)
        died = "the process that aligned it died (killed, perhaps because the memory is full)"
        assert found == [
            Adapted("ann", None),
            Adapted("bob", None),
            Failed("deadly", f"{died}; align it by itself to see why"),
        ]
        assert list(pool.run([])) == []
        found = [outcome(message) for message in pool.run([task("a", "b"), task("c"), task("d")])]
        assert sorted(found) == ["a", "b", "c", "d"]
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (corpus_workers.broken, ModelError, "^no model$"),
        (
            corpus_workers.stillborn,
            CorpusError,
            r"^a worker could not start \(exit code 4\); if nothing",
        ),
    ],
)
def test_workers_that_can_not_start(target, error, message):
    pool = Pool(1, target)
    try:
        with pytest.raises(error, match=message):
            list(pool.run([task("a")]))
    finally:
        pool.close()


def test_a_worker_that_is_told_to_end_again_while_it_ends_goes_on_ending():
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit, match="143"):
            process._leave(signal.SIGTERM, None)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
