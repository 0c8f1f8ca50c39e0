"""`relay doctor` as it is typed: what it prints, how it ends, and that it needs nothing of the server but its files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core.model import Subscription
from relay.doctor.finding import Area, Finding, Problem, as_lines, as_row, moment, size, span
from relay.store import subscriptions, workspaces
from tests.conftest import Relay, StartRelay
from tests.doctor.patient import ADD, add_subscription, until
from tests.receiver import Receiver
from tests.whole.process import free_port, relay_command, serve

README = (Path(__file__).parents[2] / "relay" / "doctor" / "README.md").read_text()


async def doctor(folder: Path, *options: str) -> tuple[int, str]:
    """Without any setting: the exit code, and what was printed."""
    code, out, err = await relay_command("doctor", "--data-dir", str(folder), *options)
    assert err == ""
    return code, out


async def test_nothing_wrong_is_said_in_a_few_lines(tmp_path: Path, start_relay: StartRelay) -> None:
    """Beside the server, and, with a note that it is stopped, without it."""
    async with start_relay(allow_targets="") as relay:
        for add in ADD.values():
            await add(relay, "https://8.8.8.8/a")
        code, out = await doctor(tmp_path / "relay", "--offline")
        lines = out.splitlines()
        assert (code, lines[-1]) == (0, "nothing wrong")
        assert lines[0].startswith(f"{tmp_path}/relay/relay.db: ")
        assert "served by process" in lines[0]
        assert lines[1] == "3 subscriptions (ravepilot 1, rest_hooks 1, webhook_relay 1), 0 deliveries wait"
    code, out = await doctor(tmp_path / "relay", "--offline")
    assert (code, out.splitlines()[-1]) == (0, "nothing wrong, 1 note")
    assert out.startswith(f"note, not_running: {tmp_path}/relay/relay.db\n")


async def test_the_doctor_sees_every_api_without_the_servers_environment(tmp_path: Path, receiver: Receiver) -> None:
    """The row of the list: a subscription is paused and a webhook is disabled while the hooks are well. The targets are
    allowed by the server's settings alone."""
    async with serve(tmp_path / "relay", free_port()) as serving:
        _, hook = await serving.post(
            "/api/v1/hooks", {"target_url": receiver.url("/ok"), "event_type": "clip.approved"}
        )
        _, gone = await serving.post("/v1/webhooks", {"url": receiver.url("/gone")})
        _, other = await serving.post("/v1/subscriptions", {"url": receiver.url("/ok"), "event_filter": "*"})
        await serving.post(f"/v1/subscriptions/{other['id']}/pause", {})
        await serving.post("/v1/events", {"type": "clip.approved", "payload": {}})

        async def both_found() -> bool:
            rows = json.loads((await doctor(tmp_path / "relay", "--json", "--offline"))[1])["findings"]
            return {"paused", "disabled"} <= {row["problem"] for row in rows}

        await until(both_found)
        code, out = await doctor(tmp_path / "relay", "--json", "--offline")
    said = json.loads(out)
    assert code == 1
    assert set(said) == {"findings", "checked"}
    ids = {row["id"]: row["problem"] for row in said["findings"] if row["area"] == "subscriptions"}
    assert ids == {gone["id"]: "disabled", other["id"]: "paused"}
    assert hook["id"] not in ids
    assert said["checked"]["subscriptions"] == {"ravepilot": 1, "rest_hooks": 1, "webhook_relay": 1}
    assert said["checked"]["server"]["pid"] == serving.process.pid
    assert said["checked"]["server"]["ready"] is True


async def test_a_finding_is_a_block_that_a_person_can_read(tmp_path: Path, relay: Relay) -> None:
    """What a client gave as a name cannot play with the terminal, and no catch URL is shown whole."""
    hostile = await add_subscription(
        relay,
        "https://hooks.example.com/abcdefghijklmnopqrstuvwxyz?token=canary",
        event_filter="order.*",
        name="Orders\x1b[2J\u202e",
    )
    await relay.json("POST", f"/v1/subscriptions/{hostile}/pause")
    code, out = await doctor(tmp_path / "relay", "--offline")
    lines = out.splitlines()
    assert code == 1
    assert lines[:3] == [
        f"paused: {hostile}",
        '  order.* webhook_relay subscription "Orders\\u001b[2J\\u202e", workspace default',
        "  https://hooks.example.com/abcdef…?…",
    ]
    assert lines[3].startswith("  Paused at 20")
    assert lines[4].startswith(f"  When its receiver works, POST /v1/subscriptions/{hostile}/resume")
    assert lines[-1] == "1 finding"
    as_json = (await doctor(tmp_path / "relay", "--offline", "--json"))[1]
    for secret in ("canary", "abcdefg", "\x1b"):
        assert secret not in out
        assert secret not in as_json


