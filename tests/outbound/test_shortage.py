"""What this machine runs out of is not charged to a receiver: nothing is sent, it is said, and it ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import shutil
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from relay.core.conditions import Change, Condition, Conditions
from relay.core.errors import NotSent
from relay.core.model import ErrorCode
from relay.outbound.guard import Allowed, Guard
from relay.outbound.pool import Pool
from relay.outbound.post import Poster
from relay.outbound.resolve import CACHE_SIZE, Lookup, Resolver, system_lookup
from relay.outbound.shortage import Shortage
from tests.outbound.test_post import request_to, until
from tests.outbound.test_tls import name_in_folder
from tests.receiver import Receiver


@pytest.fixture(autouse=True)
def nothing_is_left_of_other_tests() -> None:
    """A look-up of theirs that still hangs, or a socket nobody closed, would give a descriptor back amid this test."""
    gc.collect()
    give_up = time.monotonic() + 15
    while len(threads := threading.enumerate()) > 1:
        assert time.monotonic() < give_up, f"other tests left threads: {threads}"
        time.sleep(0.01)


@contextlib.contextmanager
def no_descriptors(but: int = 0) -> Iterator[None]:
    """This process can open nothing more, or only so many."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for one in taken[:but]:
            os.close(one)
        del taken[:but]
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for one in taken:
            os.close(one)


class Sender:
    """A poster, with all that it has said about this machine."""

    def __init__(self, lookup: Lookup = lambda host: ["127.0.0.1"], *, threads: int = 2, limit_s: float = 5.0) -> None:
        self.told: list[Change] = []
        self.conditions = Conditions(time.monotonic, self.told.append)
        self.pool = Pool()
        self.resolver = Resolver(lookup, threads=threads, limit_s=limit_s)
        self.poster = Poster(
            Guard(Allowed.parse("127.0.0.0/8,[::1],localhost,odd.example.com")),
            resolver=self.resolver,
            pool=self.pool,
            conditions=self.conditions,
        )
        self.poster._shortage = Shortage(self.conditions, look_s=0.02, over_s=0.1)

    async def not_sent(self, url: str, **kwargs: Any) -> Condition:
        with pytest.raises(NotSent) as caught:
            await self.poster.post(request_to(url, **kwargs))
        assert self.conditions.holds(caught.value.condition)
        return caught.value.condition

    async def is_over(self) -> None:
        """And was said once at its begin, and once at its end."""
        await until(lambda: not self.conditions.current)
        assert [change.lasted_s is None for change in self.told] == [True, False]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@contextlib.asynccontextmanager
async def sending(sender: Sender) -> AsyncIterator[Sender]:
    yield sender
    await sender.poster.close()


async def test_without_descriptors_nothing_is_sent_and_it_is_over_when_there_are_some(receiver: Receiver) -> None:
    async with sending(Sender()) as sender:
        with no_descriptors():
            for _ in range(3):
                assert await sender.not_sent(receiver.url()) is Condition.DESCRIPTORS_SHORT
            await asyncio.sleep(0.3)
            assert sender.conditions.current == (Condition.DESCRIPTORS_SHORT,)
        assert receiver.connections == 0
        assert (await sender.poster.post(request_to(receiver.url()))).status == 200
        await sender.is_over()


async def test_without_descriptors_those_of_idle_connections_are_given_back(receiver: Receiver) -> None:
    async with sending(Sender()) as sender:
        url = receiver.url()
        await asyncio.gather(*[sender.poster.post(request_to(receiver.url("/slow/0.1"))) for _ in range(5)])
        assert len(sender.pool) == 5
        with no_descriptors():
            assert (await sender.poster.post(request_to(url))).status == 200
            assert await sender.not_sent(url, owner_id="wsp_2") is Condition.DESCRIPTORS_SHORT
            assert len(sender.pool) == 0
            await until(lambda: receiver.open_connections == 0)
            assert (await sender.poster.post(request_to(url, owner_id="wsp_2"))).status == 200


