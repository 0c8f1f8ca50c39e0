"""Canaries: secrets are planted everywhere, and must not come up in a log, an answer, a page or a metric."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from aiohttp import ClientResponse

from relay.app import APIS
from relay.log import configure_logging
from tests.apis.contract.documents import operations_served
from tests.apis.contract.scene import Scene, play
from tests.conftest import KEY, StartRelay
from tests.receiver import Receiver
from tests.whole.process import free_port

SECRET_KEY = "canary-secret-key-" + "s" * 32
SMTP_PASSWORD = "canary-smtp-password"
ADMIN_PASSWORD = "canary-admin-password"
WRONG_KEYS = ("rp_live_canarywrongkey" + "w" * 20, "whk_live_canary", "canary-in-no-form-of-a-key")
PATH = "/status/500/canary-path"
"""The path and the query of a catch URL are all that protects it."""
TARGET_PARTS = ("canary-path", "canary-query")
BODY = "canary-body"

OWN_PATHS = (
    "/",
    "/metrics",
    "/readyz",
    "/v1/healthz",
    "/static/relay.css",
    "/nowhere",
    "/v1/nowhere",
    "/api/v1/nowhere",
)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What the test configures does not outlive it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("log_format", ["json", "pretty"])
async def test_no_secret_comes_up(
    log_format: Literal["json", "pretty"],
    start_relay: StartRelay,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Deliveries that work, fail and are refused, wrong keys, bad bodies, mail to a server that is not there."""
    configure_logging(log_format)
    async with start_relay(
        retry_delays="0.05",
        secret_key=SECRET_KEY,
        admin_password=ADMIN_PASSWORD,
        smtp_url=f"smtp://mailer:{SMTP_PASSWORD}@127.0.0.1:{free_port()}",
        mail_from="Relay <relay@example.com>",
    ) as relay:
        scene = await play(relay, receiver, "watched")
        planted = await _plant(scene)
        answers = await _failures(scene)
        answers += await _reads(scene)
        for answer in answers:
            shown = await _without_what_is_given(answer)
            found = [secret for secret in (*planted, *TARGET_PARTS) if secret in shown or secret in str(answer.headers)]
            assert found == [], (answer.method, answer.url.path, shown)
        link = await relay.call("GET", f"/r/{scene.secrets[-1]}", key=None)
        assert link.status == 200
    logged = capsys.readouterr()
    assert logged.out == ""
    assert "email" in logged.err or "mail" in logged.err  # the failed mail was worth a line
    assert [secret for secret in (*planted, *TARGET_PARTS, BODY) if secret in logged.err] == []


async def _plant(scene: Scene) -> tuple[str, ...]:
    """Subscribe targets that fail, invite by mail, publish; everything that is secret about it."""
    target = scene.receiver.url(f"{PATH}?token=canary-query")
    nobody = f"http://127.0.0.1:{free_port()}/canary-path?token=canary-query"
    secrets = []
    for url in (target, nobody):
        hook = {"target_url": url, "event_type": "clip.approved"}
        for path, body, status in (
            ("/v1/webhooks", {"url": url}, 200),
            ("/api/v1/hooks", hook, 200),
            ("/v1/subscriptions", {"url": url}, 201),
        ):
            answer = await scene.relay.json("POST", path, body, status=status, key=scene.key)
            secrets.append(answer.get("secret") or answer["signing_secret"])
    invited = await scene.relay.json("POST", "/v1/invitations", {"customer_email": "eve@example.com"}, key=scene.key)
    event = {"type": "clip.approved", "payload": {"note": BODY}}
    await scene.relay.json("POST", "/v1/events", event, status=202, key=scene.key)
    await scene.receiver.wait_for(6, f"{PATH}?token=canary-query")
    own = (KEY, scene.key, SECRET_KEY, SMTP_PASSWORD, ADMIN_PASSWORD, *WRONG_KEYS)
    return (*own, *secrets, *scene.secrets, invited["invite_token"])


async def _failures(scene: Scene) -> list[ClientResponse]:
    """Answers to wrong keys, to bodies that are none, and to targets that are refused, for every operation."""
    refused = f"https://user:{BODY}@10.0.0.1{PATH}?token=canary-query"
    broken = f'{{"a": "{scene.secrets[0]} canary-path canary-query'.encode()
    bodies: list[dict[str, Any]] = [
        {"data": broken},
        {"body": {"url": refused, "target_url": refused, "events": ["*"]}},
    ]
    answers = []
    for api in APIS:
        for name, operation in operations_served(api).items():
            if not operation.is_public:
                answers += [await scene.call(name, operation, key=key) for key in WRONG_KEYS]
            if operation.request is not None:
                answers += [await scene.call(name, operation, **options) for options in bodies]
    return answers


async def _reads(scene: Scene) -> list[ClientResponse]:
    answers = []
    for api in APIS:
        answers.append(await scene.relay.call("GET", f"/openapi/{api.name}.json", key=None))
        for name, operation in operations_served(api).items():
            if operation.method == "GET" and not operation.streams:
                answers.append(await scene.call(name, operation))
                assert answers[-1].status == 200, name
    return answers + [await scene.relay.call("GET", path, key=scene.key) for path in OWN_PATHS]


async def _without_what_is_given(answer: ClientResponse) -> str:
    """The text of an answer, less what the contracts give: target URLs in their fields, and the payloads of events."""
    if answer.status != 200 or "json" not in answer.content_type:
        return await answer.text()
    return str(_stripped(await answer.json(content_type=None)))


def _stripped(node: Any) -> Any:
    if isinstance(node, list):
        return [_stripped(one) for one in node]
    if isinstance(node, dict):
        return {key: _stripped(value) for key, value in node.items() if key not in ("url", "target_url", "payload")}
    return node
