"""Pages for people: templates without scripts, and headers that let a browser do nothing else."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.loaders import BaseLoader, ChoiceLoader

from relay.web.operation import PUBLIC, Operation
from relay.web.wiring import APIS

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


def page(template: str, status: int = 200, /, **context: Any) -> web.Response:
    """A page from a template of `relay/web/templates`, or `<producer>/<template>` from that producer's templates."""
    text = _environment().get_template(template).render(context)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


async def landing(request: web.Request) -> web.Response:
    """`/`: what runs here, and the first two calls."""
    return page("landing.html", apis=request.app[APIS], origin=str(request.url.origin()))


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
