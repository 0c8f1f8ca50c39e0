"""Every operation, walked through with real data: its answers are as the documents describe them."""

from __future__ import annotations

import pytest

from relay.web.api import Api
from tests.apis.contract.documents import EACH_API, Described, faults, operations_of, operations_served, published
from tests.apis.contract.scene import Scene, play
from tests.conftest import Relay
from tests.receiver import Receiver

METHODS = ("GET", "POST", "PATCH", "DELETE")
"""In the order of the walk: what deletes comes last."""


@pytest.fixture
async def scene(relay: Relay, receiver: Receiver) -> Scene:
    return await play(relay, receiver, "walked")


def _in_order(api: Api) -> list[tuple[str, Described]]:
    return sorted(
        ((name, one) for name, one in operations_served(api).items() if not one.streams),
        key=lambda item: METHODS.index(item[1].method),
    )


async def _walk(api: Api, scene: Scene, held_to: dict[str, Described]) -> dict[str, list[str]]:
    """What is wrong with the answers, by operation: good request, unknown id, bad body, no key."""
    found: dict[str, list[str]] = {}
    for name, operation in _in_order(api):
        answers = [await scene.call(name, operation)]
        assert answers[0].status < 300, (name, await answers[0].text())
        if "{id}" in operation.path:
            answers.append(await scene.call(name, operation, id_="unknown"))
        if operation.request is not None and held_to.get(name, operation).request is not None:
            answers.append(await scene.call(name, operation, data=b"{"))
        if not operation.is_public:
            answers.append(await scene.call(name, operation, key=None))
        if (described := held_to.get(name)) is not None:
            wrong = [fault for answer in answers for fault in await faults(described, answer)]
            found |= {name: wrong} if wrong else {}
    return found


@EACH_API
async def test_answers_are_as_served_documents_say(api: Api, scene: Scene) -> None:
    assert await _walk(api, scene, operations_served(api)) == {}


@EACH_API
async def test_answers_are_as_published_contracts_say(api: Api, scene: Scene) -> None:
    assert await _walk(api, scene, operations_of(published(api))) == {}


@EACH_API
async def test_a_head_request_is_answered_like_its_get(api: Api, scene: Scene) -> None:
    """Status and headers without the body, as monitors ask for it."""
    for name, operation in _in_order(api):
        if operation.method != "GET":
            continue
        path = scene.path_of(operation)
        get = await scene.relay.call("GET", path, key=scene.key)
        head = await scene.relay.call("HEAD", path, key=scene.key)
        assert (head.status, head.content_type, await head.text()) == (get.status, get.content_type, ""), name
