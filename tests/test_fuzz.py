"""A short run of the fuzz target; the long ones are by hand."""

from __future__ import annotations

import re

import fuzz_operations
import pytest


def test_wrong_and_extreme_arguments_are_refused_or_answered_rightly(capfd: pytest.CaptureFixture[str]) -> None:
    status = fuzz_operations.main(["--inputs", "500", "--seed", "0"])
    assert (status, *capfd.readouterr()) == (0, "500 inputs of seed 0: each was refused or answered rightly\n", "")


def test_a_crash_is_reported_with_its_input(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMHMM_ISA", "none of them")  # fails in the child alone
    assert fuzz_operations.main(["--inputs", "50", "--seed", "3", "--first", "7"]) == 1
    again = re.escape("; again: --seed 3 --first ")
    assert re.fullmatch(rf"input (\d+) of seed 3 failed{again}\1 --inputs 1\n", capfd.readouterr().out)
