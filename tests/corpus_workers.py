"""What runs in the processes of a pool, for its tests: the names in the tasks say what happens."""

from __future__ import annotations

import os
import signal

from streamhmm.corpus.journal import Entry
from streamhmm.corpus.messages import Adapted, Broken, Failed, Finished, Ready, TaskDone
from streamhmm.corpus.tasks import AdaptTask
from streamhmm.errors import ModelError


def obedient(connection, log):
    """Finishes everything, but "bad", and dies at "deadly"; ``log`` has a line for each that was begun."""
    connection.send(Ready())
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        for name in task.names:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{name}\n")
            if name == "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "ending":
                os._exit(3)
            if name == "bad":
                connection.send(Failed("bad", "it is bad"))
            elif isinstance(task, AdaptTask):
                connection.send(Adapted(name, None))
            else:
                connection.send(Finished(Entry(name, "key", {}, {})))
        connection.send(TaskDone())


def broken(connection):
    """Can't start, and says why."""
    connection.send(Broken(ModelError("no model")))


def stillborn(connection):
    """Can't start, and says nothing."""
    os._exit(4)
