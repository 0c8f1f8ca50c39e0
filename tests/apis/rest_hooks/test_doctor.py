"""`relay hooks doctor`: what it finds, what it says, and what it keeps to itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from relay.core.model import SubscriptionState
from relay.store import subscriptions
from tests.apis.rest_hooks.platform import REVIEW, publish, subscribe, until, until_settled
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver
from tests.whole.process import relay_command


async def doctor(tmp_path: Path, *options: str) -> tuple[int, str]:
    """Run beside the server, without its environment: the exit code and what was printed."""
    code, out, err = await relay_command("hooks", "doctor", "--data-dir", str(tmp_path / "relay"), *options)
    assert err == ""
    return code, out


async def findings(tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    code, out = await doctor(tmp_path, "--json", *options)
    found: list[dict[str, Any]] = json.loads(out)["findings"]
    assert code == bool(found)
    return found


async def test_nothing_is_found_where_nothing_is_wrong(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Two apps, two bands and two events are three reasons to subscribe a target twice; a target that fails once, and
    has answered before, needs nobody."""
    async with start_relay(retry_delays="3600") as relay:
        assert await doctor(tmp_path) == (0, "0 hooks, nothing wrong\n")
        for body in (REVIEW, {**REVIEW, "min_stars": 2}, {**REVIEW, "app_id": "1"}, {}):
            await subscribe(relay, receiver.url("/hook"), **body)
        await subscribe(relay, receiver.url("/shaky"))
        receiver.script("/shaky", "/ok", "/status/500")
        await publish(relay)
        await until_settled(relay, "success", 2)
        await publish(relay)
        await receiver.wait_for(2, "/shaky")
        removed = await subscribe(relay, receiver.url("/hook"))
        assert (await relay.call("DELETE", f"/api/v1/hooks/{removed['id']}")).status == 204
        assert await doctor(tmp_path) == (0, "5 hooks, nothing wrong\n")
        code, out = await doctor(tmp_path, "--json")
        assert (code, json.loads(out)) == (0, {"hooks": 5, "findings": []})


async def test_a_hook_that_was_subscribed_twice_is_found(tmp_path: Path, relay: Relay) -> None:
    """The later one is reported, with the id of the first. Another workspace's is its own."""
    target_url = "https://hooks.zapier.com/hooks/standard/1234567/0123456789abcdef/"
    first = await subscribe(relay, target_url, **{**REVIEW, "min_stars": 3})
    second = await subscribe(relay, target_url, **{**REVIEW, "min_stars": 3.0, "external_ref": "flow 7"})
    other = await relay.new_key("another")
    body = {"target_url": target_url, **REVIEW, "min_stars": 3}
    await relay.json("POST", "/api/v1/hooks", body, key=other)
    [found] = await findings(tmp_path)
    assert {key: found[key] for key in ("problem", "id", "same_as", "workspace")} == {
        "problem": "duplicate",
        "id": second["id"],
        "same_as": first["id"],
        "workspace": "default",
    }
    assert (found["event_type"], found["source"], found["external_ref"]) == ("review.created", "zapier", "flow 7")
    assert found["target_url"] == "https://hooks.zapier.com/hooks/standard/1…/0123…/"
    assert first["id"] in found["what"]
    assert f"DELETE /api/v1/hooks/{second['id']}" in found["advice"]
    assert abs(found["created_at"] - time.time()) < 60
    assert await findings(tmp_path, "--workspace", "another") == []
    assert len(await findings(tmp_path, "--workspace", "default")) == 1


@pytest.mark.parametrize(
    ("path", "status", "error", "remedy"),
    [("/status/404", 404, None, "the flow is on"), ("/close", None, "connection_error", "its host is up")],
)
async def test_a_target_that_only_ever_failed_is_found(
    tmp_path: Path,
    start_relay: StartRelay,
    receiver: Receiver,
    path: str,
    status: int | None,
    error: str | None,
    remedy: str,
) -> None:
    """With since when, how often, and how it failed last."""
    async with start_relay(retry_delays="0.1,3600") as relay:
        receiver.script("/hook", "/status/500", path)
        hook = await subscribe(relay, receiver.url("/hook"))
        await publish(relay)

        async def failed_twice() -> bool:
            found = await relay.server.database.read(subscriptions.to_send(hook["id"]))
            return found is not None and found.consecutive_failures == 2

        await until(failed_twice)
        [found] = await findings(tmp_path)
        assert (found["problem"], found["id"], found["failed_requests"]) == ("never_succeeded", hook["id"], 2)
        assert (found["last_status"], found["last_error"]) == (status, error)
        assert abs(found["failing_since"] - time.time()) < 60
        assert abs(found["last_attempt_at"] - time.time()) < 60
        assert "2 requests have failed since 20" in found["what"]
        assert f"the last with {error or 'status 404'}" in found["what"]
        assert remedy in found["advice"]


