"""Puts the domain together in its application."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from relay.delivery.jobs import Chore
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mailer import Mailer
from relay.producers.testimonials.smtp import parse_server
from relay.web.wiring import CLOCK, DATABASE, SECRETS, SETTINGS

MAIL_TICK_S = 15


@dataclass(frozen=True, slots=True)
class Testimonials:
    """The parts that stay the same while the server runs."""

    links: Links
    mailer: Mailer


TESTIMONIALS: web.AppKey[Testimonials] = web.AppKey("testimonials")


def chores(app: web.Application) -> list[Chore]:
    """Make the domain part of an application that has its settings, database, clock and secrets; what is to be done
    again and again is for the engine. Raises StartError for a mail server that cannot be understood."""
    settings = app[SETTINGS]
    links = Links(app[SECRETS], lambda: _public_url(app))
    server = parse_server(settings.smtp_url.get_secret_value()) if settings.smtp_url else None
    mailer = Mailer(app[DATABASE], links, app[CLOCK], server, settings.mail_from)
    app[TESTIMONIALS] = Testimonials(links, mailer)

    async def close(app: web.Application) -> None:
        await mailer.close()

    app.on_cleanup.append(close)
    return [Chore("send-mail", MAIL_TICK_S, mailer.send_due)]


def _public_url(app: web.Application) -> str:
    settings = app[SETTINGS]
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
