"""The tables of faults in `tests/README.md` are complete, and every test in them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.whole.test_failpoints import POINTS

TESTS = Path(__file__).parent.parent
README = (TESTS / "README.md").read_text()
ROWS = dict(re.findall(r"^\| F(\d+) \|(.*)$", README, re.MULTILINE))
KINDS = dict(re.findall(r"^\| ([A-C]\d+) \|(.*)$", README, re.MULTILINE))


def test_all_29_faults_are_there() -> None:
    assert [int(number) for number in ROWS] == list(range(1, 30))


@pytest.mark.parametrize("number", ROWS)
def test_every_fault_names_tests_that_exist(number: str) -> None:
    _assert_tests_exist(ROWS[number])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_tests_that_exist(kind: str) -> None:
    _assert_tests_exist(KINDS[kind])


def _assert_tests_exist(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
    assert named
    for file, test in named:
        assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"


def test_every_failpoint_is_described() -> None:
    for name in (*POINTS, "in-migration"):
        assert f"| `{name}` |" in README
