"""The table of faults in `tests/README.md` is complete, and every test in it exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.whole.test_failpoints import POINTS

TESTS = Path(__file__).parent.parent
README = (TESTS / "README.md").read_text()
_, _, KINDS_PART = README.partition("\n## Kinds of faults found in 0.1.0\n")
KINDS = dict(re.findall(r"^\| ([ABC]\d+) \|(.*)$", KINDS_PART, re.MULTILINE))
ROWS = dict(re.findall(r"^\| F(\d+) \|(.*)$", README, re.MULTILINE))


def test_all_29_faults_are_there() -> None:
    assert [int(number) for number in ROWS] == list(range(1, 30))


@pytest.mark.parametrize("number", [*ROWS, *KINDS])
def test_every_fault_names_tests_that_exist(number: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", {**ROWS, **KINDS}[number])
    assert named
    for file, test in named:
        assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"


def test_every_failpoint_is_described() -> None:
    for name in (*POINTS, "in-migration"):
        assert f"| `{name}` |" in README
