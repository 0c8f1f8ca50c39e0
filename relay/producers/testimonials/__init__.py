"""The testimonials domain: a customer is invited, records clips behind a personal link, and is reviewed."""

from __future__ import annotations

from aiohttp import web

from relay.delivery.jobs import Chore
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mailer import Mailer
from relay.producers.testimonials.pages import OPERATIONS
from relay.producers.testimonials.smtp import parse_server
from relay.producers.testimonials.wiring import TESTIMONIALS, Testimonials
from relay.web.failures import Failures
from relay.web.wiring import CLOCK, CONDITIONS, DATABASE, SECRETS, SETTINGS

__all__ = ["OPERATIONS", "mount"]

MAIL_TICK_S = 5
WRONG_LINKS_A_MINUTE = 60
"""How many links that are not ours one address may try a minute before it is told to wait."""


def mount(app: web.Application, public_url: str) -> list[Chore]:
    """Put the domain into an application, and say what it wants done again and again.

    `public_url` is how customers reach this server. Raises StartError when the mail settings cannot be used.
    """
    settings = app[SETTINGS]
    links = Links(app[SECRETS], public_url)
    server = parse_server(settings.smtp_url.get_secret_value()) if settings.smtp_url else None
    mailer = Mailer(app[DATABASE], links, app[CLOCK], server, settings.mail_from, app[CONDITIONS])
    app[TESTIMONIALS] = Testimonials(
        links, mailer, Failures(WRONG_LINKS_A_MINUTE, "too many links that do not exist; try again in a minute")
    )
    return [Chore("send-mail", MAIL_TICK_S, mailer.send_due, stop=mailer.stop)]
