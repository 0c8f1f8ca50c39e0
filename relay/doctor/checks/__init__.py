"""The checks: each a pure rule from what was seen to findings. A new one is a function, and a line in `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from relay.doctor.checks import clock, database, mail, network, queue, server, settings, subscriptions
from relay.doctor.finding import Finding
from relay.doctor.look import Look

CHECKS: tuple[Callable[[Look], Iterable[Finding]], ...] = (
    server.process,
    database.damage,
    database.schema,
    database.room,
    database.permissions,
    database.secret_key,
    clock.newest_row,
    clock.put_off,
    queue.not_sent,
    queue.stuck,
    queue.dead_letters,
    subscriptions.stopped,
    subscriptions.refused,
    subscriptions.failing,
    subscriptions.duplicates,
    network.names,
    network.certificates,
    network.proxies,
    mail.server,
    mail.outbox,
    settings.without_effect,
    settings.public_url,
    settings.descriptors,
    settings.unused_targets,
)


def findings(look: Look) -> list[Finding]:
    """All of them, those that need a person first, else in the order of the checks."""
    found = [one for check in CHECKS for one in check(look)]
    return sorted(found, key=lambda one: not one.needs_person)
