"""The same in Python: follows a text while it is read, from a file played as a microphone or from the microphone.

python session.py script.txt [recording]
"""

import sys
from pathlib import Path

import streamhmm as sh
from streamhmm.align.live import LiveSession
from streamhmm.audio.microphone import Microphone
from streamhmm.audio.playback import Playback


def show(events):
    """Called in the session's thread, with what became known by each chunk of audio."""
    for event in events:
        if event.kind == "final":
            word = event.segment
            print(f"{word.start:7.3f} {word.end:7.3f} {word.label}", flush=True)


stream = sh.Aligner().stream(Path(sys.argv[1]).read_text("utf-8"), max_lag=0.3)
source = Playback(sys.argv[2]) if len(sys.argv) > 2 else Microphone()  # or Microphone("a part of its name")
with LiveSession(stream, source, on_events=show) as session:
    while not session.wait(0.1):  # until the recording is over, or session.stop() is called
        pass
print(session.finish().duration, "s heard;", session.status)
