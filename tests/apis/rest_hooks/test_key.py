"""What a platform shows of the key it is given: whose it is and what it may do, never the key."""

from __future__ import annotations

import pytest

from relay.app import wall_clock
from relay.core.keys import DEFAULT_SCOPES, SCOPES, new_key
from relay.store import removal, workspaces
from tests.conftest import KEY, Relay


async def test_a_key_is_shown_by_whose_it_is_and_what_it_may_do(relay: Relay) -> None:
    assert await relay.json("GET", "/api/v1/key") == {
        "workspace": "default",
        "prefix": "rp_live_",
        "last4": "bbbb",
        "label": "bootstrap",
        "scopes": sorted(SCOPES),
    }


@pytest.mark.parametrize("prefix", DEFAULT_SCOPES)
async def test_any_key_may_ask_whatever_its_scopes(relay: Relay, prefix: str) -> None:
    database, now_ms = relay.server.database, wall_clock()
    owner, _ = await database.write(workspaces.ensure("Acme & Söhne", now_ms))
    key = new_key(prefix)
    await database.write(workspaces.add_key(owner.id, key, frozenset({"submissions", "events"}), None, now_ms))
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        answer = await relay.call("GET", "/api/v1/key", key=None, headers=headers)
        assert await answer.json() == {
            "workspace": "Acme & Söhne",
            "prefix": prefix,
            "last4": key[-4:],
            "label": None,
            "scopes": ["events", "submissions"],
        }
        assert key.removeprefix(prefix)[:-4] not in await answer.text()


async def test_no_key_and_a_wrong_one_are_shown_nothing(relay: Relay) -> None:
    for key in (None, KEY[:-1] + "c", "rp_live_short"):
        assert await relay.json("GET", "/api/v1/key", key=key, status=401) == {"error": "missing or invalid API token"}


async def test_the_key_of_a_workspace_that_was_just_deleted_is_no_key_any_more(relay: Relay) -> None:
    """Also while the answer of the database is still trusted, and the last of the workspace is gone."""
    key = await relay.new_key("leaving")
    await relay.json("GET", "/api/v1/key", key=key)
    database = relay.server.database
    owner = await database.read(workspaces.by_name("leaving"))
    assert owner is not None
    await database.write(removal.end(owner.id, wall_clock()))
    await database.write(removal.sweep(owner.id, 100))
    assert await relay.json("GET", "/api/v1/key", key=key, status=401) == {"error": "missing or invalid API token"}
