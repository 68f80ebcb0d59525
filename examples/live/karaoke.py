"""Reads the events of ``streamhmm live --jsonl`` and shows the line that is being read, its word in capitals.

streamhmm live script.txt --jsonl | python karaoke.py script.txt
"""

import json
import sys
from pathlib import Path

lines = [line.split() for line in Path(sys.argv[1]).read_text("utf-8").splitlines() if line.split()]
# The words of the events are those of the text without punctuation, so dashes that stand alone are not counted.
places = [
    (row, column) for row, line in enumerate(lines) for column, word in enumerate(line) if any(map(str.isalnum, word))
]

for event in map(json.loads, sys.stdin):
    if event["kind"] == "partial":
        row, column = places[event["index"]]
        shown = [word.upper() if at == column else word for at, word in enumerate(lines[row])]
        print(f"{event['start']:7.2f} s  {' '.join(shown)}", flush=True)
