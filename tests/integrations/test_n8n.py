"""The package in a real n8n, with a real Relay: what a maker of workflows does, and what n8n does by itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.apis.webhook_relay.client import until
from tests.conftest import KEY, has
from tests.integrations.conftest import run
from tests.integrations.n8n.process import N8n, n8n_with_relay
from tests.npm import N8N, N8N_NODES
from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

# One n8n serves all of these; the first of them waits while it is installed, built for and started.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

PACKAGE = N8N_NODES.folder
LOCKS = (N8N_NODES.lock_file, N8N.lock_file)


@dataclass
class Scene:
    """A Relay, an n8n, and the credentials by which the one may use the other."""

    relay: Serve
    n8n: N8n
    credentials: dict[str, str]

    async def hooks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.ask("GET", "/api/v1/hooks")
        return found

    async def until_hooks(self, count: int) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]]:
            found = await self.hooks()
            return found if len(found) == count else []

        found: list[dict[str, Any]] = await until(look)
        return found

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.relay.session.request(method, self.relay.url + path, json=body, headers=headers) as response:
            assert response.status < 300, await response.text()
            return await response.json(content_type=None) if response.status != 204 else None

    async def publish(self, event_type: str, **payload: object) -> str:
        event_id: str = (await self.ask("POST", "/v1/events", {"type": event_type, "payload": payload}))["id"]
        return event_id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("n8n")
    settings = {"allow_targets": "127.0.0.0/8,localhost", "retry_delays": "0.2,0.2,0.2,0.2,0.2"}
    async with serve(folder / "relay", free_port(), **settings) as relay, n8n_with_relay(folder) as n8n:
        yield Scene(relay, n8n, await n8n.add_credentials("Relay", relay.url, KEY))


async def test_credentials_are_tested(scene: Scene) -> None:
    good = await scene.n8n.test_credentials(scene.relay.url + "/", KEY)
    bad = await scene.n8n.test_credentials(scene.relay.url, "rp_live_" + "x" * 32)

    assert good["status"] == "OK"
    assert bad["status"] == "Error"


async def test_the_panel_lists_what_the_server_has(scene: Scene) -> None:
    listed = await scene.n8n.options("getEventTypes", scene.credentials)
    hook = {
        "target_url": f"{scene.relay.url}/x",
        "event_type": "review.created",
        "store": "apple",
        "app_id": "284882215",
    }
    made = await scene.ask("POST", "/api/v1/hooks", hook)
    apple = await scene.n8n.search("searchApps", scene.credentials, store="apple")
    google = await scene.n8n.search("searchApps", scene.credentials, store="google")
    await scene.ask("DELETE", f"/api/v1/hooks/{made['id']}")

    event_types = await scene.ask("GET", "/api/v1/event-types")
    assert [(one["value"], one["name"]) for one in listed] == [(one["id"], one["label"]) for one in event_types]
    assert [one["value"] for one in apple] == ["284882215"]
    assert google == []


async def test_the_panel_knows_the_event_types_while_the_server_is_off(scene: Scene) -> None:
    off = await scene.n8n.add_credentials("Off", f"http://127.0.0.1:{free_port()}", KEY)

    assert await scene.n8n.options("getEventTypes", off) == await scene.n8n.options("getEventTypes", scene.credentials)


async def test_the_panel_says_that_a_key_is_wrong(scene: Scene) -> None:
    wrong = await scene.n8n.add_credentials("Wrong", scene.relay.url, "rp_live_" + "x" * 32)

    with pytest.raises(AssertionError, match="Authorization failed"):
        await scene.n8n.options("getEventTypes", wrong)


async def test_an_event_starts_a_workflow_while_it_is_active(scene: Scene) -> None:
    workflow = await scene.n8n.add_workflow(_trigger(scene, "clip.approved"))
    await scene.n8n.activate(workflow)
    [hook] = await scene.hooks()
    event_id = await scene.publish("clip.approved", clip_id="clip_1", customer_name="Dana")
    [execution] = await scene.n8n.ended(workflow, 1)
    await scene.n8n.deactivate(workflow)

    assert hook["source"] == "n8n"
    assert hook["external_ref"] == f"workflow:{workflow}"
    assert hook["target_url"].startswith(f"{scene.n8n.url}/webhook/")
    [item] = _output(execution, "Relay Trigger")
    assert (item["event_id"], item["event_type"]) == (event_id, "clip.approved")
    assert (item["clip_id"], item["customer_name"]) == ("clip_1", "Dana")
    assert await scene.hooks() == []


async def test_a_request_that_relay_did_not_sign_starts_nothing(scene: Scene) -> None:
    workflow = await scene.n8n.add_workflow(_trigger(scene, "clip.rejected"))
    await scene.n8n.activate(workflow)
    [hook] = await scene.hooks()
    for headers in ({}, {"x-radar-signature": "sha256=" + "0" * 64}, {"x-radar-signature": "é"}):
        async with scene.relay.session.post(hook["target_url"], json={"forged": True}, headers=headers) as response:
            assert response.status == 401
    # Executions are made in the order of their requests: once this one has ended, none of the others can come.
    await scene.publish("clip.rejected", clip_id="clip_2")
    executions = await scene.n8n.ended(workflow, 1)
    await scene.n8n.deactivate(workflow)

    assert [_output(one, "Relay Trigger")[0].get("clip_id") for one in executions] == ["clip_2"]


async def test_the_filters_of_a_store_event_are_relays(scene: Scene) -> None:
    app = {"mode": "id", "value": "284882215"}
    trigger = _trigger(scene, "review.created", store="apple", app_id=app, filters={"country": "de", "max_stars": 2})
    workflow = await scene.n8n.add_workflow(trigger)
    await scene.n8n.activate(workflow)
    [hook] = await scene.hooks()
    about = {"store": "apple", "app_id": "284882215", "country": "de"}
    await scene.publish("review.created", **about, rating=3)
    await scene.publish("review.created", **about, rating=2)
    executions = await scene.n8n.ended(workflow, 1)

    trigger["parameters"]["filters"] = {"country": "de", "max_stars": 3}
    await scene.n8n.change(workflow, trigger)
    [changed] = await scene.hooks()
    await scene.publish("review.created", **about, rating=3)
    executions = await scene.n8n.ended(workflow, 2)
    await scene.n8n.deactivate(workflow)

    assert hook.items() >= about.items()
    assert changed["id"] != hook["id"]
    assert sorted(_output(one, "Relay Trigger")[0]["rating"] for one in executions) == [2, 3]


async def test_a_workflow_that_cannot_subscribe_says_why(scene: Scene) -> None:
    app = {"mode": "id", "value": "284882215"}
    incomplete = await scene.n8n.add_workflow(_trigger(scene, "rating.dropped", store="apple", app_id=app))
    wrong = await scene.n8n.add_credentials("Wrong", scene.relay.url, "rp_live_" + "x" * 32)
    locked_out = await scene.n8n.add_workflow(_trigger(scene, "clip.approved", wrong))
    off = await scene.n8n.add_credentials("Off", f"http://127.0.0.1:{free_port()}", KEY)
    cut_off = await scene.n8n.add_workflow(_trigger(scene, "clip.approved", off))
    elsewhere = await scene.n8n.add_credentials("Elsewhere", scene.n8n.url, KEY)
    lost = await scene.n8n.add_workflow(_trigger(scene, "clip.approved", elsewhere))

    assert "rating.dropped needs threshold or delta" in await scene.n8n.refusal(incomplete)
    # n8n does not try again at its start when an error has this word in it.
    assert "Authorization" in await scene.n8n.refusal(locked_out)
    assert "Authorization" not in await scene.n8n.refusal(cut_off)
    assert "check the Base URL" in await scene.n8n.refusal(lost)
    assert await scene.hooks() == []


async def test_trying_a_workflow_out_leaves_the_active_one_alone(scene: Scene) -> None:
    """The editor's test is a hook of its own, for one event."""
    workflow = await scene.n8n.add_workflow(_trigger(scene, "clip.uploaded"))
    await scene.n8n.activate(workflow)
    [production] = await scene.hooks()
    await scene.n8n.listen_for_test_event(workflow, "Relay Trigger")
    [_, test] = await scene.hooks()
    await scene.publish("clip.uploaded", clip_id="clip_3")
    executions = await scene.n8n.ended(workflow, 2)
    hooks = await scene.until_hooks(1)
    await scene.n8n.deactivate(workflow)

    assert urlsplit(test["target_url"]).path.startswith("/webhook-test/")
    assert {one["mode"] for one in executions} == {"manual", "webhook"}
    assert hooks == [production]


