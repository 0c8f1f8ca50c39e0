"""Test and sandbox keys: apart from what is live, and a sandbox is swept."""

from __future__ import annotations

from relay.apis.webhook_relay import sandbox
from relay.core.keys import DEFAULT_SCOPES, new_key
from relay.store import environments, workspaces
from tests.apis.webhook_relay.client import deliveries, publish, start_ms, subscribe
from tests.conftest import Relay, StartRelay

DAY_MS = 24 * 3600 * 1000


async def key_for(relay: Relay, prefix: str, name: str = "acme") -> str:
    """A key as `relay keys create` makes it."""
    database = relay.server.database
    workspace, _ = await database.write(environments.ensure(name, prefix, 0))
    key = new_key(prefix)
    await database.write(workspaces.add_key(workspace.id, key, DEFAULT_SCOPES[prefix], None, 0))
    return key


def test_each_kind_of_key_has_a_workspace_of_its_own() -> None:
    assert environments.workspace_name("acme", "whk_live_") == "acme"
    assert environments.workspace_name("acme", "rp_live_") == "acme"
    assert environments.workspace_name("acme", "whk_test_") == "acme (test)"
    assert environments.workspace_name("acme", "whk_sandbox_") == "acme (sandbox)"
    assert environments.workspace_name("acme (test)", "whk_test_") == "acme (test)"


async def test_test_keys_never_see_live_data(relay: Relay) -> None:
    live, test = await key_for(relay, "whk_live_"), await key_for(relay, "whk_test_")
    made = await publish(relay, key=live)
    await relay.json("GET", f"/v1/events/{made['id']}", key=test, status=404)
    assert (await relay.json("GET", "/v1/events", key=test))["data"] == []
    again = await key_for(relay, "whk_test_")
    await publish(relay, key=test)
    assert len((await relay.json("GET", "/v1/events", key=again))["data"]) == 1


async def test_a_sandbox_is_empty_again_after_24_hours_and_nothing_else_is(start_relay: StartRelay) -> None:
    now_ms = start_ms()
    async with start_relay(clock=lambda: now_ms) as relay:
        keys = {prefix: await key_for(relay, prefix) for prefix in ("whk_live_", "whk_test_", "whk_sandbox_")}
        for key in keys.values():
            body = {"url": "https://hooks.example.com/", "event_filter": "order.*"}
            await relay.json("POST", "/v1/subscriptions", body, key=key, status=201)
            await publish(relay, "order.created", key=key)
        now_ms += DAY_MS
        await sandbox.sweep(relay.server.app)

        async def count(path: str, key: str) -> int:
            return len((await relay.json("GET", path, key=key))["data"])

        paths = ("/v1/events", "/v1/subscriptions", "/v1/deliveries")
        assert [await count(path, keys["whk_sandbox_"]) for path in paths] == [1, 1, 1]
        now_ms += 1
        await sandbox.sweep(relay.server.app)
        assert [await count(path, keys["whk_sandbox_"]) for path in paths] == [0, 0, 0]
        for prefix in ("whk_live_", "whk_test_"):
            assert [await count(path, keys[prefix]) for path in paths] == [1, 1, 1]
        assert await deliveries(relay) == []
        await subscribe(relay)
