"""Settings that do not do what whoever set them may think."""

from __future__ import annotations

from collections.abc import Iterator

from yarl import URL

from relay.doctor.finding import Area, Finding, Problem
from relay.doctor.look import Look
from relay.outbound.guard import Allowed, strict_address

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - asked about, not listened on
SLOTS = 9
"""Requests that may be under way for each that RELAY_DELIVERY_CONCURRENCY names: itself and eight slow ones."""
RESERVE = 200
"""Descriptors for clients, the database and the rest."""


def without_effect(look: Look) -> Iterator[Finding]:
    """Every setting that is given changes something."""
    for name in look.installation.unknown:
        yield Finding(
            Area.SETTINGS,
            Problem.UNKNOWN_SETTING,
            name,
            "There is no such setting: it changes nothing.",
            "Correct its name (relay settings shows those there are) or take it away, and start the server again.",
        )
    for name, why in look.installation.without_effect:
        yield Finding(
            Area.SETTINGS,
            Problem.NO_EFFECT,
            name,
            f"It is set and changes nothing: {why}.",
            "Take it away, or set what it needs, and start the server again.",
        )


def public_url(look: Look) -> Iterator[Finding]:
    """Who listens for others tells them where."""
    everywhere = [url for url in look.installation.listens if (URL(url).host or "") in _EVERYWHERE]
    if everywhere and look.installation.public_url is None:
        yield Finding(
            Area.SETTINGS,
            Problem.NO_PUBLIC_URL,
            "RELAY_PUBLIC_URL",
            f"The server listens on every network, and its links begin with {everywhere[0]}, which leads nowhere.",
            "Set it to the URL under which others reach the server, and start the server again.",
            details={"listens": everywhere},
        )


def descriptors(look: Look) -> Iterator[Finding]:
    """The process may open as many sockets as it is told to use."""
    wanted, may = look.installation.concurrency * SLOTS + RESERVE, look.installation.descriptors
    if 0 < may < wanted:
        yield Finding(
            Area.SETTINGS,
            Problem.FEW_DESCRIPTORS,
            "RELAY_DELIVERY_CONCURRENCY",
            f"With {look.installation.concurrency} up to {wanted} files may be open, and the process may open {may}.",
            "Raise the limit (ulimit -n, LimitNOFILE=), or lower the setting, and start the server again.",
            needs_person=False,
            details={"wanted": wanted, "descriptors": may},
        )


def unused_targets(look: Look) -> Iterator[Finding]:
    """Every private target that is allowed is the target of an active subscription."""
    if look.read.content is None or look.network is None or look.network.names_missing:
        return
    places = []
    for one in look.active:
        target = look.target(one.subscription)
        if target is not None:
            name = look.network.names.get(target.host)
            places.append((target, (target.host,) if name is None else name.addresses))
    for entry in filter(None, (piece.strip() for piece in look.installation.allow_targets.split(","))):
        allowed = Allowed.parse(entry)
        if not any(
            allowed.host(target.host, target.port)
            or any(
                (found := strict_address(one)) is not None and allowed.address(found, target.port) for one in addresses
            )
            for target, addresses in places
        ):
            yield Finding(
                Area.SETTINGS,
                Problem.UNUSED_TARGET,
                f"RELAY_ALLOW_TARGETS: {entry}",
                "No active subscription goes there.",
                "If none is meant to, take it away: it opens a private network to whoever has a key.",
                needs_person=False,
                details={"entry": entry},
            )
