"""Signatures over the exact bytes that are sent: the three forms receivers of Relay verify."""

from __future__ import annotations

import base64
import hmac
import secrets
import string
from functools import lru_cache

_ALPHANUMERIC = string.ascii_letters + string.digits


def new_secret() -> str:
    """A fresh signing secret: `whsec_` and 48 characters.

    48 letters and digits are also valid base64 (of 36 bytes), so the one text serves receivers that key their HMAC
    with all of it and those that follow Standard Webhooks and decode what comes after the prefix.
    """
    return "whsec_" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(48))


@lru_cache(maxsize=4096)
def _text_key(secret: str) -> hmac.HMAC:
    # The keyed state is copied for each message: setting up the key costs as much as hashing a small body.
    return hmac.new(secret.encode(), digestmod="sha256")


@lru_cache(maxsize=4096)
def _standard_key(secret: str) -> hmac.HMAC:
    # A secret that a client chose for a test ping may come without its padding, and need not be base64 at all. What is
    # too much of the padding is passed over, as by the receivers' libraries.
    try:
        key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    except ValueError:
        key = b""
    return hmac.new(key or secret.encode(), digestmod="sha256")


def timestamped(secrets_: tuple[str, ...], timestamp_s: int, body: bytes) -> str:
    """`t=<unix>,v1=<hex>` over `<t>.<body>`, keyed with the whole secret text; one `v1` for each secret, newest last.

    Receivers that read the header into a dictionary keep the last `v1`, so the newest secret has to be there.
    """
    parts = [f"t={timestamp_s}"]
    for secret in secrets_:
        mac = _text_key(secret).copy()
        mac.update(b"%d." % timestamp_s)
        mac.update(body)
        parts.append("v1=" + mac.hexdigest())
    return ",".join(parts)


def body_digest(secret: str, body: bytes) -> str:
    """`sha256=<hex>` over the body alone."""
    mac = _text_key(secret).copy()
    mac.update(body)
    return "sha256=" + mac.hexdigest()


def standard(secrets_: tuple[str, ...], delivery_id: str, timestamp_s: int, body: bytes) -> str:
    """The `webhook-signature` of Standard Webhooks: `v1,<base64>` for each secret, separated by blanks."""
    signatures = []
    for secret in secrets_:
        mac = _standard_key(secret).copy()
        mac.update(f"{delivery_id}.{timestamp_s}.".encode())
        mac.update(body)
        signatures.append("v1," + base64.b64encode(mac.digest()).decode())
    return " ".join(signatures)
