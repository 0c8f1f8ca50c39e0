"""The named statements: each is there because something runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

import relay
from relay.store.database import load_statements

CODE = "\n".join(file.read_text() for file in Path(relay.__file__).parent.rglob("*.py"))
MADE_UP = ("delivery_page_",)
"""Names that are put together: what they begin with."""


@pytest.mark.parametrize("name", load_statements())
def test_a_statement_is_used(name: str) -> None:
    assert f'"{name}"' in CODE or any(name.startswith(start) and f'f"{start}{{' in CODE for start in MADE_UP)
