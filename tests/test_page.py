"""Pages in one file."""

from __future__ import annotations

import json
import re

from streamhmm.page import page


def test_data_can_not_leave_its_script():
    nasty = {"</script><script>alert(1)</script>": ["<!--", "é\u2028", None, 0.5]}
    text = page("a < b & c", "<p>body</p>", data=nasty, script="console.log(data)")
    assert text.count("<script>") == text.count("</script>") == 1
    assert "<title>a &lt; b &amp; c</title>" in text
    found = re.search(r"const data = (.*);\n", text)
    assert json.loads(found[1]) == nasty


def test_nothing_is_fetched_from_elsewhere():
    assert not re.search(r"(src|href)\s*=|https?:|@import|url\(", page("t", "", style="p { color: red }"))
