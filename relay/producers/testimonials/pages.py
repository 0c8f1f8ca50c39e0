"""The customer's pages behind the personal link: `/r/{token}`.

Looking at a page changes nothing, because mail scanners open every link. No page may be stored, and the link is kept
out of Referer headers.
"""

from __future__ import annotations

from aiohttp import web

from relay.producers.testimonials import customer, invitations
from relay.producers.testimonials.links import Named
from relay.producers.testimonials.wiring import TESTIMONIALS
from relay.web import pages
from relay.web.operation import PUBLIC, Operation
from relay.web.wiring import CLOCK, DATABASE

HTML = "text/html"


def _page(request: web.Request, template: str, status: int = 200, /, **context: object) -> web.Response:
    page = pages.page(request, f"testimonials/{template}", status, **context)
    page.headers["X-Robots-Tag"] = "noindex"
    return page


async def _named(request: web.Request) -> Named | None:
    """What the link names, None when it is not ours. Raises RateLimited for an address that tries many of those."""
    testimonials = request.app[TESTIMONIALS]
    named = testimonials.links.read(request.match_info["token"])
    if named is None:
        await testimonials.wrong_links.count(request.remote)
    return named


async def show_link(request: web.Request) -> web.Response:
    """What the customer sees: 200, 404 for a link this server did not make, 410 for one that was revoked or erased."""
    named = await _named(request)
    if named is None:
        return _page(request, "missing.html", 404)
    opened = await request.app[DATABASE].read(invitations.opened(named))
    if opened is None:
        return _page(request, "gone.html", 410)
    return _page(
        request,
        "link.html",
        workspace_name=opened.workspace_name,
        first_name=customer.first_name(opened.submission.customer_name),
        intro_text=opened.collector.intro_text,
        submission_status=opened.submission.status.value,
        prompts=opened.prompts,
    )


async def ask_to_unsubscribe(request: web.Request) -> web.Response:
    """The question, for a person who follows the link in a mail."""
    if await _named(request) is None:
        return _page(request, "missing.html", 404)
    return _page(request, "unsubscribe.html", done=False)


async def unsubscribe(request: web.Request) -> web.Response:
    """The answer, also in one click from a mail program (RFC 8058); as often as one likes, also with a revoked link."""
    named = await _named(request)
    if named is None:
        return _page(request, "missing.html", 404)
    await request.app[DATABASE].write(invitations.refuse_mail(named, request.app[CLOCK]()))
    return _page(request, "unsubscribe.html", done=True)


OPERATIONS = (
    Operation("GET", "/r/{token}", "showPersonalLink", "A customer's page", show_link, PUBLIC, media_type=HTML),
    Operation(
        "GET",
        "/r/{token}/unsubscribe",
        "askToUnsubscribeMail",
        "Ask whether to end mail to a customer",
        ask_to_unsubscribe,
        PUBLIC,
        media_type=HTML,
    ),
    Operation(
        "POST",
        "/r/{token}/unsubscribe",
        "unsubscribeMail",
        "End mail to a customer",
        unsubscribe,
        PUBLIC,
        media_type=HTML,
    ),
)
"""Part of the server itself, not of an API."""
