"""One mail, one SMTP dialogue: what matters is whether the server may have taken the text when something breaks."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientRefused
from yarl import URL

from relay.core.errors import StartError
from relay.producers.testimonials.mail import MailOutcome, MailState

STEP_TIMEOUT_S = 30.0
"""For each answer of the server; a whole dialogue stays well below `mail.SENDING_LIMIT_MS`."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `start_tls` None means: if the server offers it."""

    host: str
    port: int
    tls: bool
    start_tls: bool | None
    username: str | None
    password: str | None


def parse_server(url: str) -> MailServer:
    """Read `RELAY_SMTP_URL`: `smtp://user:password@host:587` or `smtps://…` (TLS from the start). Raises StartError.

    A password is never sent in the clear, except to this machine itself.
    """
    try:
        parsed = URL(url)
        if parsed.scheme not in ("smtp", "smtps") or not parsed.host:
            raise ValueError
        port = parsed.explicit_port
    except ValueError:
        # The text is not shown: it may hold a password.
        raise StartError("RELAY_SMTP_URL must look like smtp://user:password@host:587 or smtps://host:465") from None
    tls = parsed.scheme == "smtps"
    must_start_tls = not tls and parsed.password is not None and not _is_loopback(parsed.host)
    return MailServer(
        host=parsed.host,
        port=port or (465 if tls else 587 if parsed.password else 25),
        tls=tls,
        start_tls=False if tls else True if must_start_tls else None,
        username=unquote(parsed.raw_user) if parsed.raw_user else None,
        password=unquote(parsed.raw_password) if parsed.raw_password else None,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def post(server: MailServer, sender: str, recipient: str, text: bytes) -> MailOutcome:
    """Hand in one mail. Never raises for what a server or the network does.

    Cancelled before the text is offered it raises CancelledError: nothing has arrived. After that it returns what is
    known.
    """
    client = _client(server, sender, STEP_TIMEOUT_S)
    try:
        try:
            await client.connect()
            await client.mail(sender)
            await client.rcpt(recipient)
        except SMTPRecipientRefused as refusal:
            # 4xx is "not now"; 5xx says that there is no such mailbox, and asking again would not make one.
            state = MailState.FAILED if refusal.code >= 500 else MailState.QUEUED
            return MailOutcome(state, _said(refusal), is_served=True)
        except (SMTPException, OSError, ValueError) as error:
            return MailOutcome(MailState.QUEUED, _said(error), is_served=False)
        try:
            await client.data(text)
        except SMTPDataError as refusal:
            state = MailState.FAILED if refusal.code >= 500 else MailState.QUEUED
            return MailOutcome(state, _said(refusal), is_served=True)
        except (SMTPException, OSError) as error:
            return MailOutcome(MailState.UNKNOWN, _said(error))
        except asyncio.CancelledError:
            return MailOutcome(MailState.UNKNOWN, "Relay was stopped while this was being sent")
        with contextlib.suppress(SMTPException, OSError, asyncio.CancelledError):
            await client.quit()
        return MailOutcome(MailState.SENT, is_served=True)
    finally:
        client.close()


async def reach(server: MailServer, sender: str, limit_s: float) -> str | None:
    """Greet a mail server, encrypt and log in as `post` would, and say good-bye: what went wrong, or None."""
    client = _client(server, sender, limit_s)
    try:
        async with asyncio.timeout(limit_s):
            await client.connect()
            with contextlib.suppress(SMTPException, OSError):
                await client.quit()
    except TimeoutError:
        return f"no answer within {limit_s:g} s"
    except (SMTPException, OSError, ValueError) as error:
        return _said(error)
    finally:
        client.close()
    return None


def _client(server: MailServer, sender: str, timeout_s: float) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        start_tls=server.start_tls,
        username=server.username,
        password=server.password,
        local_hostname=sender.rpartition("@")[2],
        timeout=timeout_s,
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
