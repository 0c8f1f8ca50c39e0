"""The documents say everything there is to say, and what they show of it is true."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from jsonschema_rs import Draft202012Validator

from relay.app import APIS
from relay.web.api import Api
from relay.web.wiring import CATALOGUE
from tests.apis.contract.documents import (
    EACH_API,
    Document,
    header_faults,
    operations_of,
    operations_served,
    resolved,
    served,
)
from tests.apis.contract.scene import Scene, in_order, play
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver
from tests.whole.process import free_port


@EACH_API
async def test_the_server_is_the_public_url_with_its_path(api: Api, start_relay: StartRelay) -> None:
    port = free_port()
    async with start_relay(port=port, public_url="https://acme.test/relay") as relay:
        relay.url = f"http://127.0.0.1:{port}"  # there is no proxy in front of this one
        document = await relay.json("GET", f"/openapi/{api.name}.json", key=None)
        assert document == served(api, "https://acme.test/relay", relay.server.app[CATALOGUE])
    assert [one["url"] for one in document["servers"]] == ["https://acme.test/relay"]
    assert document["info"]["contact"]["url"] == "https://acme.test/relay"
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}


@EACH_API
def test_everything_is_described(api: Api) -> None:
    assert [where for where, one in _described(served(api)) if not one.get("description", "").strip()] == []


def _described(document: Document) -> Iterator[tuple[str, Document]]:
    """Everything a reader looks up, with where it stands."""
    yield "info", document["info"]
    for tag in document["tags"]:
        yield tag["name"], tag
    for kind in ("securitySchemes", "schemas", "headers", "responses"):
        for name, one in document["components"].get(kind, {}).items():
            if kind != "schemas" or "enum" not in one:
                yield name, one
    for name, operation in operations_of(document).items():
        yield name, operation.described
        for key, parameter in operation.parameters.items():
            yield f"{name} {key}", parameter
        for status, response in operation.described["responses"].items():
            yield f"{name} {status}", response
    for name, webhook in document["webhooks"].items():
        yield name, webhook["post"]
        for one in (*webhook["post"]["parameters"], *webhook["post"]["responses"].values()):
            yield name, one


def test_a_body_that_may_be_left_out_is_described_too() -> None:
    optional = {
        name: operation.request
        for api in APIS
        for name, operation in operations_served(api).items()
        if operation.request is not None and not operation.needs_body
    }
    assert optional["resumeSubscription"]["properties"].keys() == {"replay_missed"}
    assert [name for name, schema in optional.items() if schema.get("required")] == []


@EACH_API
def test_every_operation_belongs_to_a_tag(api: Api) -> None:
    document = served(api)
    used = {tag for operation in operations_of(document).values() for tag in operation.described["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}


@EACH_API
def test_every_body_has_an_example_that_is_valid(api: Api) -> None:
    document = resolved(served(api))
    for where, content in _bodies(document):
        assert "example" in content, where
        assert (
            list(Draft202012Validator(content["schema"], validate_formats=True).iter_errors(content["example"])) == []
        )


def _bodies(document: Document) -> Iterator[tuple[str, Document]]:
    for name, operation in operations_of(document).items():
        for place in (operation.described.get("requestBody", {}), *operation.described["responses"].values()):
            for media_type, content in place.get("content", {}).items():
                if media_type != "text/event-stream":
                    yield name, content
    for name, webhook in document["webhooks"].items():
        yield name, webhook["post"]["requestBody"]["content"]["application/json"]


@pytest.fixture
async def limited(start_relay: StartRelay, receiver: Receiver) -> AsyncIterator[Scene]:
    async with start_relay(retry_delays="0.1,0.1", rate_limit=100_000) as relay:
        yield await play(relay, receiver, "limited")


@EACH_API
async def test_answers_carry_the_headers_they_are_said_to(api: Api, limited: Scene) -> None:
    """Those of limits on every answer to a known key, how to send one, where the new thing is, when to come back."""
    scene, relay = limited, limited.relay
    without_scope = await relay.new_key("limited", scopes=["none"])
    for name, operation in in_order(operations_served(api)):
        if operation.streams:
            continue
        answers = [await scene.call(name, operation)]
        if not operation.is_public:
            answers += [await scene.call(name, operation, key=key) for key in (None, without_scope)]
        if operation.request is not None:
            answers.append(await scene.call(name, operation, data=b"{"))
        if "{id}" in operation.path:
            answers.append(await scene.call(name, operation, id_="unknown"))
        assert [fault for answer in answers for fault in header_faults(operation, answer)] == [], name


@EACH_API
async def test_a_refusal_for_now_says_when_to_come_back(api: Api, relay: Relay, receiver: Receiver) -> None:
    """503 while nothing can be written, 429 for an address that guesses keys: both documented for every operation."""
    scene = await play(relay, receiver, "refused")
    operations = operations_served(api)
    writes = [(name, one) for name, one in operations.items() if one.request is not None and name != "testWebhook"]
    writer = relay.server.database._writer
    writer.execute("PRAGMA query_only = ON")
    refused = {name: await scene.call(name, one) for name, one in writes if name != "recoverSubscription"}
    writer.execute("PRAGMA query_only = OFF")
    assert {answer.status for answer in refused.values()} == {503}
    guessed = next(name for name, one in operations.items() if not one.is_public)
    while (answer := await scene.call(guessed, operations[guessed], key="rp_live_" + "w" * 32)).status == 401:
        pass
    assert answer.status == 429
    for name, one in {**refused, guessed: answer}.items():
        assert "Retry-After" in operations[name].responses[one.status]["headers"]
        assert header_faults(operations[name], one) == [], name
    for name, operation in operations.items():
        for status in {429, 503} & operation.responses.keys():
            assert operation.responses[status]["headers"]["Retry-After"]["required"], name
        assert 503 in operation.responses
        assert operation.is_public or 429 in operation.responses
