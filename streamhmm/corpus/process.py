"""A process that works until nobody sends it anything any more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import closing, suppress
from multiprocessing.connection import Connection

from streamhmm.corpus.messages import Broken, Ready, TaskDone
from streamhmm.corpus.settings import Settings
from streamhmm.errors import StreamHMMError


def work(connection: Connection, settings: Settings, digest: str, results: str) -> None:
    """Do tasks until nobody sends any more, or the process that began this one has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the terminal's processes; the first decides
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    from streamhmm.align.aligner import Aligner
    from streamhmm.corpus.worker import Worker

    torch.set_num_threads(1)  # the files are what is shared out; threads on top would wait for one another
    try:
        aligner = Aligner(
            settings.model,
            settings.backend,
            settings.precision,
            settings.device,
            lexicon=settings.lexicon,
            target_lang=settings.target_lang,
        )
        worker = Worker(aligner, settings, digest, results)
    except StreamHMMError as error:
        connection.send(Broken(error))
        return
    with closing(worker), suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody is there any more
        connection.send(Ready())
        while True:
            for message in connection.recv().run(worker):
                connection.send(message)
            connection.send(TaskDone())


def _leave(number: int, frame: object) -> None:
    """Ends the process as an error does, so that no half-written file stays."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would fall into what Python does at its end
    raise SystemExit(128 + number)


def _end_with_parent() -> None:
    """However long a file takes: nobody waits for it any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
