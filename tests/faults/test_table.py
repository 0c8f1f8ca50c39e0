"""The tables of faults in `tests/README.md` are complete, and every test in them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.whole.test_failpoints import POINTS

TESTS = Path(__file__).parent.parent
README = (TESTS / "README.md").read_text()
ROWS = dict(re.findall(r"^\| ([A-CF]\d+) \|(.*)$", README, re.MULTILINE))
KINDS = [*(f"A{number}" for number in range(1, 14)), *(f"B{n}" for n in range(1, 11)), *(f"C{n}" for n in range(1, 14))]


def test_all_faults_are_there() -> None:
    assert list(ROWS) == [*(f"F{number}" for number in range(1, 30)), *KINDS]


@pytest.mark.parametrize("number", ROWS)
def test_every_fault_names_tests_that_exist(number: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", ROWS[number])
    assert named
    for file, test in named:
        assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"


def test_every_failpoint_is_described() -> None:
    for name in (*POINTS, "in-migration"):
        assert f"| `{name}` |" in README
