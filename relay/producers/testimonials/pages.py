"""The customer's pages behind the personal link: `/r/{token}`.

Looking at a page changes nothing, because mail scanners open every link. No page may be stored, and the link is kept out
of Referer headers.
"""

from __future__ import annotations

import base64
import hashlib

from aiohttp import web

from relay.producers.testimonials import customer, invitations
from relay.producers.testimonials.templates import render
from relay.producers.testimonials.wiring import TESTIMONIALS
from relay.web.operation import PUBLIC, Operation
from relay.web.wiring import CLOCK, DATABASE

HTML = "text/html"
STYLE = (
    "body{margin:0;font:1.05rem/1.6 system-ui,sans-serif;color:#1b1f24;background:#f5f6f8}"
    "main{max-width:36rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.75rem}"
    "h1{margin-top:0;font-size:1.5rem}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.5rem;color:#fff;background:#1b1f24}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def _page(name: str, status: int = 200, **told: object) -> web.Response:
    return web.Response(
        status=status, text=render(name, style=STYLE, **told), content_type=HTML, charset="utf-8", headers=HEADERS
    )


async def show_link(request: web.Request) -> web.Response:
    """What the customer sees: 200, 404 for a link this server did not make, 410 for one that was revoked or erased."""
    named = request.app[TESTIMONIALS].links.read(request.match_info["token"])
    if named is None:
        return _page("missing.html", 404)
    opened = await request.app[DATABASE].read(invitations.opened(named))
    if opened is None:
        return _page("gone.html", 410)
    return _page(
        "link.html",
        workspace_name=opened.workspace_name,
        first_name=customer.first_name(opened.submission.customer_name),
        intro_text=opened.collector.intro_text,
        status=opened.submission.status.value,
        prompts=opened.prompts,
    )


async def ask_unsubscribe(request: web.Request) -> web.Response:
    """The question, for a person who follows the link in a mail."""
    if request.app[TESTIMONIALS].links.read(request.match_info["token"]) is None:
        return _page("missing.html", 404)
    return _page("unsubscribe.html", done=False)


async def unsubscribe(request: web.Request) -> web.Response:
    """The answer, also in one click from a mail program (RFC 8058); as often as one likes, also with a revoked link."""
    named = request.app[TESTIMONIALS].links.read(request.match_info["token"])
    if named is None:
        return _page("missing.html", 404)
    await request.app[DATABASE].write(invitations.refuse_mail(named, request.app[CLOCK]()))
    return _page("unsubscribe.html", done=True)


OPERATIONS = (
    Operation(
        "GET", "/r/{token}", "showPersonalLink", "A customer's personal page", show_link, PUBLIC, media_type=HTML
    ),
    Operation(
        "GET", "/r/{token}/unsubscribe", "askUnsubscribe", "Ask to end mail", ask_unsubscribe, PUBLIC, media_type=HTML
    ),
    Operation("POST", "/r/{token}/unsubscribe", "unsubscribe", "End mail", unsubscribe, PUBLIC, media_type=HTML),
)
"""Part of the server itself, not of an API."""