async def test_one_workspace_can_be_chosen(tmp_path: Path, relay: Relay) -> None:
    paused = await add_subscription(relay, "https://hooks.example.com/a", event_filter="*")
    await relay.json("POST", f"/v1/subscriptions/{paused}/pause")
    await relay.new_key("another")
    assert (await doctor(tmp_path / "relay", "--offline", "--workspace", "another"))[0] == 0
    assert (await doctor(tmp_path / "relay", "--offline", "--workspace", "default"))[0] == 1
    code, out, err = await relay_command("doctor", "--data-dir", str(tmp_path / "relay"), "--workspace", "nobody's")
    assert (code, out) == (1, "")
    assert err == 'Error: there is no workspace "nobody\'s"; relay workspaces list shows them\n'


async def test_where_it_cannot_look_it_says_which_file_it_looked_for(tmp_path: Path) -> None:
    """And makes none."""
    for options in (
        ["--data-dir", str(tmp_path / "nowhere")],
        ["--database", f"sqlite:///{tmp_path}/nowhere/relay.db"],
    ):
        code, out, err = await relay_command("doctor", *options)
        assert (code, out) == (1, "")
        assert err.startswith(f"Error: there is no database {tmp_path}/nowhere/relay.db")
        assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


async def test_damage_is_a_finding_and_not_a_traceback(tmp_path: Path, start_relay: StartRelay) -> None:
    """The doctor for hooks could not look, and says so."""
    async with start_relay():
        pass
    (tmp_path / "relay" / "relay.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    code, out = await doctor(tmp_path / "relay", "--offline", "--json")
    assert (code, json.loads(out)["findings"][0]["problem"]) == (1, "unreadable")
    code, out, err = await relay_command("hooks", "doctor", "--data-dir", str(tmp_path / "relay"))
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")


async def test_ten_thousand_subscriptions_with_failures_are_looked_at_in_seconds(
    tmp_path: Path, start_relay: StartRelay
) -> None:
    """Nothing is timed but that it ends within the minute a test may take."""
    async with start_relay() as relay:
        database, now_ms = relay.server.database, wall_clock()
        owner, _ = await database.write(workspaces.ensure("default", now_ms))
        await asyncio.gather(
            *(
                database.write(
                    subscriptions.add(
                        Subscription(
                            id=f"wh_{index:016d}",
                            workspace_id=owner.id,
                            api="ravepilot",
                            target_url=f"https://h{index}.example.com/",
                            event_filter=("*",),
                            secret="x",
                            created_at_ms=now_ms,
                            updated_at_ms=now_ms,
                        )
                    )
                )
                for index in range(10_000)
            )
        )
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("UPDATE subscriptions SET consecutive_failures = 3, failing_since = created_at")
    code, out = await doctor(tmp_path / "relay", "--offline", "--json")
    said = json.loads(out)
    assert said["checked"]["subscriptions"] == {"ravepilot": 10_000}
    assert sum(row["problem"] == "never_succeeded" for row in said["findings"]) == 10_000
    assert code == 1


@pytest.mark.parametrize("problem", list(Problem))
def test_every_problem_is_in_the_readme(problem: Problem) -> None:
    assert re.search(rf"^\| `{problem.value}`", README, re.MULTILINE)


def test_every_problem_in_the_readme_exists() -> None:
    assert set(re.findall(r"^\| `(\w+)`", README, re.MULTILINE)) == {one.value for one in Problem}


def test_every_area_has_its_part_in_the_readme() -> None:
    assert [one.lower() for one in re.findall(r"^### (.+)$", README, re.MULTILINE)] == [one.value for one in Area]


def test_a_finding_as_lines_and_as_a_row() -> None:
    one = Finding(Area.MAIL, Problem.MAIL_FAILED, "a\nb", "what\x07", "advice", False, ("c\u2028d",), {"count": 7})
    assert as_lines(one) == ["note, mail_failed: a\\u000ab", "  c\\u2028d", "  what\\u0007", "  advice"]
    row: dict[str, Any] = as_row(one)
    assert (row["area"], row["problem"], row["needs_person"], row["count"]) == ("mail", "mail_failed", False, 7)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_a_span_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (1_500_000, "1.5 MB"), (3 * 10**15, "3000 TB")]
)
def test_a_size_is_told_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


def test_a_moment_is_told_in_utc() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert moment(-(2**62)).endswith("(Unix time)")
