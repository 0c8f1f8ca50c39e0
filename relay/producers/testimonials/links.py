"""The personal link: a signed token that is derived, not stored, so that the same customer always gets the same one.

The token is a credential. The last character of its signature has two bits to spare, so
four spellings of it verify: never key anything by the token's text, only by the invitation it names.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from relay.producers.testimonials.model import Invitation
from relay.store.secrets import Secrets

SALT = "testimonials.invitation-link"

_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,256}")


class Named(NamedTuple):
    """What a genuine token names: an invitation, as of one version of its link."""

    invitation_id: str
    token_version: int


class Links:
    """Makes and reads the links of one server. `public_url` is how customers reach it, without a slash at the end."""

    def __init__(self, secrets: Secrets, public_url: str) -> None:
        self._signer: URLSafeSerializer = secrets.signer(SALT)
        self._public_url = public_url

    def token(self, invitation_id: str, token_version: int) -> str:
        """The `invite_token`: nobody's name or address is inside, for its first half is readable."""
        token = self._signer.dumps([invitation_id, token_version])
        return token if isinstance(token, str) else token.decode()

    def token_of(self, invitation: Invitation) -> str:
        return self.token(invitation.id, invitation.token_version)

    def url(self, token: str) -> str:
        """The link itself."""
        return f"{self._public_url}/r/{token}"

    def unsubscribe_url(self, token: str) -> str:
        return f"{self.url(token)}/unsubscribe"

    def review_url(self, submission_id: str) -> str:
        """Where the operator sees a submission."""
        return f"{self._public_url}/console/submissions/{submission_id}"

    def read(self, token: str) -> Named | None:
        """What a token names, or None when this server did not sign it."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            invitation_id, token_version = self._signer.loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return Named(str(invitation_id), int(token_version))