async def test_trust_that_cannot_be_read_for_want_of_descriptors_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of certificates is looked into when one is needed. Two descriptors are left: the connection's ends."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command names the certificates of a folder, and it is not here")
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    (tmp_path / "trusted.pem").rename(tmp_path / name_in_folder(tmp_path / "trusted.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    async with Receiver(tls=context) as receiver, sending(Sender()) as sender:
        url = receiver.url(host="localhost")
        await sender.resolver.addresses("localhost")
        with no_descriptors(but=2):
            assert await sender.not_sent(url) is Condition.DESCRIPTORS_SHORT
        assert (await sender.poster.post(request_to(url))).status == 200


def no_such_name(host: str) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def no_server_answers(host: str) -> list[str]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize("lookup", [system_lookup, no_such_name, no_server_answers])
async def test_a_look_up_that_fails_for_want_of_descriptors_says_nothing_about_its_name(
    receiver: Receiver, lookup: Lookup
) -> None:
    """The C library says that it is not found, or that no server answers. It is asked again, not remembered."""
    answers: list[Lookup] = [lookup, lookup, lambda host: ["127.0.0.1"]]
    async with sending(Sender(lambda host: answers.pop(0)(host))) as sender:
        url = receiver.url(host="localhost")
        with no_descriptors():
            for _ in range(2):
                assert await sender.not_sent(url) is Condition.DESCRIPTORS_SHORT
        assert (await sender.poster.post(request_to(url))).status == 200
        await sender.is_over()


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        (OSError(errno.EMFILE, "Too many open files"), Condition.DESCRIPTORS_SHORT),
        (OSError(errno.ENFILE, "Too many open files in system"), Condition.DESCRIPTORS_SHORT),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Condition.MEMORY_SHORT),
        (OSError(errno.ENOBUFS, "No buffer space available"), Condition.MEMORY_SHORT),
        (socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure"), Condition.MEMORY_SHORT),
        (MemoryError(), Condition.MEMORY_SHORT),
    ],
)
async def test_what_a_look_up_or_a_connection_lacks_is_ours(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, error: Exception, condition: Condition
) -> None:
    """The errors are the operating system's, which cannot be made to run out of each of them here."""

    def lookup(host: str) -> list[str]:
        raise error

    async with sending(Sender(lookup)) as sender:
        assert await sender.not_sent("https://odd.example.com/") is condition
        assert await sender.not_sent("https://odd.example.com/") is condition

    async def refuse(*args: Any, **kwargs: Any) -> Any:
        raise error

    async with sending(Sender()) as sender:
        if not isinstance(error, socket.gaierror):
            monkeypatch.setattr(type(asyncio.get_running_loop()), "create_connection", refuse, raising=False)
            assert await sender.not_sent(receiver.url()) is condition
    assert receiver.connections == 0


async def test_when_no_local_port_is_left_that_is_ours_and_no_way_to_an_address_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same error says both: where nothing can be sent from, it is the address."""

    async def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    async with sending(Sender(lambda host: ["127.0.0.1"])) as sender:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(type(loop), "create_connection", refuse, raising=False)
        assert await sender.not_sent("http://127.0.0.1:8080/") is Condition.PORTS_SHORT
        monkeypatch.setattr("relay.outbound.post.can_reach", lambda address, port: False)
        outcome = await sender.poster.post(request_to("http://127.0.0.1:8080/"))
        assert outcome.error_code is ErrorCode.CONNECTION_ERROR


async def test_a_thread_that_cannot_be_started_is_ours(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with sending(Sender()) as sender:
        url = receiver.url(host="localhost")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            assert await sender.not_sent(url) is Condition.THREADS_SHORT
        assert (await sender.poster.post(request_to(url))).status == 200
        await sender.is_over()


@pytest.mark.parametrize(("limit_s", "timeout_s"), [(0.2, 5.0), (5.0, 0.2)])
async def test_a_name_that_waits_for_our_threads_has_not_failed(
    receiver: Receiver, limit_s: float, timeout_s: float
) -> None:
    """All of them are taken by names that hang: those fail, and the one that was never asked does not."""
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        if host.startswith("hang"):
            release.wait(20)
            raise OSError("too late")
        return ["127.0.0.1"]

    async with sending(Sender(lookup, threads=2, limit_s=limit_s)) as sender:
        hanging = [
            asyncio.create_task(sender.poster.post(request_to(f"https://hang{n}.example.com/", timeout_s=timeout_s)))
            for n in range(2)
        ]
        await asyncio.sleep(0)
        url = receiver.url(host="localhost")
        try:
            assert await sender.not_sent(url, timeout_s=timeout_s) is Condition.LOOKUPS_BUSY
            assert {(await one).error_code for one in hanging} <= {ErrorCode.DNS_ERROR, ErrorCode.TIMEOUT}
        finally:
            release.set()
        assert (await sender.poster.post(request_to(url))).status == 200
        await sender.is_over()


async def test_more_hosts_than_are_remembered_can_be_asked_for_at_once() -> None:
    resolver = Resolver(lambda host: ["127.0.0.1"] if host.startswith("good") else no_such_name(host), threads=8)
    hosts = [f"{kind}{number}.example.com" for number in range(CACHE_SIZE // 2 + 500) for kind in ("good", "bad")]
    found = await asyncio.gather(*[resolver.addresses(host) for host in hosts], return_exceptions=True)
    resolver.close()
    assert {str(one) for one in found} == {"('127.0.0.1',)", "Name or service not known"}
