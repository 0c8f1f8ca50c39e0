"""API keys: their prefixes, the scopes each prefix stands for, and the hash that is stored instead of a key."""

from __future__ import annotations

import hashlib
import re
import secrets
import string

SCOPES = ("invitations", "submissions", "webhooks", "hooks", "events", "subscriptions", "deliveries")

_WEBHOOK_RELAY_SCOPES = frozenset({"events", "subscriptions", "deliveries", "hooks"})
DEFAULT_SCOPES: dict[str, frozenset[str]] = {
    "rp_live_": frozenset({"invitations", "submissions", "webhooks", "hooks"}),
    "whk_live_": _WEBHOOK_RELAY_SCOPES,
    "whk_test_": _WEBHOOK_RELAY_SCOPES,
    "whk_sandbox_": _WEBHOOK_RELAY_SCOPES,
    "rsk_": frozenset({"hooks"}),
}
"""What a key of each prefix may do unless it was made for less; any key works on any API where its scopes allow."""

_KEY = re.compile("(" + "|".join(DEFAULT_SCOPES) + r")[A-Za-z0-9_-]{16,128}")
_ALPHANUMERIC = string.ascii_letters + string.digits


def new_key(prefix: str) -> str:
    """A fresh key: the prefix and 32 letters and digits (190 bits)."""
    return prefix + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(32))


def prefix_of(key: str) -> str | None:
    """The prefix of a well-formed key, else None."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def key_hash(key: str) -> str:
    """What is stored and looked up. A key is random enough to need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