async def test_a_hook_that_was_ended_is_found_until_it_is_unsubscribed(
    tmp_path: Path, relay: Relay, receiver: Receiver
) -> None:
    """With why and when."""
    gone = await subscribe(relay, receiver.url("/gone"))
    await publish(relay)
    failed = await subscribe(relay, receiver.url("/failed"), external_ref="flow 7")
    now_ms = round(time.time() * 1000)
    await relay.server.database.write(
        subscriptions.switch_off(failed["id"], SubscriptionState.DISABLED, "failing", now_ms)
    )

    async def is_ended() -> bool:
        return not await relay.json("GET", "/api/v1/hooks")

    await until(is_ended)
    found = {one["id"]: one for one in await findings(tmp_path)}
    assert {one["problem"] for one in found.values()} == {"disabled"}
    assert found[gone["id"]]["reason"] == "gone"
    assert found[gone["id"]]["last_status"] == 410
    assert "410" in found[gone["id"]]["what"]
    assert found[failed["id"]]["reason"] == "failing"
    assert found[failed["id"]]["stopped_at"] == now_ms // 1000
    assert "nothing but failures" in found[failed["id"]]["what"]
    for hook in (gone, failed):
        assert f"DELETE /api/v1/hooks/{hook['id']}" in found[hook["id"]]["advice"]
        assert (await relay.call("DELETE", f"/api/v1/hooks/{hook['id']}")).status == 204
    assert await findings(tmp_path) == []


async def test_a_target_that_the_guard_refuses_now_is_found(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Allowed when it was subscribed, and no longer listed: judged by what the server was started with."""
    async with start_relay() as relay:
        hook = await subscribe(relay, receiver.url("/hook"))
        assert await findings(tmp_path) == []
    async with start_relay(allow_targets="10.0.0.0/8"):
        [found] = await findings(tmp_path)
    assert (found["problem"], found["id"]) == ("refused", hook["id"])
    assert found["refusal"] == "url must not point to a private network"
    assert "RELAY_ALLOW_TARGETS" in found["advice"]
    assert f"DELETE /api/v1/hooks/{hook['id']}" in found["advice"]


async def test_a_person_can_read_it(tmp_path: Path, relay: Relay) -> None:
    """A block for each finding; what a platform gave as its reference cannot play with the terminal."""
    first = await subscribe(relay, "https://hook.eu1.make.com/abcdefghijklmnopqrstuvwxyz012345?token=canary")
    second = await subscribe(
        relay,
        "https://hook.eu1.make.com/abcdefghijklmnopqrstuvwxyz012345?token=canary",
        source="make",
        external_ref="flow\x1b[2J\u202e",
    )
    code, out = await doctor(tmp_path)
    assert code == 1
    assert out.splitlines()[:4] == [
        f"duplicate: {second['id']}",
        '  clip.approved for make "flow\\u001b[2J\\u202e", workspace default',
        "  https://hook.eu1.make.com/abcdef…?…",
        f"  Subscribed with the same target and filter as {first['id']}: its receiver gets each event more than once.",
    ]
    assert out.splitlines()[-1] == "2 hooks, 1 finding"
    for secret in (first["secret"], second["secret"], "canary", "abcdefg"):
        assert secret not in out
        assert secret not in (await doctor(tmp_path, "--json"))[1]


async def test_where_it_cannot_look_it_says_so(tmp_path: Path, start_relay: StartRelay) -> None:
    """It makes no database: a doctor that looks into the wrong folder must not find all well."""
    code, out, err = await relay_command("hooks", "doctor", "--data-dir", str(tmp_path / "relay"))
    assert (code, out) == (1, "")
    assert err.startswith("Error: there is no database ")
    assert not (tmp_path / "relay").exists()
    async with start_relay():
        code, out, err = await relay_command(
            "hooks", "doctor", "--data-dir", str(tmp_path / "relay"), "--workspace", "nobody's"
        )
    assert (code, out) == (1, "")
    assert err == 'Error: there is no workspace "nobody\'s"; relay workspaces list shows them\n'
