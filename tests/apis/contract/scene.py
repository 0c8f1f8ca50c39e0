"""A workspace in which everything has happened once, and a request for every operation."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

from relay.core.keys import SCOPES
from tests.apis.contract.documents import Described
from tests.apis.rest_hooks.platform import until
from tests.conftest import Relay
from tests.receiver import Receiver

BODIES: dict[str, dict[str, Any]] = {
    "createInvitation": {"customer_email": "new@example.com", "customer_name": "Ada", "send_email": False},
    "createMagicLink": {"customer_email": "newer@example.com", "customer_phone": "(212) 555-0187"},
    "createWebhook": {"url": "https://example.com/in", "events": ["clip.approved"]},
    "subscribe": {
        "target_url": "https://example.com/in",
        "event_type": "review.created",
        "store": "google",
        "app_id": "com.example.app",
        "min_stars": 1,
        "max_stars": 3,
        "source": "zapier",
    },
    "createEvent": {"type": "clip.approved", "payload": {"clip_id": "clip_1"}},
    "createEventBatch": {"events": [{"type": "clip.approved", "payload": {}}, {"type": "render.succeeded"}]},
    "testWebhook": {"url": "/ok"},
    "createSubscription": {"url": "https://example.com/in", "event_filter": "clip.*", "name": "clips"},
    "updateSubscription": {"name": "renamed"},
    "resumeSubscription": {"replay_missed": True},
    "rotateSubscriptionSecret": {"now": False},
    "recoverSubscription": {"since": "2026-01-01T00:00:00Z"},
}
"""A good body for every operation that takes one; a url that is a path is the receiver's."""
COMMON_IDS = {"/api/v1/event-types": "clip.approved"}
"""Ids of what belongs to nobody, by the path they follow: every workspace may see it."""


METHODS = ("GET", "POST", "PATCH", "DELETE")
"""In the order of a walk through all operations: what deletes comes last."""


def in_order(operations: dict[str, Described]) -> list[tuple[str, Described]]:
    return sorted(operations.items(), key=lambda item: METHODS.index(item[1].method))


@dataclass(frozen=True)
class Scene:
    """A workspace and its key. `ids` has one for each path that ends in an id: `/v1/webhooks` → `wh_…`."""

    relay: Relay
    receiver: Receiver
    key: str
    ids: dict[str, str]
    secrets: tuple[str, ...]
    """Signing secrets, and the tokens of personal links."""

    def id_for(self, operation: Described) -> str:
        return {**COMMON_IDS, **self.ids}[operation.path.partition("/{id}")[0]]

    def path_of(self, operation: Described, id_: str | None = None) -> str:
        if "{id}" not in operation.path:
            return operation.path
        return operation.path.replace("{id}", self.id_for(operation) if id_ is None else id_)

    def body_of(self, name: str) -> dict[str, Any]:
        body = BODIES[name]
        is_path = str(body.get("url", "")).startswith("/")
        return {**body, "url": self.receiver.url(body["url"])} if is_path else body

    async def call(
        self, name: str, operation: Described, body: Any = None, *, id_: str | None = None, **options: Any
    ) -> ClientResponse:
        """The operation with this scene's key and id and a good body, unless others are given."""
        if body is None and operation.request is not None and "data" not in options:
            body = self.body_of(name)
        options.setdefault("key", self.key)
        return await self.relay.call(operation.method, self.path_of(operation, id_), body, **options)


async def play(relay: Relay, receiver: Receiver, workspace: str) -> Scene:
    """Subscribe in every API, to a receiver that works and to one that does not; invite, record, publish, deliver."""
    key = await relay.new_key(workspace, scopes=SCOPES)
    prefix = f"/catch/{workspace}"

    async def post(path: str, body: dict[str, Any], status: int = 200) -> Any:
        return await relay.json("POST", path, body, status=status, key=key)

    receiver.script(f"{prefix}/gone", "/status/404")
    webhook = await post("/v1/webhooks", {"url": receiver.url(f"{prefix}/webhook")})
    hook = await post("/api/v1/hooks", {"target_url": receiver.url(f"{prefix}/hook"), "event_type": "clip.approved"})
    store = {"store": "apple", "app_id": "284882215", "event_type": "review.created", "external_ref": "flow 7"}
    store_hook = await post("/api/v1/hooks", {"target_url": receiver.url(f"{prefix}/store"), **store})
    invited = await post("/v1/invitations", {"customer_email": f"dana@{workspace}.example.com", "send_email": False})
    _record(relay, invited["submission"]["id"])
    subscription = await post("/v1/subscriptions", {"url": receiver.url(f"{prefix}/works")}, 201)
    failing = await post("/v1/subscriptions", {"url": receiver.url(f"{prefix}/gone")}, 201)
    event = await post("/v1/events", {"type": "clip.approved", "payload": {"clip_id": "clip_1"}}, 202)

    async def deliveries(status: str) -> list[dict[str, Any]]:
        page = await relay.json("GET", f"/v1/deliveries?status={status}&event_id={event['id']}", key=key)
        return list(page["data"])

    async def delivered() -> bool:
        return not await deliveries("pending")

    await until(delivered)
    (dead,) = await deliveries("dead")
    succeeded = [one for one in await deliveries("success") if one["subscription_id"] == subscription["id"]]
    ids = {
        "/v1/submissions": invited["submission"]["id"],
        "/v1/webhooks": webhook["id"],
        "/api/v1/hooks": hook["id"],
        "/v1/events": event["id"],
        "/v1/subscriptions": subscription["id"],
        "/v1/deliveries": succeeded[0]["id"],
        "/v1/dead-letters": dead["id"],
    }
    signing = [webhook["secret"], hook["secret"], store_hook["secret"], subscription["signing_secret"]]
    return Scene(relay, receiver, key, ids, (*signing, failing["signing_secret"], invited["invite_token"]))


def _record(relay: Relay, submission_id: str) -> None:
    """What the recording portal and the review will do to the tables."""
    with contextlib.closing(sqlite3.connect(relay.server.database.path)) as connection, connection:
        connection.execute(
            "UPDATE submissions SET status = 'approved', submitted_at = 1000, approved_at = 2000 WHERE id = ?",
            [submission_id],
        )
        connection.executemany(
            "INSERT INTO clips (id, submission_id, script_key, status, duration_ms, transcript, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 7000)",
            [
                (f"{submission_id}_1", submission_id, "intro", "approved", 12500, "It works."),
                (f"{submission_id}_2", submission_id, "result", "recording", None, None),
            ],
        )


def rows(relay: Relay, *but: str) -> dict[str, int]:
    """How many rows each table has."""
    with contextlib.closing(sqlite3.connect(relay.server.database.path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # the names are the schema's own
            for (name,) in tables
            if name not in but
        }
