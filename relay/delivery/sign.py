"""Sign: a claimed delivery becomes a request, signed with the secrets that are valid at this moment."""

from __future__ import annotations

from collections.abc import Mapping

from relay.core.model import Claimed, SignedRequest, Subscription
from relay.core.rotation import still_valid
from relay.core.signing import standard
from relay.core.wire import Signing, Wire
from relay.store.secrets import Secrets


class Signer:
    """Makes requests. Pending deliveries are signed when they are sent, so a rotated secret holds for them too."""

    def __init__(self, wires: Mapping[str, Wire], secrets: Secrets, timeout_s: float) -> None:
        self._wires = wires
        self._secrets = secrets
        self._timeout_s = timeout_s

    def sign(self, claimed: Claimed, body: bytes, now_ms: int) -> tuple[SignedRequest, str]:
        """The request of the next attempt, and the signature that is kept with it.

        Raises StartError when the signing secret cannot be opened.
        """
        wire = self._wires[claimed.subscription.api]
        signing = Signing(now_ms // 1000, body, self._valid_secrets(claimed.subscription, now_ms))
        signature = wire.signature(signing)
        headers = (
            ("Content-Type", "application/json"),
            *wire.headers(claimed, signing, claimed.attempts_made + 1, signature),
            ("webhook-id", claimed.id),
            ("webhook-timestamp", str(signing.timestamp_s)),
            ("webhook-signature", standard(signing.secrets, claimed.id, signing.timestamp_s, signing.body)),
        )
        owner_id = claimed.subscription.workspace_id
        request = SignedRequest(claimed.subscription.target_url, headers, signing.body, self._timeout_s, owner_id)
        # The log keeps one signature, in the documented form, also while a rotated secret signs beside the new one.
        if len(signing.secrets) > 1:
            signature = wire.signature(signing._replace(secrets=signing.secrets[-1:]))
        return request, signature

    def _valid_secrets(self, subscription: Subscription, now_ms: int) -> tuple[str, ...]:
        newest = self._secrets.open(subscription.secret)
        if not subscription.previous_secrets:
            return (newest,)
        beside = still_valid(subscription.previous_secrets, now_ms)
        return (*[self._secrets.open(one.secret) for one in beside], newest)
