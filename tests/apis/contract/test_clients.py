"""Clients that three generators make of Relay's own documents, against a live Relay: every operation once."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.apis.webhook_relay.echo import ECHO
from relay.app import APIS
from relay.web.api import Api
from tests.apis.contract.calls import CALLS, prepared
from tests.apis.contract.documents import EACH_API, Document
from tests.apis.contract.python_client import PythonClient, generate
from tests.apis.contract.scene import Scene, play
from tests.apis.contract.typescript_clients import GENERATORS, Generator
from tests.conftest import Relay, has
from tests.npm import DOCUMENT_TOOLS
from tests.receiver import Receiver

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def scene(relay: Relay, receiver: Receiver) -> Scene:
    # A client that reads a stream to its end should not take a minute.
    relay.server.app[ECHO]._lasts_s = 0.2
    return await play(relay, receiver, "generated")


def test_every_operation_is_called() -> None:
    assert CALLS.keys() == {operation.operation_id for api in APIS for operation in api.operations}


async def _document(api: Api, scene: Scene) -> Document:
    document: Document = await scene.relay.json("GET", f"/openapi/{api.name}.json", key=None)
    return document


@EACH_API
async def test_openapi_python_client(api: Api, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its classes send the defaults they were told of, and parse every member of an answer."""
    name = f"{api.name}_client"
    await generate(await _document(api, scene), tmp_path, name)
    monkeypatch.syspath_prepend(tmp_path)
    async with PythonClient.open(name, scene.relay.url, scene.key) as client:
        for one in prepared(api, scene):
            status, read = await client.call(one)
            assert status < 300, (one.name, status)
            assert read == one.gives, one.name


@EACH_API
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.name)
async def test_typescript_clients(api: Api, generator: Generator, scene: Scene, tmp_path: Path) -> None:
    """The compiler checks each call, and what is read of its answer, against the types that were generated."""
    programs = await has(DOCUMENT_TOOLS)
    calls, document = prepared(api, scene), await _document(api, scene)
    told = await generator.run(tmp_path, programs, document, calls, scene.relay.url, scene.key)
    assert [(one["operation"], one["status"] < 300, one["error"]) for one in told] == [
        (one.name, True, None) for one in calls
    ]
    assert [(one["operation"], one.get("read")) for one in told] == [(one.name, one.gives) for one in calls]
