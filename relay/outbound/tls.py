"""TLS to targets: whom to trust, and sessions that are taken up again where a connection could not be kept."""

from __future__ import annotations

import os
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import certifi

from relay.core.errors import StartError

LOOK_AGAIN_S = 600.0
"""A certificate is looked at again at least this often, however often its session is resumed in between."""
SESSIONS = 1024


class Look(NamedTuple):
    """A certificate was looked at, which only a full handshake does."""

    at_s: float
    """Monotonic."""
    ends_s: float
    """When the certificate ends, in Unix seconds."""


class LookedAt(ssl.SSLObject):
    """The TLS of one connection, with the look at the certificate that it rests on."""

    look: Look | None = None


class ResumingContext(ssl.SSLContext):
    """A client's context that resumes sessions by host name.

    The event loops have no way to be handed a session, but both make their TLS object here. Whose request it is does
    not matter: a session says which server this is, and carries nothing that was sent. It lives no longer than this
    context, and so than what is trusted.
    """

    sslobject_class = LookedAt

    def __init__(
        self,
        protocol: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`monotonic` gives seconds that never go back, `wall` Unix seconds."""
        self._monotonic = monotonic
        self._wall = wall
        self._sessions: OrderedDict[str, tuple[ssl.SSLSession, Look]] = OrderedDict()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        look = None
        if session is None and isinstance(server_hostname, str):
            session, look = self._sessions.get(server_hostname, (None, None))
            if look is not None and self._good_for_s(look) <= 0:
                del self._sessions[server_hostname]
                session = look = None
        made = cast("LookedAt", super().wrap_bio(incoming, outgoing, server_side, server_hostname, session))
        made.look = look
        return made

    def connected(self, tls: LookedAt) -> float:
        """A handshake has ended well: for how many seconds its connection may be used."""
        if tls.look is None or not tls.session_reused:
            certificate = tls.getpeercert() or {}
            ends = certificate.get("notAfter")
            tls.look = Look(self._monotonic(), ssl.cert_time_to_seconds(str(ends)) if ends else 0.0)
        return self._good_for_s(tls.look)

    def remember(self, server_hostname: str, tls: LookedAt) -> None:
        """Keep the session of a connection that was used. TLS 1.3 hands it out with the first answer."""
        session = tls.session
        # A resumed connection brings a new session, with the look of the old one: use does not make it last longer.
        if session is not None and session.has_ticket and tls.look is not None:
            self._sessions[server_hostname] = (session, tls.look)
            self._sessions.move_to_end(server_hostname)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)

    def _good_for_s(self, look: Look) -> float:
        return min(look.at_s + LOOK_AGAIN_S - self._monotonic(), look.ends_s - self._wall())


def trusting_context() -> ResumingContext:
    """Verifies against the system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), else certifi's.

    Whatever is trusted ends a chain, as with curl: it may be an intermediate authority, or the very certificate of a
    receiver. Raises StartError when a variable names what cannot be used.
    """
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    named = _named_file(), _named_folders()
    defaults = ssl.get_default_verify_paths()
    if any(named) or defaults.cafile or (defaults.capath and any(Path(defaults.capath).iterdir())):
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _named_file() -> bool:
    """Whether SSL_CERT_FILE names a file. OpenSSL would pass over one that it cannot use without a word."""
    file = os.environ.get("SSL_CERT_FILE")
    if not file:
        return False
    if not Path(file).exists():
        raise StartError(f"SSL_CERT_FILE names {file}, which does not exist")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (ssl.SSLError, OSError) as error:
        raise StartError(f"SSL_CERT_FILE names {file}, which holds no certificates that can be read") from error
    return True


def _named_folders() -> bool:
    """Whether SSL_CERT_DIR names folders; OpenSSL takes several, with colons between them."""
    folders = [folder for folder in os.environ.get("SSL_CERT_DIR", "").split(os.pathsep) if folder]
    for folder in folders:
        if not Path(folder).is_dir():
            raise StartError(f"SSL_CERT_DIR names {folder}, which is no folder")
    return bool(folders)
