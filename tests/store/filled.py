"""A database with as much as one likes in every table that grows, in the shapes that a careless statement is slow on.

What a filter looks for is always at the far end of the list: one workspace has nearly everything delivered, another
nearly everything dead, a third nothing at all; most subscriptions are removed, and most of the others switched off.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from relay.core.ids import _base32
from relay.store.migrate import Migration, load_migrations, migrate
from relay.store.sqlite import dialect

BASE_MS = 1_700_000_000_000
BUSY, DEAD, QUIET, SANDBOX = "ws_busy", "ws_dead", "ws_quiet", "ws_sandbox"
SUBSCRIPTIONS = {
    BUSY: (("sub_busy", "webhook_relay"), ("api-busy", "rest_hooks"), ("wh_busy", "ravepilot")),
    DEAD: (("sub_dead", "webhook_relay"),),
}
FAR = 3
"""How many of what is rare there are, all of them old."""
COMMON, RARE = "order.created", "order.lost"


def ulid(at_ms: int, number: int = 0) -> str:
    return _base32(at_ms, 5) + _base32(number, 8)


def schema(path: Path, up_to: int = 10_000) -> sqlite3.Connection:
    """An empty database of this release, or of an earlier one that knew migrations up to that number."""
    connection = sqlite3.connect(path, isolation_level=None)
    known = [Migration(m.number, m.name, dialect(m.text)) for m in load_migrations() if m.number <= up_to]
    migrate(connection, known, path)
    return connection


def fill(connection: sqlite3.Connection, size: int) -> None:
    """About so many rows in each table, more in those of deliveries."""
    connection.execute("BEGIN")
    _workspaces(connection, size)
    _subscriptions(connection, size)
    for workspace_id in (BUSY, DEAD):
        _events(connection, workspace_id, size)
    _testimonials(connection, size)
    connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, table: str, **row: object) -> None:
    columns = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def _workspaces(connection: sqlite3.Connection, size: int) -> None:
    others = [f"ws_{number:06d}" for number in range(size)]
    for number, workspace_id in enumerate([BUSY, DEAD, QUIET, SANDBOX, *others]):
        insert(connection, "workspaces", id=workspace_id, name=f"name of {workspace_id}", created_at=BASE_MS + number)
        key = {"id": f"key_{number}", "workspace_id": workspace_id, "prefix": "rp_live_", "key_hash": f"hash{number}"}
        insert(connection, "api_keys", **key, last4="abcd", scopes="hooks", created_at=BASE_MS)
    connection.execute("UPDATE workspaces SET swept_after_ms = 1000 WHERE id = ?", (SANDBOX,))
    connection.execute("UPDATE workspaces SET deleted_at = 1 WHERE id = 'ws_000000'")


def subscription(connection: sqlite3.Connection, subscription_id: str, **row: object) -> None:
    given = {
        "id": subscription_id,
        "target_url": f"https://{subscription_id}.example.com/",
        "event_filter": "*",
        "conditions": "{}",
        "secret": "sealed",
        "created_at": BASE_MS,
        "updated_at": BASE_MS,
    }
    insert(connection, "subscriptions", **{**given, **row})


def _subscriptions(connection: sqlite3.Connection, size: int) -> None:
    for workspace_id, made in SUBSCRIPTIONS.items():
        for subscription_id, api in made:
            subscription(connection, subscription_id, workspace_id=workspace_id, api=api, api_key_id="key_0")
    for number in range(size):
        api = ("webhook_relay", "rest_hooks", "ravepilot")[number % 3]
        one = {"workspace_id": BUSY, "api": api, "created_at": BASE_MS + number}
        subscription(connection, f"removed-{number}", **one, removed_at=BASE_MS, api_key_id=f"key_{number}")
        subscription(connection, f"off-{number}", **one, disabled_at=BASE_MS, disabled_reason="failing")
        subscription(connection, f"other-{number}", **one | {"workspace_id": f"ws_{number:06d}"})
        subscription(connection, f"young-{number}", **one | {"workspace_id": SANDBOX, "created_at": BASE_MS * 2})
        farewell = {"target_url": f"https://gone-{number}.example.com/", "subscription_id": f"removed-{number}"}
        due_at = BASE_MS if number < FAR else BASE_MS * 2
        insert(connection, "farewells", **farewell, next_attempt_at=due_at, created_at=BASE_MS)
        span = {"since_at": 0, "until_at": BASE_MS * 2, "after_id": "", "created_at": BASE_MS}
        owner = {"workspace_id": BUSY, "subscription_id": f"off-{number}"}
        insert(connection, "recoveries", id=f"recovery-{number}", **owner, **span)


def _events(connection: sqlite3.Connection, workspace_id: str, size: int) -> None:
    for number in range(size):
        at_ms = BASE_MS + number * 1000
        event_id = ulid(at_ms, workspace_id == DEAD)
        event_type = RARE if number < FAR else COMMON
        key = {"workspace_id": workspace_id, "id": event_id}
        insert(connection, "events", **key, type=event_type, payload='{"n":1}', created_at=at_ms)
        insert(connection, "bodies", event_id=event_id, number=0, body='{"n":1}')
        record = {"workspace_id": workspace_id, "key": f"key-{number}", "fingerprint": "f", "event_id": event_id}
        insert(connection, "idempotency", **record, expires_at=BASE_MS if number < FAR else BASE_MS * 2)
        for place, (subscription_id, api) in enumerate(SUBSCRIPTIONS[workspace_id]):
            if api == "ravepilot" and number >= FAR:
                continue
            usual = "dead" if workspace_id == DEAD else "success"
            unusual = ("pending", "success" if workspace_id == DEAD else "dead")[number % 2]
            state = unusual if number < 2 * FAR else usual
            add_delivery(connection, workspace_id, event_id, subscription_id, api, state, at_ms, place)


def add_delivery(
    connection: sqlite3.Connection,
    workspace_id: str,
    event_id: str,
    subscription_id: str,
    api: str,
    state: str,
    at_ms: int,
    place: int = 0,
) -> str:
    """A delivery with one attempt; its id."""
    delivery_id = ulid(at_ms, 1_000 + place + 10 * (workspace_id == DEAD))
    insert(
        connection,
        "deliveries",
        workspace_id=workspace_id,
        id=delivery_id,
        event_id=event_id,
        event_type=COMMON,
        subscription_id=subscription_id,
        body_number=0,
        state=state,
        dead_reason="exhausted" if state == "dead" else None,
        attempts_made=1,
        next_attempt_at=at_ms if state == "pending" else None,
        created_at=at_ms,
        completed_at=None if state == "pending" else at_ms,
        **({"api": api} if "api" in _columns(connection, "deliveries") else {}),
    )
    insert(connection, "attempts", delivery_id=delivery_id, number=1, attempted_at=at_ms, signature="t=1,v1=a")
    return delivery_id


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _testimonials(connection: sqlite3.Connection, size: int) -> None:
    collector = {"workspace_id": BUSY, "name": "a campaign", "created_at": BASE_MS}
    for number in range(size):
        insert(connection, "collectors", id=f"collector-{number}", **collector)
        script = {"id": f"script-{number}", "collector_id": f"collector-{number}", "script_key": "q"}
        insert(connection, "scripts", **script, prompt="?", position=1)
        submission_id, at_ms = f"submission-{number}", BASE_MS + number
        submission = {"id": submission_id, "workspace_id": BUSY, "collector_id": "collector-0"}
        status = "paid" if number < FAR else "approved"
        insert(
            connection,
            "submissions",
            **submission,
            status=status,
            position=ulid(at_ms),
            customer_email=f"{number}@example.com",
            created_at=at_ms,
            submitted_at=at_ms,
        )
        invitation = {"id": f"invitation-{number}", "workspace_id": BUSY, "submission_id": submission_id}
        insert(connection, "invitations", **invitation, email_lower=f"{number}@example.com", source="api", created_at=1)
        consent = {"id": f"consent-{number}", "submission_id": submission_id, "consent_version": "1"}
        insert(connection, "consents", **consent, text_sha256="a", purposes="[]", granted_at=at_ms)
        clip = {"id": f"clip-{number}", "submission_id": submission_id, "script_key": "q"}
        insert(connection, "clips", **clip, status="approved", created_at=at_ms)
        queued = number < FAR
        insert(
            connection,
            "emails",
            id=f"email-{number}",
            workspace_id=BUSY,
            kind="invitation",
            dedupe_key=f"{number}",
            invitation_id=f"invitation-{number}",
            recipient=f"{number}@example.com",
            message_id=f"<{number}@relay>",
            state="queued" if queued else "sent",
            next_attempt_at=at_ms if queued else None,
            created_at=at_ms,
            completed_at=None if queued else at_ms,
        )
        insert(
            connection, "suppressions", workspace_id=BUSY, email_sha256=f"{number}", reason="bounce", created_at=at_ms
        )
