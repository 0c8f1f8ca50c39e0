"""TLS to targets: whom to trust, and sessions that are taken up again where a connection could not be kept."""

from __future__ import annotations

import os
import ssl
import time
from collections import OrderedDict
from pathlib import Path

import certifi

from relay.core.errors import StartError

SESSION_S = 3600.0
"""A resumed session skips the certificate, so it is looked at again at least this often."""
SESSIONS = 1024


class ResumingContext(ssl.SSLContext):
    """A client's context that resumes sessions by host name.

    The event loops have no way to be handed a session, but both make their TLS object here.
    """

    def __init__(self, protocol: int) -> None:
        self._sessions: OrderedDict[str, tuple[float, ssl.SSLSession]] = OrderedDict()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if session is None and isinstance(server_hostname, str):
            session = self._session(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, server_hostname: str, connection: ssl.SSLObject) -> None:
        """Keep the session of a connection that was verified and used. TLS 1.3 hands it out with the first answer."""
        if connection.session is not None and connection.session.has_ticket:
            self._sessions[server_hostname] = (time.monotonic(), connection.session)
            self._sessions.move_to_end(server_hostname)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)

    def _session(self, server_hostname: str) -> ssl.SSLSession | None:
        since_s, session = self._sessions.get(server_hostname, (0.0, None))
        if session is not None and time.monotonic() - since_s > SESSION_S:
            del self._sessions[server_hostname]
            return None
        return session


def trusting_context() -> ResumingContext:
    """Verifies against the system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), else certifi's."""
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = os.environ.get(variable)
        if path and not Path(path).exists():
            raise StartError(f"{variable} names {path}, which does not exist")
    paths = ssl.get_default_verify_paths()
    has_system_certificates = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    if has_system_certificates:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
