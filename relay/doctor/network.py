"""What the doctor sees of the network: names, certificates, the mail server and the server itself; all bounded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from email.utils import parseaddr
from functools import partial
from typing import NamedTuple, TypeVar

import aiohttp

from relay.core.errors import NotSent, StartError
from relay.doctor.installation import TRUST
from relay.outbound.guard import Guard
from relay.outbound.peek import Peek, peek
from relay.outbound.resolve import LookupFailed, Resolver
from relay.outbound.target import Target
from relay.outbound.tls import trusting_context
from relay.producers.testimonials.smtp import parse_server, reach

HOSTS = 200
"""How many hosts are looked up; those with the most subscriptions first."""
CERTIFICATES = 100
THREADS = 48
NAMES_LIMIT_S = 10.0
CERTIFICATES_LIMIT_S = 15.0
ONE_LIMIT_S = 5.0
"""For one name, or one connection."""
AT_ONCE = 16
MAIL_LIMIT_S = 10.0
READY_LIMIT_S = 3.0

Place = tuple[str, int]
"""Host and port."""
_Key = TypeVar("_Key")
_Seen = TypeVar("_Seen")


class Name(NamedTuple):
    """What a look-up brought."""

    addresses: tuple[str, ...]
    failure: str | None


NOT_LOOKED_UP = Name((), None)


class Network(NamedTuple):
    """What was looked at. What is missing did not fit into the time or the number."""

    names: Mapping[str, Name]
    names_missing: int
    certificates: Mapping[Place, Peek]
    certificates_missing: int
    trust_fault: str | None
    """Why no certificate at all can be verified."""


async def look_at_network(
    targets: Iterable[Target], guard: Guard, resolver: Resolver, trust: Mapping[str, str]
) -> Network:
    """Look up the hosts of these targets, and peek at the certificates of those with https.

    `trust` has the server's `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """
    hosts: Counter[str] = Counter()
    places: Counter[Place] = Counter()
    by_place: dict[Place, Target] = {}
    for target in targets:
        if target.address is None:
            hosts[target.host] += 1
        if target.scheme == "https":
            places[target.host, target.port] += 1
            by_place[target.host, target.port] = target
    names = await _within(
        NAMES_LIMIT_S, THREADS, {host: partial(_name, resolver, host) for host, _ in hosts.most_common(HOSTS)}
    )
    context, trust_fault = _trusting_as(trust)
    looks: dict[Place, Callable[[], Awaitable[Peek]]] = {}
    for place, _ in places.most_common(CERTIFICATES):
        target = by_place[place]
        addresses = (target.host,) if target.address is not None else names.get(target.host, NOT_LOOKED_UP).addresses
        if context is not None and any(guard.allowed_address(one, target.port, target.host) for one in addresses):
            looks[place] = partial(peek, target, addresses, guard, context, ONE_LIMIT_S)
    certificates = await _within(CERTIFICATES_LIMIT_S, AT_ONCE, looks)
    return Network(names, len(hosts) - len(names), certificates, len(places) - len(certificates), trust_fault)


async def look_at_mail(smtp_url: str, sender: str, trust: Mapping[str, str]) -> str | None:
    """Greet the mail server and log in, and send nothing: what went wrong, or None."""
    try:
        server = parse_server(smtp_url)
    except StartError as error:
        return error.message
    with _environment(trust):
        return await reach(server, parseaddr(sender)[1], MAIL_LIMIT_S)


async def ask_whether_ready(url: str) -> tuple[str, ...] | None:
    """What `/readyz` of this server says is amiss; nothing when it is ready. None when it does not answer."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=READY_LIMIT_S)) as session,
            session.get(f"{url}/readyz") as response,
        ):
            said = await response.json(content_type=None)
            if response.status == 200:
                return ()
            reasons = said.get("reasons") if isinstance(said, dict) else None
            return tuple(map(str, reasons)) if isinstance(reasons, list) and reasons else (f"status {response.status}",)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return None


async def _name(resolver: Resolver, host: str) -> Name:
    try:
        return Name(await resolver.addresses(host), None)
    except (LookupFailed, NotSent) as failed:
        return Name((), str(failed))


async def _within(
    limit_s: float, at_once: int, looks: Mapping[_Key, Callable[[], Awaitable[_Seen]]]
) -> dict[_Key, _Seen]:
    """What these see, so many of them at once, as far as the time goes."""
    seen: dict[_Key, _Seen] = {}
    waiting = iter(looks.items())

    async def look() -> None:
        for key, one in waiting:
            seen[key] = await one()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(looks))):
                group.create_task(look())
    return seen


def _trusting_as(trust: Mapping[str, str]) -> tuple[ssl.SSLContext | None, str | None]:
    """A context that trusts whom the server trusts, or why there is none."""
    try:
        with _environment(trust):
            return trusting_context(), None
    except StartError as error:
        return None, error.message
    except OSError as error:  # ssl.SSLError is one
        return None, f"the certificate authorities cannot be loaded: {error}"


@contextlib.contextmanager
def _environment(trust: Mapping[str, str]) -> Iterator[None]:
    """The server's `SSL_CERT_FILE` and `SSL_CERT_DIR` in place of this shell's: OpenSSL reads them from there."""
    before = {name: os.environ.pop(name, None) for name in TRUST}
    os.environ.update(trust)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
