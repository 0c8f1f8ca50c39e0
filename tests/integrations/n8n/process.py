"""A real n8n in a process of its own, driven as its users do: by its public API, and by what its editor calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tarfile
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp

from tests.apis.webhook_relay.client import until
from tests.conftest import has
from tests.integrations.conftest import run
from tests.npm import N8N, N8N_NODES
from tests.whole.process import free_port

PACKAGE = N8N_NODES.folder
START_S = 120.0
STOP_S = 30.0
ENDED_S = 30.0
_STARTED = "Editor is now accessible"
_OWNER = {"email": "owner@example.com", "firstName": "Olive", "lastName": "Owner", "password": "Correct-horse-1"}
_SCOPES = [f"workflow:{what}" for what in ("create", "read", "update", "activate", "deactivate", "delete")] + [
    "workflow:list",
    "execution:read",
    "execution:list",
    "credential:create",
]
_QUIET = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_VERIFIED_PACKAGES_ENABLED": "false",
}
"""n8n asks nobody in the Internet for anything."""
_FITTING = {
    # A browser's cookie, over plain http.
    "N8N_SECURE_COOKIE": "false",
    # The other engine needs isolated-vm, which has no build for Node 20.
    "N8N_EXPRESSION_ENGINE": "legacy",
}


async def build_package(folder: Path) -> None:
    """Our package in a user's n8n folder, just as npm would have put it there."""
    await has(N8N_NODES)
    await run(["npm", "run", "build"], PACKAGE)
    await run(["npm", "pack", "--pack-destination", str(folder)], PACKAGE)
    [packed] = folder.glob("*.tgz")
    modules = folder / ".n8n" / "nodes" / "node_modules"
    modules.mkdir(parents=True)
    with tarfile.open(packed) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "n8n-nodes-relay")


