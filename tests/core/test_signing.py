"""Signatures, verified by code that shares nothing with the code that makes them."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from relay.core.signing import body_digest, new_secret, standard, timestamped

BODY = '{"a":"ü","n":1.50}'.encode()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, written out."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def test_the_digest_agrees_with_the_published_vector() -> None:
    """Test case 2 of RFC 4231."""
    assert body_digest("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.binary(max_size=300))
def test_the_body_digest_is_hmac_of_the_body_alone(secret: str, body: bytes) -> None:
    assert body_digest(secret, body) == "sha256=" + hmac_sha256(secret.encode(), body).hex()


def test_a_timestamped_signature_covers_time_and_body() -> None:
    """`t=<unix>,v1=<hex>` over `<t>.<body>`, keyed with the whole text of the secret."""
    secret = new_secret()
    expected = hmac_sha256(secret.encode(), b"1700000000." + BODY).hex()
    assert timestamped((secret,), 1_700_000_000, BODY) == f"t=1700000000,v1={expected}"


def test_during_a_rotation_the_newest_signature_comes_last() -> None:
    """Receivers that read the header into a dictionary keep the last v1."""
    old, new = new_secret(), new_secret()
    pairs = [part.split("=", 1) for part in timestamped((old, new), 1_700_000_000, BODY).split(",")]
    assert [name for name, _ in pairs] == ["t", "v1", "v1"]
    assert pairs[1][1] == hmac_sha256(old.encode(), b"1700000000." + BODY).hex()
    assert dict(pairs)["v1"] == hmac_sha256(new.encode(), b"1700000000." + BODY).hex()


def headers(secrets: tuple[str, ...], at_s: int) -> dict[str, str]:
    return {
        "webhook-id": "01DELIVERY",
        "webhook-timestamp": str(at_s),
        "webhook-signature": standard(secrets, "01DELIVERY", at_s, BODY),
    }


def test_the_standard_webhooks_package_verifies_the_signature() -> None:
    """The real package takes the secret as it is shown, prefix and all."""
    secret = new_secret()
    assert Webhook(secret).verify(BODY.decode(), headers((secret,), int(time.time()))) == json.loads(BODY)


def test_the_standard_webhooks_package_refuses_what_was_changed() -> None:
    """Another body, another time, another id, another secret: each is noticed."""
    secret, now_s = new_secret(), int(time.time())
    good = headers((secret,), now_s)
    changed = [
        (secret, BODY + b" ", good),
        (secret, BODY, good | {"webhook-timestamp": str(now_s + 1)}),
        (secret, BODY, good | {"webhook-id": "01OTHER"}),
        (new_secret(), BODY, good),
    ]
    for key, body, sent in changed:
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body.decode(), sent)


def test_during_a_rotation_either_secret_verifies() -> None:
    """Receivers change their secret when it suits them within the grace."""
    old, new = new_secret(), new_secret()
    sent = headers((old, new), int(time.time()))
    for secret in (old, new):
        Webhook(secret).verify(BODY.decode(), sent)


def test_a_secret_that_is_no_base64_is_used_as_text() -> None:
    """A client may choose the secret of a test ping."""
    at_s = 1_700_000_000
    expected = base64.b64encode(hmac_sha256(b"not base64!", b"id.1700000000." + BODY)).decode()
    assert standard(("not base64!",), "id", at_s, BODY) == f"v1,{expected}"


def test_secrets_are_fresh_and_serve_both_readings() -> None:
    """48 characters after the prefix, which are also base64 of 36 bytes."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(secret) == 54
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 36


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + base64.b64encode(b"sixteen bytes ok").decode(),
        "whsec_" + base64.b64encode(b"sixteen bytes ok").decode().rstrip("="),
        "whsec_" + base64.b64encode(b"seventeen bytes !").decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(bytes(range(240, 255))).decode(),
        "whsec_test_" + "aB3" * 16,
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "c2l4dGVlbiBieXRlcyBvaw",
        "my-own-secret",
    ],
)
def test_a_secret_is_read_as_the_receivers_library_reads_it(secret: str) -> None:
    """With its padding or without, and with whatever else stands in it."""
    at_s = int(time.time())
    headers = {"webhook-id": "id", "webhook-timestamp": str(at_s)}
    headers["webhook-signature"] = standard((secret,), "id", at_s, BODY)
    Webhook(secret).verify(BODY, headers)
