"""Examine: look at an installation, judge it, and say what was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from relay.doctor import checks
from relay.doctor.content import COUNTED
from relay.doctor.finding import Finding
from relay.doctor.look import Look, look_at
from relay.outbound.resolve import Resolver
from relay.settings import Settings
from relay.web.api import Api


class Report(NamedTuple):
    """What is wrong, and what was looked at, for JSON."""

    findings: list[Finding]
    checked: dict[str, Any]


async def examine(
    settings: Settings,
    apis: Sequence[Api],
    now_ms: int,
    *,
    workspace_name: str | None = None,
    offline: bool = False,
    resolver: Resolver | None = None,
) -> Report:
    """Raises RelayError when there is nothing to look at: no database, no such workspace."""
    resolver = Resolver(threads=64) if resolver is None else resolver
    try:
        look = await look_at(settings, apis, now_ms, resolver, workspace_name, offline=offline)
    finally:
        resolver.close()
    return Report(checks.findings(look), _checked(look))


def _checked(look: Look) -> dict[str, Any]:
    read, standing, content = look.read, look.standing, look.read.content
    return {
        "at": look.now_ms // 1000,
        "settings": "left by the server" if read.left else "of this shell",
        "server": {
            "pid": look.server.pid or None if look.server else None,
            "running": look.server is not None,
            "ready": None if look.server is None or look.server.amiss is None else not look.server.amiss,
            "version": read.left.version if read.left else None,
            "started_at": read.left.started_at_ms // 1000 if read.left else None,
            "listens": list(look.installation.listens),
            "public_url": look.installation.public_url,
        },
        "database": {
            "file": str(standing.database.path),
            "schema": read.schema.number if read.schema else None,
            "size_bytes": standing.database.size_bytes,
            "log_bytes": standing.log_bytes,
            "free_bytes": standing.free_bytes,
            "integrity": None if read.integrity is None else "whole" if read.integrity.complete else "in part",
            "data_dir": look.installation.data_dir,
        },
        "secrets_opened": None if look.not_opened is None else not look.not_opened,
        "subscriptions": dict(Counter(one.subscription.api for one in content.subscriptions)) if content else None,
        "queue": None
        if content is None
        else {
            "waiting": content.waiting,
            "waiting_is_more": content.waiting >= COUNTED,
            "oldest_due": min((lane.first_due_at_ms // 1000 for lane in content.lanes), default=None),
            "died_last_day": sum(died.deliveries for died in content.died),
        },
        "network": None
        if look.network is None
        else {
            "names": len(look.network.names),
            "names_missing": look.network.names_missing,
            "certificates": len(look.network.certificates),
            "certificates_missing": look.network.certificates_missing,
        },
        "mail": None if look.mail is None else {"reached": look.mail.fault is None, "with_login": look.mail.with_login},
    }
