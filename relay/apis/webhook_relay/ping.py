"""testWebhook: one signed sample event to a URL, now, with nothing stored."""

from __future__ import annotations

import re
import secrets
from typing import Any

from aiohttp import web

from relay.apis.webhook_relay.admission import limit_pings
from relay.apis.webhook_relay.input import TOO_LONG_TEXT, fits, read_event_type, refuse
from relay.apis.webhook_relay.views import error_code
from relay.apis.webhook_relay.wire import envelope, headers, signature
from relay.core import signing
from relay.core.errors import TargetError
from relay.core.model import ErrorCode, Outcome, SignedRequest
from relay.core.wire import Signing
from relay.web.auth import api_key_of
from relay.web.body import json_object_and_text, json_response, member_text
from relay.web.wiring import CLOCK, ENGINE, GUARD, SETTINGS

TIMEOUT_S = 10.0
DEFAULT_TYPE = "test.ping"
DEFAULT_PAYLOAD = '{"hello":"from-webhook-relay"}'

_SECRET = re.compile(r"[\x21-\x7e]{8,128}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TARGET_TEXT = "must not point to a private network"
_DETAILS = {
    ErrorCode.TIMEOUT: "the receiver did not answer in time",
    ErrorCode.CONNECTION_ERROR: "no connection, or it broke off before an answer",
    ErrorCode.TLS_ERROR: "no secure connection: the certificate or the handshake is not valid",
    ErrorCode.DNS_ERROR: "the host name could not be resolved",
    ErrorCode.BAD_RESPONSE: "what came back was not an HTTP answer",
}
"""What a client may know: the operator's log has more, addresses among it."""


async def test_webhook(request: web.Request) -> web.Response:
    """testWebhook: 200 whatever the receiver says; 400 when the guard refuses the target, 503 when nothing was sent."""
    app = request.app
    body, text = await json_object_and_text(request)
    event_type = read_event_type(body, DEFAULT_TYPE)
    secret, payload = _secret(body), _payload(body, text)
    try:
        target_url = app[GUARD].check_target(body.get("url"))
    except TargetError as error:
        raise refuse("url", error.message.removeprefix("url ")) from error
    limit_pings(request)

    now_ms = app[CLOCK]()
    event_id = "01TESTEVENT" + "".join(secrets.choice(_CROCKFORD) for _ in range(15))
    signed = Signing(now_ms // 1000, envelope(event_id, event_type, now_ms, payload).encode(), (secret,))
    sent = signature(signed)
    post = SignedRequest(
        target_url,
        (
            ("Content-Type", "application/json"),
            *headers(event_id, event_id, event_type, signed.timestamp_s, 1, sent),
            ("webhook-id", event_id),
            ("webhook-timestamp", str(signed.timestamp_s)),
            ("webhook-signature", signing.standard(signed.secrets, event_id, signed.timestamp_s, signed.body)),
        ),
        signed.body,
        min(TIMEOUT_S, app[SETTINGS].delivery_timeout),
        api_key_of(request).workspace_id,
    )
    outcome = await app[ENGINE].post_now(post)
    if outcome.error_code is ErrorCode.TARGET_REFUSED:
        raise refuse("url", _TARGET_TEXT)
    return json_response({**_view(outcome), "signature_sent": sent, "secret_used": secret})


def _secret(body: dict[str, Any]) -> str:
    if body.get("secret", "") == "":
        return signing.new_secret().replace("whsec_", "whsec_test_")
    secret = body["secret"]
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise refuse("secret", "must be 8 to 128 visible ASCII characters without blanks")
    return secret


def _payload(body: dict[str, Any], text: str) -> str:
    if body.get("payload", "") == "":
        return DEFAULT_PAYLOAD
    if type(body["payload"]) is not dict:
        raise refuse("payload", "must be a JSON object")
    payload = member_text(text, body, "payload")
    if not fits(payload, body["payload"]):
        raise refuse("payload", TOO_LONG_TEXT)
    return payload


def _view(outcome: Outcome) -> dict[str, Any]:
    failed = outcome.error_code
    return {
        "ok": outcome.status is not None and 200 <= outcome.status < 300,
        "status": outcome.status,
        "latency_ms": outcome.latency_ms,
        "response_body_snippet": outcome.snippet,
        "error_code": None if failed is None else error_code(failed.value),
        "error_detail": None if failed is None else _DETAILS.get(failed, "the request failed"),
    }
