"""A client of the Webhook Relay API, and a verifier of its signatures that shares no code with Relay."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from relay.core import ids
from tests.conftest import Relay
from tests.receiver import Received

UNKNOWN = "01JAB3K5XYZQRSTUVWXYZABCDE"


def start_ms() -> int:
    """Where the clock of a test may start: ids never go down in a process, and earlier tests had clocks too."""
    value = 0
    for character in ids.ulid(0)[:10]:
        value = value * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    return value + 1


async def subscribe(relay: Relay, url: str = "https://hooks.example.com/a", **body: Any) -> dict[str, Any]:
    """A new subscription, with its secret."""
    made: dict[str, Any] = await relay.json("POST", "/v1/subscriptions", {"url": url, **body}, status=201)
    return made


async def publish(relay: Relay, type: str = "order.created", payload: Any = None, **kwargs: Any) -> dict[str, Any]:  # noqa: A002
    """A new event."""
    body = {"type": type, "payload": {} if payload is None else payload}
    made: dict[str, Any] = await relay.json("POST", "/v1/events", body, status=202, **kwargs)
    return made


async def deliveries(relay: Relay, **query: str) -> list[dict[str, Any]]:
    """The first page of the delivery log."""
    page = await relay.json("GET", "/v1/deliveries", params=query)
    return list(page["data"])


async def delivery_in(relay: Relay, status: str, **query: str) -> dict[str, Any]:
    """The newest delivery, with its attempts, once it is in that state."""

    async def look() -> dict[str, Any] | None:
        found = await deliveries(relay, **query)
        return found[0] if found and found[0]["status"] == status else None

    listed = await until(look)
    whole: dict[str, Any] = await relay.json("GET", f"/v1/deliveries/{listed['id']}")
    return whole


async def until(look: Callable[[], Awaitable[Any]], timeout_s: float = 10.0) -> Any:
    """What `look` gives as soon as it is true; TimeoutError when that does not come."""
    async with asyncio.timeout(timeout_s):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


async def pages(relay: Relay, path: str, **query: str) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        page = await relay.json("GET", path, params={**query, **({"cursor": cursor} if cursor else {})})
        found.append(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def signatures(header: str) -> tuple[str, list[str]]:
    """The timestamp of an X-Webhook-Signature, and its v1 values in their order."""
    pairs = [part.split("=", 1) for part in header.split(",")]
    return next(value for name, value in pairs if name == "t"), [value for name, value in pairs if name == "v1"]


def expected(secret: str, timestamp: str, body: bytes) -> str:
    """The published reference: hex HMAC-SHA256, keyed with the whole secret, over `t.body`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(request: Received, secret: str) -> dict[str, Any]:
    """The body of a delivery that was signed with this secret alone."""
    timestamp, found = signatures(request.header("X-Webhook-Signature") or "")
    assert timestamp == request.header("X-Webhook-Timestamp")
    assert found == [expected(secret, timestamp, request.body)]
    body: dict[str, Any] = json.loads(request.body)
    return body


def fields_of(problem: dict[str, Any]) -> set[str]:
    """What a 400 complains about."""
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Invalid request", 400)
    assert problem["detail"]
    return set(problem.get("errors", {}))