async def test_a_hook_that_is_gone_is_no_obstacle(scene: Scene) -> None:
    workflow = await scene.n8n.add_workflow(_trigger(scene, "clip.approved"))
    await scene.n8n.activate(workflow)
    [hook] = await scene.hooks()
    await scene.ask("DELETE", f"/api/v1/hooks/{hook['id']}")
    await scene.n8n.deactivate(workflow)
    await scene.n8n.activate(workflow)
    assert len(await scene.hooks()) == 1
    await scene.n8n.deactivate(workflow)
    assert await scene.hooks() == []


async def test_a_restart_makes_no_second_hook(scene: Scene) -> None:
    workflow = await scene.n8n.add_workflow(_trigger(scene, "payout.sent"))
    await scene.n8n.activate(workflow)
    [hook] = await scene.hooks()
    await scene.n8n.stop()
    # As if n8n had died after subscribing and before it wrote that down.
    lost = {"source": "n8n", "target_url": hook["target_url"], "event_type": "payout.sent"}
    await scene.ask("POST", "/api/v1/hooks", lost)
    await scene.n8n.start()
    assert await scene.hooks() == [hook]
    await scene.publish("payout.sent", payout_id="payout_1")
    await scene.n8n.ended(workflow, 1)

    await scene.n8n.stop()
    scene.n8n.webhook_url = scene.n8n.url.replace("127.0.0.1", "localhost")
    await scene.n8n.start()
    [moved] = await scene.hooks()
    await scene.publish("payout.sent", payout_id="payout_2")
    executions = await scene.n8n.ended(workflow, 2)
    await scene.n8n.deactivate(workflow)

    assert moved["id"] != hook["id"]
    assert moved["target_url"].startswith("http://localhost:")
    assert {_output(one, "Relay Trigger")[0]["payout_id"] for one in executions} == {"payout_1", "payout_2"}
    assert await scene.hooks() == []


