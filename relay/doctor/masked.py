"""A target URL as it may be shown: enough to recognise it, too little to send to it."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([a-z]+://[^/?]*)([^?]*)(.*)", re.IGNORECASE | re.DOTALL)
_WORDS = frozenset(
    (
        *("hooks", "catch", "standard", "webhook", "webhook-test", "webhooks", "api", "v1", "rest"),
        *("workflows", "triggers", "manual", "paths", "invoke"),
    )
)
"""What the platforms' catch URLs have in common, and so gives nothing away."""
_SHOWN = 6


def masked(target_url: str) -> str:
    """Scheme, host and port, and of each part of the path a quarter, at most six characters; nothing of the query."""
    parts = _PARTS.fullmatch(target_url)
    if parts is None:
        return "…"
    origin, path, query = parts.groups()
    return origin + "/".join(map(_shortened, path.split("/"))) + ("?…" if query else "")


def host_of(target_url: str) -> str:
    """The host with its port, as it was given."""
    parts = _PARTS.fullmatch(target_url)
    return parts[1].partition("://")[2] if parts else "…"


def _shortened(part: str) -> str:
    if not part or part in _WORDS:
        return part
    return part[: min(len(part) // 4, _SHOWN)] + "…"
