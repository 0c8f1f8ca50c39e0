"""Who may do what: every operation with every kind of wrong key, and with the ids of another workspace."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from relay.app import APIS, wall_clock
from relay.core.keys import SCOPES, key_hash
from relay.store import workspaces
from relay.web.api import Api
from tests.apis.contract.documents import EACH_API, Described, faults, operations_served
from tests.apis.contract.scene import COMMON_IDS, Scene, play
from tests.conftest import Relay
from tests.receiver import Receiver

UNKNOWN_ID = "wh_zzzzzzzzzzzzzzzz"
MALFORMED_KEY = "rp_live_short"
UNKNOWN_KEY = "rsk_" + "u" * 32


@pytest.fixture
async def scene(relay: Relay, receiver: Receiver) -> Scene:
    return await play(relay, receiver, "owner")


def _behind_a_key(api: Api) -> list[tuple[str, Described]]:
    return [(name, one) for name, one in operations_served(api).items() if not one.is_public]


async def _revoked_key(relay: Relay) -> str:
    key = await relay.new_key("owner", scopes=SCOPES)
    stored = await relay.server.database.read(workspaces.key_by_hash(key_hash(key)))
    assert stored is not None
    await relay.server.database.write(workspaces.revoke_key(stored.id, wall_clock()))
    return key


def _headers(key: str) -> list[dict[str, str]]:
    return [{"Authorization": f"Bearer {key}"}, {"X-API-Key": key}]


@EACH_API
async def test_a_wrong_key_is_refused_before_anything_else(api: Api, scene: Scene) -> None:
    """401 in the API's own shape, with the same bytes for every operation, in both headers; and nothing is changed."""
    wrong: dict[str, list[dict[str, str]]] = {
        "missing or malformed": [{}, {"Authorization": "Basic cnA6eA=="}, *_headers(MALFORMED_KEY)],
        "not live": [*_headers(UNKNOWN_KEY), *_headers(await _revoked_key(scene.relay))],
    }
    for headers_of_kind in wrong.values():
        texts = set()
        for name, operation in _behind_a_key(api):
            for headers in headers_of_kind:
                answer = await scene.call(name, operation, key=None, headers=headers)
                assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (name, headers)
                assert await faults(operation, answer) == []
                texts.add(await answer.text())
        assert len(texts) == 1, texts
    await _is_untouched(scene)


@EACH_API
async def test_a_key_without_the_scope_is_refused(api: Api, scene: Scene) -> None:
    """403 in the API's own shape; a key with that scope alone gets through."""
    scoped = [(one, operations_served(api)[one.operation_id]) for one in api.operations if one.scope in SCOPES]
    for operation, described in scoped:
        lacking = await scene.relay.new_key("owner", scopes=set(SCOPES) - {operation.scope})
        for headers in _headers(lacking):
            answer = await scene.call(operation.operation_id, described, key=None, headers=headers)
            assert answer.status == 403, operation.operation_id
            assert await faults(described, answer) == []
    await _is_untouched(scene)
    for operation, described in scoped:
        sufficient = await scene.relay.new_key("owner", scopes=[operation.scope])
        answer = await scene.call(operation.operation_id, described, key=sufficient, id_=UNKNOWN_ID)
        assert answer.status not in (401, 403), operation.operation_id


@EACH_API
async def test_another_workspaces_id_is_as_unknown_as_one_that_never_was(api: Api, scene: Scene) -> None:
    """The same status, bytes and headers; and what the id stands for is untouched."""
    stranger = await scene.relay.new_key("stranger", scopes=SCOPES)
    for name, operation in _behind_a_key(api):
        if "{id}" not in operation.path or operation.path.removesuffix("/{id}") in COMMON_IDS:
            continue
        foreign = await scene.call(name, operation, key=stranger)
        unknown = await scene.call(name, operation, key=stranger, id_=UNKNOWN_ID)
        assert (foreign.status, await foreign.text()) == (unknown.status, await unknown.text()), name
        assert {**foreign.headers, "Date": ""} == {**unknown.headers, "Date": ""}, name
        assert foreign.status == 404 or await foreign.json() == {"ok": True, "deleted": False}, name
        assert await faults(operation, foreign) == []
    await _is_untouched(scene)


@EACH_API
async def test_lists_show_nothing_of_another_workspace(api: Api, scene: Scene) -> None:
    """Nor do filters for its ids, which are as good as unknown ones."""
    stranger = await scene.relay.new_key("stranger", scopes=SCOPES)
    for name, operation in _behind_a_key(api):
        if operation.method != "GET" or "{id}" in operation.path:
            continue
        nouns = {"event_id": "/v1/events", "subscription_id": "/v1/subscriptions"}
        filters = {noun: scene.ids[path] for noun, path in nouns.items() if (noun, "query") in operation.parameters}
        for query in ({}, filters):
            answer = await scene.call(name, operation, key=stranger, params=query)
            text = await answer.text()
            assert answer.status == 200, (name, text)
            assert not [secret for secret in (*scene.ids.values(), *scene.secrets) if secret in text], name


async def test_another_workspaces_collector_is_unknown(scene: Scene) -> None:
    """Inviting into a campaign that is not one's own is answered like inviting into none."""
    relay = scene.relay
    stranger = await relay.new_key("stranger", scopes=SCOPES)
    (collector_id,) = _collectors(relay)
    answers = []
    for wanted in (collector_id, "col_unknown"):
        body = {"customer_email": "eve@example.com", "collector_id": wanted, "send_email": False}
        answer = await relay.call("POST", "/v1/invitations", body, key=stranger)
        answers.append((answer.status, await answer.text()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


def _collectors(relay: Relay) -> list[str]:
    with contextlib.closing(sqlite3.connect(relay.server.database.path)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM collectors")]


async def _is_untouched(scene: Scene) -> None:
    """Everything the scene made can still be read by its owner, and is as it was."""
    for api in APIS:
        for name, operation in operations_served(api).items():
            if operation.method == "GET" and "{id}" in operation.path:
                assert (await scene.call(name, operation)).status == 200, name
    relay, key = scene.relay, scene.key
    webhooks = (await relay.json("GET", "/v1/webhooks", key=key))["webhooks"]
    assert [(one["id"], one["active"]) for one in webhooks] == [(scene.ids["/v1/webhooks"], True)]
    assert scene.ids["/api/v1/hooks"] in [one["id"] for one in await relay.json("GET", "/api/v1/hooks", key=key)]
    subscription = await relay.json("GET", f"/v1/subscriptions/{scene.ids['/v1/subscriptions']}", key=key)
    assert (subscription["state"], subscription["name"], subscription["secret_rotated_at"]) == ("active", None, None)
    dead_letters = (await relay.json("GET", "/v1/dead-letters", key=key))["data"]
    assert [one["id"] for one in dead_letters] == [scene.ids["/v1/dead-letters"]]