async def test_every_operation(scene: Scene) -> None:
    """One after the other, in one workflow that an event starts."""
    async with Receiver() as receiver:
        watched = {"target_url": receiver.url("/ok"), "event_type": "clip.rejected"}
        hook = await scene.ask("POST", "/api/v1/hooks", watched)
        dana = {"customerEmail": "dana@example.com"}
        invited = {**dana, "customer": {"customer_name": "Dana Whitlock"}, "sendEmail": False}
        event = {
            "eventType": "clip.rejected",
            "payload": "={{ JSON.stringify({ clip_id: 'clip_4', link: $('Invite').item.json.link }) }}",
            "idempotencyKey": "={{ $('Relay Trigger').item.json.event_id }}",
        }
        of_event = {"deliveryFilters": {"event_id": "={{ $('Publish').item.json.id }}"}}
        delivery = {"deliveryId": "={{ $('Deliveries').item.json.id }}"}
        few = {"submissionFilters": {"status": "in_progress"}, "limit": 5}
        workflow = await scene.n8n.add_workflow(
            _trigger(scene, "submission.submitted"),
            _action(scene, "Invite", "invitation", "create", invited),
            _action(scene, "Mint", "magicLink", "mint", dana),
            _action(scene, "Submission", "submission", "get", {"submissionId": "={{ $json.submission.id }}"}),
            _action(scene, "Submissions", "submission", "getAll", few),
            _action(scene, "Publish", "event", "publish", event),
            _action(scene, "Publish again", "event", "publish", event),
            _action(scene, "Deliveries", "delivery", "getAll", of_event),
            _action(scene, "Retry", "delivery", "retry", delivery),
            _action(scene, "Delivery", "delivery", "get", delivery),
        )
        await scene.n8n.activate(workflow)
        await scene.publish("submission.submitted")
        [execution] = await scene.n8n.ended(workflow, 1)
        first, again = await receiver.wait_for(2, "/ok")
        await scene.n8n.deactivate(workflow)
        await scene.ask("DELETE", f"/api/v1/hooks/{hook['id']}")

    assert execution["status"] == "success", _error(execution)
    [made], [minted] = _output(execution, "Invite"), _output(execution, "Mint")
    assert (made["reused"], minted["reused"], minted["link"]) == (False, True, made["link"])
    [submission], [listed] = _output(execution, "Submission"), _output(execution, "Submissions")
    assert submission == {**listed, "clips": []}
    assert submission["customer_name"] == "Dana Whitlock"
    [published] = _output(execution, "Publish")
    assert published == _output(execution, "Publish again")[0]
    assert published["payload"] == {"clip_id": "clip_4", "link": made["link"]}
    [one] = _output(execution, "Deliveries")
    assert (one["event_id"], one["subscription_id"]) == (published["id"], hook["id"])
    assert {_output(execution, name)[0]["id"] for name in ("Retry", "Delivery")} == {one["id"]}
    assert json.loads(first.body) == json.loads(again.body)


