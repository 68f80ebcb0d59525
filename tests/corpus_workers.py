"""What runs in the processes of a pool, for its tests: the names of the utterances say what happens."""

from __future__ import annotations

import os
import signal

from streamhmm.corpus.journal import Entry
from streamhmm.corpus.messages import Broken, Failed, Finished, Ready, TaskDone
from streamhmm.errors import ModelError


def obedient(connection, log):
    """Finishes everything, but "bad", and dies at "deadly"; ``log`` has a line for each that was begun."""
    connection.send(Ready())
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        for utterance in task:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{utterance.name}\n")
            if utterance.name == "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            if utterance.name == "ending":
                os._exit(3)
            if utterance.name == "bad":
                connection.send(Failed("bad", "it is bad"))
            else:
                connection.send(Finished(Entry(utterance.name, "key", {})))
        connection.send(TaskDone())


def broken(connection):
    """Can't start, and says why."""
    connection.send(Broken(ModelError("no model")))


def stillborn(connection):
    """Can't start, and says nothing."""
    os._exit(4)
