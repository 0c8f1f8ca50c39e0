"""What a request finds in its application: one typed key for each part that `app.py` puts together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from relay.catalogue import Catalogue
    from relay.core.conditions import Conditions
    from relay.delivery.clocks import TrustedClock
    from relay.delivery.engine import Engine
    from relay.delivery.report import Report
    from relay.outbound.guard import Guard
    from relay.settings import Settings
    from relay.store.database import Database
    from relay.store.secrets import Secrets
    from relay.web.api import Api
    from relay.web.gauges import Gauges
    from relay.web.metrics import Metrics

Clock = Callable[[], int]
"""Unix milliseconds. Always passed in, so that a test can hold it."""

DATABASE: web.AppKey[Database] = web.AppKey("database")
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
TRUSTED_CLOCK: web.AppKey[TrustedClock] = web.AppKey("trusted_clock")
"""What is deleted is deleted by this one: it does not believe a clock that has jumped."""
ENGINE: web.AppKey[Engine] = web.AppKey("engine")
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("catalogue")
GUARD: web.AppKey[Guard] = web.AppKey("guard")
SECRETS: web.AppKey[Secrets] = web.AppKey("secrets")
SETTINGS: web.AppKey[Settings] = web.AppKey("settings")
APIS: web.AppKey[tuple[Api, ...]] = web.AppKey("apis")
CONDITIONS: web.AppKey[Conditions] = web.AppKey("conditions")
REPORT: web.AppKey[Report] = web.AppKey("report")
GAUGES: web.AppKey[Gauges] = web.AppKey("gauges")
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
