"""Peek: look at the certificate of a target as a delivery would meet it, and send nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from relay.outbound.guard import Guard, strict_address
from relay.outbound.target import Target

MAX_ADDRESSES = 2
"""How many addresses of a name are tried."""


class Peek(NamedTuple):
    """What was seen; one of the three is set."""

    expires_at_ms: int | None = None
    """The end of a certificate that is valid now."""
    fault: str | None = None
    """Why no delivery would be made: the certificate does not verify, or TLS is not spoken."""
    unreachable: str | None = None
    """Why there was nothing to see."""


async def peek(target: Target, addresses: Sequence[str], guard: Guard, trust: ssl.SSLContext, limit_s: float) -> Peek:
    """Connect to an https target at one of the addresses its name has, those that the guard allows, and let go."""
    allowed = [str(strict_address(one)) for one in addresses if guard.allowed_address(one, target.port, target.host)]
    seen = Peek(unreachable="no address that may be connected to")
    for address in allowed[:MAX_ADDRESSES]:
        try:
            async with asyncio.timeout(limit_s):
                return Peek(expires_at_ms=await _expiry(address, target, trust))
        except ssl.SSLCertVerificationError as error:
            return Peek(fault=error.verify_message or "the certificate is not valid")
        except ssl.SSLError as error:
            return Peek(fault=error.reason or "the TLS handshake failed")
        except TimeoutError:
            seen = Peek(unreachable=f"no connection within {limit_s:g} s")
        except OSError as error:
            seen = Peek(unreachable=error.strerror or str(error))
    return seen


async def _expiry(address: str, target: Target, trust: ssl.SSLContext) -> int:
    _, writer = await asyncio.open_connection(address, target.port, ssl=trust, server_hostname=target.host)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        return round(ssl.cert_time_to_seconds(certificate["notAfter"]) * 1000)
    finally:
        with contextlib.suppress(OSError):
            writer.transport.abort()
