"""Send one signed request and say what came of it."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from functools import lru_cache
from operator import itemgetter

from relay import __version__
from relay.core.conditions import Condition, Conditions
from relay.core.errors import NotSent, TargetError
from relay.core.model import ErrorCode, Outcome, SignedRequest
from relay.outbound.answer import MAX_SNIPPET, Answer, clean
from relay.outbound.connection import Connection, ExchangeFailed
from relay.outbound.guard import Guard, strict_address
from relay.outbound.pool import Key, Pool
from relay.outbound.resolve import LookupFailed, Resolver
from relay.outbound.shortage import Shortage, can_reach, descriptors_are_short, shortage_in
from relay.outbound.target import Target
from relay.outbound.tls import ResumingContext, trusting_context

MAX_ADDRESSES = 4
"""How many addresses of one name are tried in one POST."""
HANDSHAKE_S = 10.0

_BASE_HEADERS = f"User-Agent: Relay/{__version__}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n".encode("ascii")
_METHODS = {name: name.encode("ascii") for name in ("POST", "GET", "PUT", "PATCH", "DELETE")}
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "user-agent", "accept-encoding"})


class Poster:
    """Posts to targets the guard allows, over connections that are kept open for the next POST.

    There are no redirects, proxies, cookies or decompression to switch off: none is written.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        dns_threads: int = 32,
        ssl_context: ResumingContext | None = None,
        resolver: Resolver | None = None,
        pool: Pool | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        """`conditions` are told what this machine runs out of."""
        self._guard = guard
        self._resolver = Resolver(threads=dns_threads) if resolver is None else resolver
        self._pool = Pool() if pool is None else pool
        self._ssl_context = trusting_context() if ssl_context is None else ssl_context
        self._shortage = Shortage(Conditions(time.monotonic, lambda change: None) if conditions is None else conditions)

    async def post(self, request: SignedRequest) -> Outcome:
        """What came of a POST; nothing a receiver or a network does is raised.

        Raises `NotSent` when this machine could not send it. A request that this process must not write (a header with
        a line break, one that is ours to set) is a ValueError: the APIs check what they accept.
        """
        started = time.monotonic()
        try:
            target = self._guard.target(request.target_url)
            answer = await self._send(request, target, _head_of(request, target))
        except TargetError as error:
            return _failure(started, ErrorCode.TARGET_REFUSED, error.message)
        except ExchangeFailed as failed:
            return _failure(started, failed.error_code, failed.detail)
        except NotSent as not_sent:
            self._shortage.met(not_sent)
            if not_sent.condition is Condition.DESCRIPTORS_SHORT:
                # Those that are idle are ours to give.
                self._pool.close()
            raise
        return _outcome(started, answer)

    async def close(self) -> None:
        """Close the idle connections; POSTs in flight are their callers' to cancel."""
        self._pool.close()
        self._resolver.close()
        self._shortage.close()

    async def _send(self, request: SignedRequest, target: Target, head: bytes) -> Answer:
        deadline = asyncio.get_running_loop().time() + request.timeout_s
        key = (request.owner_id, target.scheme, target.host, target.port)
        connection = self._pool.take(key)
        if connection is not None:
            try:
                return await self._exchange(connection, key, head, request.body, deadline)
            except ExchangeFailed as failed:
                # The receiver closed an idle connection just as it was used again: no verdict on the request.
                if not failed.unanswered:
                    raise
        connection = await self._connect(target, deadline)
        answer = await self._exchange(connection, key, head, request.body, deadline)
        if connection.tls is not None:
            self._ssl_context.remember(target.host, connection.tls)
        return answer

    async def _exchange(self, connection: Connection, key: Key, head: bytes, body: bytes, deadline: float) -> Answer:
        answer = await connection.exchange(head, body, deadline)
        self._pool.put(key, connection)
        return answer

    async def _connect(self, target: Target, deadline: float) -> Connection:
        """A fresh connection to the first address that takes it. Raises `ExchangeFailed` or `NotSent`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses(target)
        except TimeoutError:
            if self._resolver.is_waiting(target.host):
                raise NotSent("the look-up could not begin in time", condition=Condition.LOOKUPS_BUSY) from None
            raise ExchangeFailed(ErrorCode.TIMEOUT, "the look-up of the name took too long") from None
        except LookupFailed as failed:
            raise ExchangeFailed(ErrorCode.DNS_ERROR, f"{target.host}: {failed}") from None
        failure = ExchangeFailed(ErrorCode.TIMEOUT, "no time was left to connect")
        for index, address in enumerate(addresses):
            left_s = deadline - loop.time()
            if left_s <= 0:
                break
            try:
                return await self._connect_to(address, target, left_s / (len(addresses) - index))
            except ExchangeFailed as failed:
                failure = failed
        raise failure

    async def _addresses(self, target: Target) -> list[str]:
        """The addresses to try, each one allowed, in a spelling that no resolver is asked about again."""
        found = (target.host,) if target.address is not None else await self._resolver.addresses(target.host)
        allowed = [ip_text for ip_text in found if self._guard.allowed_address(ip_text, target.port, target.host)]
        if not allowed:
            raise ExchangeFailed(ErrorCode.TARGET_REFUSED, f"{target.host} is at {', '.join(found[:MAX_ADDRESSES])}")
        return [str(strict_address(ip_text)) for ip_text in allowed[:MAX_ADDRESSES]]

    async def _connect_to(self, address: str, target: Target, timeout_s: float) -> Connection:
        loop = asyncio.get_running_loop()
        secure = target.scheme == "https"
        where = f"{address} port {target.port}"
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._pool.discard),
                    address,
                    target.port,
                    ssl=self._ssl_context if secure else None,
                    server_hostname=target.host if secure else None,
                    ssl_handshake_timeout=HANDSHAKE_S if secure else None,
                )
        except TimeoutError:
            raise ExchangeFailed(ErrorCode.TIMEOUT, f"no connection to {where} within the time limit") from None
        except ssl.SSLCertVerificationError as error:
            if descriptors_are_short():
                # Certificates that are trusted are read from their folder when one is needed.
                raise NotSent("no certificates could be read", condition=Condition.DESCRIPTORS_SHORT) from None
            raise ExchangeFailed(ErrorCode.TLS_ERROR, error.verify_message or "the certificate is not valid") from None
        except ssl.SSLError as error:
            raise ExchangeFailed(ErrorCode.TLS_ERROR, error.reason or "the TLS handshake failed") from None
        except ConnectionAbortedError as error:
            code = ErrorCode.TLS_ERROR if secure else ErrorCode.CONNECTION_ERROR
            raise ExchangeFailed(code, f"{where}: {error}") from None
        except (OSError, MemoryError) as error:
            condition = shortage_in(error)
            if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL and can_reach(address, target.port):
                condition = Condition.PORTS_SHORT
            words = getattr(error, "strerror", None) or str(error)
            if condition is not None:
                raise NotSent(f"no connection to {where}: {words}", condition=condition) from None
            raise ExchangeFailed(ErrorCode.CONNECTION_ERROR, f"{where}: {words}") from None
        if connection.tls is not None:
            connection.good_until = min(
                connection.good_until, loop.time() + self._ssl_context.connected(connection.tls)
            )
        return connection


def _head_of(request: SignedRequest, target: Target) -> bytes:
    headers = "\r\n".join([*map(": ".join, request.headers), ""])
    count = len(request.headers)
    if headers.count("\r") != count or headers.count("\n") != count or "\0" in headers:
        raise ValueError("a header has a line break or NUL in it")
    if not _may_be_set(tuple(map(itemgetter(0), request.headers))):
        raise ValueError("a header is set that belongs to the sender")
    length = b"Content-Length: %d\r\n" % len(request.body)
    return b"".join((_METHODS[request.method], target.head, _BASE_HEADERS, length, headers.encode("utf-8"), b"\r\n"))


@lru_cache(maxsize=256)  # an API's headers have the same names each time
def _may_be_set(names: tuple[str, ...]) -> bool:
    return _OURS.isdisjoint(map(str.lower, names))


def _outcome(started: float, answer: Answer) -> Outcome:
    return Outcome(
        status=answer.status,
        error_code=None,
        latency_ms=_since_ms(started),
        headers=answer.headers,
        snippet=clean(answer.body[:MAX_SNIPPET]),
        retry_after=dict(answer.headers).get("retry-after"),
    )


def _failure(started: float, error_code: ErrorCode, detail: str) -> Outcome:
    return Outcome(status=None, error_code=error_code, latency_ms=_since_ms(started), detail=detail)


def _since_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
