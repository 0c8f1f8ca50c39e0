"""What a request finds of this domain in its application."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mailer import Mailer
from relay.web.failures import Failures


@dataclass(frozen=True, slots=True)
class Testimonials:
    """The parts that stay the same while the server runs."""

    links: Links
    mailer: Mailer
    wrong_links: Failures


TESTIMONIALS: web.AppKey[Testimonials] = web.AppKey("testimonials")
