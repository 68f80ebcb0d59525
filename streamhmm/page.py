"""A web page in one file: style, script and data within it, nothing fetched from elsewhere."""

from __future__ import annotations

import html
import json
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #67707b; --line: #d8dde3; --ground: #fff; --mark: #ffe08a;
  --accent: #2166ac; --bad: #b2182b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #98a2ae; --line: #363c44; --ground: #16191d;
  --mark: #6b5200; --accent: #74aee0; --bad: #f08a80; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
.soft { color: var(--soft); } .bad { color: var(--bad); }
"""


def page(title: str, body: str, *, style: str = "", script: str = "", data: Any = None) -> str:
    """The page as text.

    Args:
        title: plain text.
        body: HTML; what comes from users must have gone through ``html.escape``.
        style: CSS added to that which all pages share.
        script: JavaScript, run after the body is there.
        data: anything that JSON holds; the script finds it as ``data``.
    """
    # "<" as an escape: no text in the data can end the script element or open a comment in it.
    json_data = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}\n"
        f"<script>\nconst data = {json_data};\n{script}</script>\n</body>\n</html>\n"
    )