async def test_all_of_a_list_is_more_than_a_page(scene: Scene) -> None:
    async with Receiver() as receiver:
        hook = {"target_url": receiver.url("/ok"), "event_type": "payout.failed"}
        made = await scene.ask("POST", "/api/v1/hooks", hook)
        events = [{"type": "payout.failed", "payload": {}} for _ in range(101)]
        await scene.ask("POST", "/v1/events/batch", {"events": events})
        for number in range(201):
            customer = {"customer_email": f"customer{number}@example.com", "send_email": False}
            await scene.ask("POST", "/v1/invitations", customer)
        ours = {"deliveryFilters": {"subscription_id": made["id"]}}
        all_ = {"returnAll": True}
        workflow = await scene.n8n.add_workflow(
            _trigger(scene, "submission.submitted"),
            _action(scene, "Some", "delivery", "getAll", {**ours, "limit": 3}),
            _action(scene, "All", "delivery", "getAll", {**ours, **all_}, executeOnce=True),
            _action(scene, "Submissions", "submission", "getAll", all_, executeOnce=True),
        )
        await scene.n8n.activate(workflow)
        await scene.publish("submission.submitted")
        [execution] = await scene.n8n.ended(workflow, 1)
        await scene.n8n.deactivate(workflow)
        await scene.ask("DELETE", f"/api/v1/hooks/{made['id']}")

    assert len(_output(execution, "Some")) == 3
    assert len({one["id"] for one in _output(execution, "All")}) == 101
    submissions = [one["id"] for one in _output(execution, "Submissions")]
    assert len(submissions) == len(set(submissions)) >= 201


async def test_an_operation_that_fails_says_why_in_relays_words(scene: Scene) -> None:
    go_on = {"onError": "continueRegularOutput"}
    workflow = await scene.n8n.add_workflow(
        _trigger(scene, "submission.submitted"),
        _action(scene, "Go on", "submission", "get", {"submissionId": "sub_none"}, **go_on),
        _action(scene, "No JSON", "event", "publish", {"eventType": "a.b", "payload": "{"}, **go_on),
        _action(scene, "Stop", "event", "publish", {"eventType": "Not a type", "payload": "{}"}),
    )
    await scene.n8n.activate(workflow)
    await scene.publish("submission.submitted")
    [execution] = await scene.n8n.ended(workflow, 1)
    await scene.n8n.deactivate(workflow)

    assert _output(execution, "Go on") == [{"error": "submission not found"}]
    [no_json] = _output(execution, "No JSON")
    assert "The payload is no JSON" in no_json["error"]
    error = _error(execution)
    assert execution["status"] == "error"
    assert (error["name"], error["httpCode"]) == ("NodeApiError", "400")
    assert error["message"].startswith("type must")


async def test_the_action_node_is_a_tool_for_agents(scene: Scene) -> None:
    names = [one["name"] for one in await scene.n8n.node_types()]

    assert "n8n-nodes-relay.relay" in names
    assert "n8n-nodes-relay.relayTrigger" in names
    assert "n8n-nodes-relay.relayTool" in names


async def test_it_passes_n8ns_own_rules() -> None:
    await has(N8N_NODES)
    await run(["npm", "run", "lint"], PACKAGE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
async def test_the_lock_files_name_no_registry(lock: Path) -> None:
    """Whoever installs takes the packages from their own registry."""
    packages = json.loads(lock.read_text())["packages"]

    assert [name for name, about in packages.items() if "resolved" in about] == []


async def test_it_needs_nothing_at_run_time() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())

    assert "dependencies" not in package
    assert "n8n-community-node-package" in package["keywords"]


def _trigger(
    scene: Scene, event_type: str, credentials: dict[str, str] | None = None, **inputs: object
) -> dict[str, Any]:
    parameters = {"eventType": event_type, **inputs}
    node = _node("Relay Trigger", "relayTrigger", parameters, credentials or scene.credentials)
    # The editor gives each trigger one; it is the path of its address.
    return {**node, "webhookId": str(uuid.uuid4())}


def _action(
    scene: Scene, name: str, resource: str, operation: str, fields: dict[str, Any], **settings: object
) -> dict[str, Any]:
    node = _node(name, "relay", {"resource": resource, "operation": operation, **fields}, scene.credentials)
    return {**node, **settings}


def _node(name: str, kind: str, parameters: dict[str, Any], credentials: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "type": f"n8n-nodes-relay.{kind}",
        "typeVersion": 1,
        "position": [0, 0],
        "parameters": parameters,
        "credentials": {"relayApi": credentials},
    }


def _output(execution: dict[str, Any], node: str) -> list[dict[str, Any]]:
    [run] = execution["data"]["resultData"]["runData"][node]
    return [item["json"] for item in run["data"]["main"][0]]


def _error(execution: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = execution["data"]["resultData"].get("error", {})
    return error
