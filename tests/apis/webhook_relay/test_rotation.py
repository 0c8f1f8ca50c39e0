"""A secret's grace: every one of the last 48 hours signs along, however often it is rotated, and a leak ends them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from relay.core.errors import Conflict
from relay.store import subscriptions
from relay.store.migrate import load_migrations, migrate
from relay.store.sqlite import dialect, open_sqlite
from tests.apis.webhook_relay.client import expected, fields_of, publish, signatures, start_ms, subscribe, until
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver
from tests.whole.process import relay_command

HOUR_MS = 3600 * 1000


async def rotate(relay: Relay, subscription_id: str, body: Any = None) -> str:
    path = f"/v1/subscriptions/{subscription_id}/rotate-secret"
    secret: str = (await relay.json("POST", path, body))["signing_secret"]
    return secret


async def signing(relay: Relay, receiver: Receiver, path: str = "/hook") -> tuple[str, list[str], bytes]:
    """The timestamp, the signatures and the body of what is published now."""
    seen = len(receiver.received(path))
    await publish(relay)
    request = (await receiver.wait_for(seen + 1, path))[-1]
    timestamp, found = signatures(request.header("X-Webhook-Signature") or "")
    return timestamp, found, request.body


async def signers(relay: Relay, receiver: Receiver, secrets: list[str]) -> list[int]:
    """Which of these sign what is published now, in the order of the header."""
    timestamp, found, body = await signing(relay, receiver)
    of_secret = {expected(secret, timestamp, body): number for number, secret in enumerate(secrets)}
    return [of_secret[one] for one in found]


async def test_every_secret_of_the_last_48_hours_signs_along_whatever_was_rotated_since(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    now_ms = start_ms()
    async with start_relay(clock=lambda: now_ms) as relay:
        made = await subscribe(relay, receiver.url("/hook"))
        secrets = [made["signing_secret"]]
        for _ in range(2):
            secrets.append(await rotate(relay, made["id"]))
            now_ms += 20 * HOUR_MS
        assert await signers(relay, receiver, secrets) == [0, 1, 2]
        now_ms += 8 * HOUR_MS  # the first was rotated 48 hours ago, the second 28
        assert await signers(relay, receiver, secrets) == [1, 2]
    async with start_relay(clock=lambda: now_ms) as relay:
        assert await signers(relay, receiver, secrets) == [1, 2]
        now_ms += 20 * HOUR_MS
        assert await signers(relay, receiver, secrets) == [2]


async def test_at_most_five_secrets_sign_one_request(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/hook"))
    secrets = [made["signing_secret"], *[await rotate(relay, made["id"]) for _ in range(6)]]
    assert await signers(relay, receiver, secrets) == [2, 3, 4, 5, 6]
    request = receiver.received("/hook")[0]
    headers = {name.lower(): value for name, value in request.headers}
    for secret in secrets[2:]:
        Webhook(secret).verify(request.body, headers)


async def test_a_leaked_secret_ends_at_once_and_all_before_it(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/hook"))
    secrets = [made["signing_secret"], await rotate(relay, made["id"])]
    secrets.append(await rotate(relay, made["id"], {"now": True}))
    assert await signers(relay, receiver, secrets) == [2]
    secrets.append(await rotate(relay, made["id"], {"now": False}))
    assert await signers(relay, receiver, secrets) == [2, 3]
    for body in ({"now": "yes"}, {"now": None}, {"now": 1}):
        problem = await relay.json("POST", f"/v1/subscriptions/{made['id']}/rotate-secret", body, status=400)
        assert fields_of(problem) == {"now"}
    assert await signers(relay, receiver, secrets) == [2, 3]


async def test_the_command_rotates_a_subscription_of_any_api_beside_the_server(
    tmp_path: Path, relay: Relay, receiver: Receiver
) -> None:
    place = ("--data-dir", str(tmp_path / "relay"))
    made = await subscribe(relay, receiver.url("/hook"))
    hook = await relay.json("POST", "/api/v1/hooks", {"target_url": receiver.url("/h"), "event_type": "clip.approved"})
    webhook = await relay.json("POST", "/v1/webhooks", {"url": receiver.url("/w")})
    for one in (made, hook, webhook):
        code, out, err = await relay_command("subscriptions", "rotate", one["id"], *place)
        assert (code, out[:6], len(out.split())) == (0, "whsec_", 1), err
        assert "48 hours" in err
    code, out, err = await relay_command("subscriptions", "rotate", made["id"], "--now", "--json", *place)
    assert (code, err) == (0, "")
    rotated = json.loads(out)
    assert (rotated["id"], rotated["api"], rotated["now"]) == (made["id"], "webhook_relay", True)

    async def known() -> bool:  # the server looks once a second, and at every publication
        return await signers(relay, receiver, [rotated["signing_secret"]]) == [0]

    await until(known)
    for unknown in ("01JAB3K5XYZQRSTUVWXYZABCDE", "wh_none"):
        code, out, err = await relay_command("subscriptions", "rotate", unknown, *place)
        assert (code, out) == (1, "")
        assert f"there is no subscription {unknown}" in err


async def test_a_removed_subscription_has_no_secrets_left(tmp_path: Path, relay: Relay) -> None:
    made = await subscribe(relay)
    await rotate(relay, made["id"])
    assert await stored(relay, made["id"]) != ("", None)
    await relay.call("DELETE", f"/v1/subscriptions/{made['id']}")
    assert await stored(relay, made["id"]) == ("", None)
    code, _, err = await relay_command("subscriptions", "rotate", made["id"], "--data-dir", str(tmp_path / "relay"))
    assert (code, "there is no subscription" in err) == (1, True)


async def stored(relay: Relay, subscription_id: str) -> tuple[str, Any]:
    with sqlite3.connect(relay.server.database.path) as connection:
        query = "SELECT secret, previous_secrets FROM subscriptions WHERE id = ?"
        row: tuple[str, Any] = connection.execute(query, (subscription_id,)).fetchone()
    connection.close()
    return row


async def test_what_signs_nothing_any_more_is_forgotten(relay: Relay) -> None:
    """Each at its time."""
    made = await subscribe(relay)
    await rotate(relay, made["id"])
    await rotate(relay, made["id"])
    database = relay.server.database
    found = await database.read(subscriptions.to_send(made["id"]))
    assert found is not None
    first, second = found.previous_secrets
    assert first.until_ms <= second.until_ms
    await database.write(subscriptions.forget_ended_secrets(first.until_ms - 1))
    assert len(json.loads((await stored(relay, made["id"]))[1])) == 2
    await database.write(subscriptions.forget_ended_secrets(second.until_ms))
    assert (await stored(relay, made["id"]))[1] is None
    assert (await stored(relay, made["id"]))[0] == found.secret


async def test_two_that_rotate_at_a_time_lose_no_secret(relay: Relay) -> None:
    made = await subscribe(relay)
    database = relay.server.database
    found = await database.read(subscriptions.to_send(made["id"]))
    assert found is not None
    await database.write(subscriptions.rotate(found, "sealed", 1))
    with pytest.raises(Conflict, match="same moment"):
        await database.write(subscriptions.rotate(found, "also sealed", 1))


async def test_the_grace_of_an_older_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    connection = sqlite3.connect(path, isolation_level=None)
    older = [one._replace(text=dialect(one.text)) for one in load_migrations() if one.number < 6]
    migrate(connection, older, path)
    connection.execute("INSERT INTO workspaces (id, name, created_at) VALUES ('w', 'w', 1)")
    columns = "id, workspace_id, api, target_url, event_filter, conditions, secret, created_at, updated_at"
    add = f"INSERT INTO subscriptions ({columns}, previous_secret, previous_secret_until)"
    for number, previous, until_ms in ((1, "gAAAA-b_c=", 5000), (2, None, None)):
        row = (f"s{number}", "w", "a", "https://x.example/", "*", "{}", "new", 1, 1, previous, until_ms)
        connection.execute(f"{add} VALUES ({', '.join('?' * len(row))})", row)
    connection.close()
    async with open_sqlite(path, serve=True) as database:
        one = await database.read(subscriptions.to_send("s1"))
        other = await database.read(subscriptions.to_send("s2"))
    assert one is not None
    assert other is not None
    assert (one.secret, one.previous_secrets) == ("new", (("gAAAA-b_c=", 5000),))
    assert other.previous_secrets == ()
