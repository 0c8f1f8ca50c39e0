"""Tables: every cell is whole, whatever the width."""

from __future__ import annotations

import pytest

from relay.table import table

ROWS = [("key_r64hf75jsqlx", "Zoë 日本", "events hooks subscriptions deliveries"), ("key_1", "", "")]


@pytest.mark.parametrize("width", [None, 1, 20, 40, 60, 80, 1000])
def test_an_id_is_never_cut(width: int | None) -> None:
    lines = table(("id", "workspace", "scopes"), ROWS, width).splitlines()
    assert sum("key_r64hf75jsqlx  Zoë 日本" in line for line in lines) == 1
    assert {word for line in lines for word in line.split()} >= {"events", "hooks", "subscriptions", "deliveries"}


def test_only_a_terminal_gets_a_row_in_several_lines() -> None:
    assert len(table(("id", "workspace", "scopes"), ROWS).splitlines()) == 3
    wrapped = table(("id", "workspace", "scopes"), ROWS, 60)
    assert wrapped.splitlines() == [
        "id                workspace  scopes",
        "key_r64hf75jsqlx  Zoë 日本   events hooks subscriptions",
        "                             deliveries",
        "key_1",
    ]


def test_what_a_terminal_would_act_upon_is_spelled_out() -> None:
    assert table(("label",), [("a\x1b[31m\nb\u202e",)]).splitlines() == ["label", r"a\u001b[31m\u000ab\u202e"]


def test_a_table_without_rows_has_its_titles() -> None:
    assert table(("id", "name"), []) == "id  name"
