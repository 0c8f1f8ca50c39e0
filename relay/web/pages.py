"""Pages for people: templates without scripts, and headers that let a browser do nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.loaders import BaseLoader, ChoiceLoader

from relay import __version__
from relay.web.operation import PUBLIC, Operation
from relay.web.wiring import APIS, CATALOGUE, SETTINGS

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@cache
def _environment() -> Environment:
    loaders: list[BaseLoader] = [PackageLoader("relay.web")]
    folders: dict[str, BaseLoader] = {}
    for folder in (resources.files("relay") / "producers").iterdir():
        if (folder / "templates").is_dir():
            folders[folder.name] = PackageLoader(f"relay.producers.{folder.name}")
    if folders:
        loaders.append(PrefixLoader(folders))
    return Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(request: web.Request, template: str, status: int = 200, /, **context: Any) -> web.Response:
    """A page from a template of `relay/web/templates`, or `<producer>/<template>` from that producer's templates.

    `prefix` is what stands before each of our paths in a link: a proxy may have taken it off.
    """
    text = _environment().get_template(template).render(prefix=_prefix(request), **context)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


def _prefix(request: web.Request) -> str:
    settings = request.app.get(SETTINGS)
    public_url = settings.public_url if settings is not None else None
    return urlsplit(public_url).path if public_url else ""


class _Step(NamedTuple):
    title: str
    key: str
    """The shell variable with a key that may do this."""
    method: str
    path: str
    body: Mapping[str, Any] | None = None


_STEPS = (
    _Step(
        "Subscribe a hook, as Zapier, Make and n8n do:",
        "RP_KEY",
        "POST",
        "/api/v1/hooks",
        {"target_url": "https://example.com/hook", "event_type": "clip.approved"},
    ),
    _Step("Or a webhook:", "RP_KEY", "POST", "/v1/webhooks", {"url": "https://example.com/hook", "events": ["*"]}),
    _Step(
        "Publish an event:",
        "WHK_KEY",
        "POST",
        "/v1/events",
        {"type": "clip.approved", "payload": {"clip_id": "clip_1"}},
    ),
    _Step(
        "Invite a customer, which is an event too:",
        "RP_KEY",
        "POST",
        "/v1/invitations",
        {"customer_email": "ada@example.com", "send_email": False},
    ),
    _Step("See what became of it, for every hook and webhook:", "WHK_KEY", "GET", "/v1/deliveries"),
)


async def landing(request: web.Request) -> web.Response:
    """`/`: what runs here, and the first calls. Only those whose operation is served are shown."""
    apis, event_types = request.app[APIS], request.app[CATALOGUE].types()
    served = {(one.method, one.path) for api in apis for one in api.operations}
    origin = _origin(request)
    steps = [(step.title, _curl(step, origin)) for step in _STEPS if (step.method, step.path) in served]
    return page(request, "landing.html", version=__version__, apis=apis, event_types=event_types, steps=steps)


def _curl(step: _Step, origin: str) -> str:
    lines = [f"curl {origin}{step.path}", f'-H "Authorization: Bearer ${step.key}"']
    if step.body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(step.body)}'"]
    return " \\\n  ".join(lines)


def _origin(request: web.Request) -> str:
    # The Host header is whatever the client sent: shown to it as text, never parsed.
    return request.app[SETTINGS].public_url or f"{request.scheme}://{request.headers.get('Host', 'localhost')}"


async def stylesheet(request: web.Request) -> web.Response:
    return web.Response(text=_stylesheet(), content_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@cache
def _stylesheet() -> str:
    return (resources.files("relay.web") / "static" / "relay.css").read_text("utf-8")


OPERATIONS = (
    Operation("GET", "/", "landing", "What runs here", landing, PUBLIC, media_type="text/html"),
    Operation(
        "GET", "/static/relay.css", "stylesheet", "The look of the pages", stylesheet, PUBLIC, media_type="text/css"
    ),
)