class N8n:
    """n8n with a folder of its own; it can be stopped and started again."""

    def __init__(self, program: Path, folder: Path, session: aiohttp.ClientSession) -> None:
        self._program = program
        self._folder = folder
        self._session = session
        self._port = free_port()
        self._key = ""
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.webhook_url = self.url
        """Where it tells others to post to."""

    async def start(self) -> None:
        """And wait until its workflows are active."""
        log = self._folder / "n8n.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("N8N_")}
        settings = {
            "N8N_USER_FOLDER": str(self._folder),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self._port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "WEBHOOK_URL": self.webhook_url,
            "N8N_COMMUNITY_PACKAGES_ALLOW_TOOL_USAGE": "true",
        }
        with log.open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                str(self._program),
                "start",
                env=environment | _QUIET | _FITTING | settings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        async with asyncio.timeout(START_S):
            while _STARTED not in log.read_text(errors="replace"):
                assert self._process.returncode is None, f"n8n ended instead of starting:\n{log.read_text()}"
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        finally:
            # What it may have started goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()

    async def set_up_owner(self) -> None:
        """The first user, and an API key for them."""
        await self.editor("POST", "/owner/setup", _OWNER)
        made = await self.editor("POST", "/api-keys", {"label": "tests", "scopes": _SCOPES, "expiresAt": None})
        self._key = made["rawApiKey"]

    async def add_credentials(self, name: str, base_url: str, key: str) -> dict[str, str]:
        """As a node refers to them."""
        body = {"name": name, "type": "relayApi", "data": {"baseUrl": base_url, "apiKey": key}}
        return {"id": (await self.editor("POST", "/credentials", body))["id"], "name": name}

    async def test_credentials(self, base_url: str, key: str) -> dict[str, str]:
        """What the editor shows once credentials are saved."""
        credentials = await self.add_credentials("Tested", base_url, key)
        data = {"baseUrl": base_url, "apiKey": key}
        body = {"credentials": {**credentials, "type": "relayApi", "data": data}}
        shown: dict[str, str] = await self.editor("POST", "/credentials/test", body)
        return shown

    async def options(self, method: str, credentials: dict[str, str]) -> list[dict[str, str]]:
        """A drop-down of the trigger's panel."""
        body = _panel(method, credentials, {})
        found: list[dict[str, str]] = await self.editor("POST", "/dynamic-node-parameters/options", body)
        return found

    async def search(self, method: str, credentials: dict[str, str], **parameters: str) -> list[dict[str, str]]:
        """A searched list of the trigger's panel."""
        body = _panel(method, credentials, parameters)
        found = await self.editor("POST", "/dynamic-node-parameters/resource-locator-results", body)
        results: list[dict[str, str]] = found["results"]
        return results

    async def add_workflow(self, *nodes: dict[str, Any]) -> str:
        """One node after the other; the id of the workflow."""
        workflow_id: str = (await self.api("POST", "/workflows", _workflow(nodes)))["id"]
        return workflow_id

    async def change(self, workflow_id: str, *nodes: dict[str, Any]) -> None:
        await self.api("PUT", f"/workflows/{workflow_id}", _workflow(nodes))

    async def activate(self, workflow_id: str) -> None:
        await self.api("POST", f"/workflows/{workflow_id}/activate", {})

    async def refusal(self, workflow_id: str) -> str:
        """What the user reads when a workflow cannot be activated."""
        message: str = (await self.api("POST", f"/workflows/{workflow_id}/activate", {}, status=400))["message"]
        return message

    async def deactivate(self, workflow_id: str) -> None:
        await self.api("POST", f"/workflows/{workflow_id}/deactivate", {})

    async def listen_for_test_event(self, workflow_id: str, trigger: str) -> None:
        """The button "Execute workflow" of the editor."""
        workflow = await self.editor("GET", f"/workflows/{workflow_id}")
        body = {"workflowData": workflow, "triggerToStartFrom": {"name": trigger}}
        assert await self.editor("POST", f"/workflows/{workflow_id}/run", body) == {"waitingForWebhook": True}

    async def ended(self, workflow_id: str, count: int) -> list[dict[str, Any]]:
        """The executions of a workflow with their data, oldest first, once so many have ended."""
        path = f"/executions?workflowId={workflow_id}&includeData=true"

        async def look() -> list[dict[str, Any]]:
            found = (await self.api("GET", path))["data"]
            ended = [one for one in found if one["status"] in ("success", "error")]
            return ended if len(ended) >= count else []

        found: list[dict[str, Any]] = await until(look, ENDED_S)
        return sorted(found, key=lambda one: int(one["id"]))

    async def node_types(self) -> list[dict[str, Any]]:
        """All that the editor can add to a workflow."""
        found: list[dict[str, Any]] = await self._call("GET", "/types/nodes.json", None)
        return found

    async def editor(self, method: str, path: str, body: object = None) -> Any:
        """What the editor in the browser calls; the session's cookie says who asks."""
        return (await self._call(method, f"/rest{path}", body))["data"]

    async def api(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """The public API."""
        return await self._call(method, f"/api/v1{path}", body, status, {"X-N8N-API-KEY": self._key})

    async def _call(
        self, method: str, path: str, body: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> Any:
        async with self._session.request(method, self.url + path, json=body, headers=headers) as response:
            assert response.status == status, f"{method} {path}: {response.status} {await response.text()}"
            return await response.json(content_type=None)


def _panel(method: str, credentials: dict[str, str], parameters: dict[str, str]) -> dict[str, object]:
    return {
        "path": "parameters",
        "methodName": method,
        "nodeTypeAndVersion": {"name": "n8n-nodes-relay.relayTrigger", "version": 1},
        "currentNodeParameters": parameters,
        "credentials": {"relayApi": credentials},
    }


def _workflow(nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    after = {
        node["name"]: {"main": [[{"node": following["name"], "type": "main", "index": 0}]]}
        for node, following in pairwise(nodes)
    }
    return {"name": "Under test", "nodes": list(nodes), "connections": after, "settings": {}}


@contextlib.asynccontextmanager
async def n8n_with_relay(folder: Path) -> AsyncIterator[N8n]:
    """n8n with our package and an owner; whatever happens, it is gone afterwards. Skips where n8n is not installed."""
    programs = await has(N8N)
    await build_package(folder)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        n8n = N8n(programs / "n8n", folder, session)
        try:
            await n8n.start()
            await n8n.set_up_owner()
            yield n8n
        finally:
            await n8n.stop()
