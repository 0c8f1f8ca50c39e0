"""Names and certificates, with look-ups of the tests' own and real TLS receivers on loopback."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from relay.doctor.network import HOSTS, look_at_network
from relay.outbound.guard import Allowed, Guard
from relay.outbound.resolve import Resolver
from relay.outbound.target import parse_target
from tests.conftest import Relay, StartRelay
from tests.doctor.patient import add_hook, add_subscription, add_webhook, examined
from tests.receiver import Receiver

AUTHORITY = trustme.CA()
DAY = dt.timedelta(days=1)


def looking_up(**known: list[str]) -> Resolver:
    """A resolver that knows these names (dots written as _), and no other."""

    def lookup(host: str) -> list[str]:
        found = known.get(host.replace(".", "_"))
        if found is None:
            raise OSError(-2, "Name or service not known")
        return found

    return Resolver(lookup, threads=4)


async def network(tmp_path: Path, resolver: Resolver, **options: Any) -> dict[str, dict[str, Any]]:
    """The findings about the network by what they are about."""
    report = await examined(tmp_path, offline=False, resolver=resolver, **options)
    return {
        one.about: {**one.details, "problem": one.problem.value, "what": one.what, "now": one.needs_person}
        for one in report.findings
        if one.area == "network"
    }


def certificate(*names: str, until: dt.timedelta, authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    """A server's context whose certificate ends so long from now."""
    now = dt.datetime.now(dt.UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_before=now - 60 * DAY, not_after=now + until).configure_cert(context)
    return context


@pytest.fixture
async def trusting(tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A server that was started with SSL_CERT_FILE; where the doctor is run it is something else."""
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    async with contextlib.AsyncExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(path))
            patch.delenv("SSL_CERT_DIR", raising=False)
            relay = await stack.enter_async_context(start_relay(allow_targets="127.0.0.0/8"))
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
        yield relay


async def test_a_host_that_cannot_be_looked_up_is_found_with_who_goes_there(tmp_path: Path, relay: Relay) -> None:
    """A name that is known, and an address, are none."""
    first = await add_subscription(relay, "https://gone.example.com/a", event_filter="*")
    second = await add_hook(relay, "https://gone.example.com/b")
    paused = await add_subscription(relay, "https://paused.example.com/", event_filter="*")
    await relay.json("POST", f"/v1/subscriptions/{paused}/pause")
    await add_subscription(relay, "http://localhost:9/", event_filter="*")
    await add_subscription(relay, "http://127.0.0.1:9/", event_filter="*")
    found = await network(tmp_path, looking_up(localhost=["127.0.0.1"]))
    assert set(found) == {"gone.example.com"}
    one = found["gone.example.com"]
    assert (one["problem"], one["now"], one["count"]) == ("not_found", True, 2)
    assert sorted(one["subscriptions"]) == sorted([first, second])
    assert "Name or service not known" in one["what"]


async def test_when_no_name_at_all_can_be_looked_up_that_is_one_finding(tmp_path: Path, relay: Relay) -> None:
    for each in "abc":
        await add_webhook(relay, f"https://{each}.example.com/")
    found = await network(tmp_path, looking_up())
    [one] = found.values()
    assert (one["problem"], one["hosts"], one["now"]) == ("no_names", 3, True)


async def test_a_name_that_leads_into_a_private_network_is_found(tmp_path: Path, relay: Relay) -> None:
    """The URL alone does not show it; one public address among several is enough to send."""
    kept = await add_subscription(relay, "https://inside.example.com/", event_filter="*")
    found = await network(tmp_path, looking_up(inside_example_com=["10.1.2.3", "192.168.1.1"]))
    one = found["inside.example.com"]
    assert (one["problem"], one["subscriptions"], one["now"]) == ("refused", [kept], True)
    assert one["addresses"] == ["10.1.2.3", "192.168.1.1"]


async def test_a_look_up_that_hangs_is_given_up(tmp_path: Path, relay: Relay) -> None:
    """The others are looked up all the same."""
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        if host.startswith("hang"):
            release.wait(30)
        return ["127.0.0.1"]

    await add_subscription(relay, "https://hang.example.com/", event_filter="a")
    await add_subscription(relay, "https://known.example.com/", event_filter="a")
    started_s = time.monotonic()
    found = await network(tmp_path, Resolver(lookup, threads=4, limit_s=0.2))
    release.set()
    assert found["hang.example.com"]["problem"] == "not_found"
    assert "took longer than 0.2 s" in found["hang.example.com"]["what"]
    assert time.monotonic() - started_s < 10


async def test_the_number_and_the_time_of_look_ups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts with the most subscriptions come first, and what was left out is counted."""
    asked: list[str] = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["192.0.2.1"]

    targets = [parse_target(f"https://h{index}.example.com/") for index in range(HOSTS + 50)]
    targets += [parse_target("https://popular.example.com/a"), parse_target("https://popular.example.com/b")]
    guard, resolver = Guard(Allowed()), Resolver(lookup, threads=8)
    seen = await look_at_network(targets, guard, resolver, {})
    resolver.close()
    assert len(asked) == HOSTS
    assert "popular.example.com" in asked
    assert seen.names_missing == 51
    assert seen.certificates == {}  # 192.0.2.1 may not be connected to

    release = threading.Event()

    def hang(host: str) -> list[str]:
        release.wait(30)
        return []

    monkeypatch.setattr("relay.doctor.network.NAMES_LIMIT_S", 0.3)
    resolver = Resolver(hang, threads=2)
    started_s = time.monotonic()
    seen = await look_at_network(targets, guard, resolver, {})
    release.set()
    resolver.close()
    assert time.monotonic() - started_s < 10
    assert seen.names_missing == HOSTS + 51


@pytest.mark.parametrize(
    ("until", "problem", "says"),
    [
        (dt.timedelta(days=13), "certificate_expires", "Its certificate ends in 1"),
        (dt.timedelta(hours=3, minutes=30), "certificate_expires", "Its certificate ends in 3 h"),
        (dt.timedelta(days=-1), "bad_certificate", "certificate has expired"),
    ],
)
async def test_a_certificate_that_ends_soon_or_has_ended_is_found(
    tmp_path: Path, trusting: Relay, until: dt.timedelta, problem: str, says: str
) -> None:
    """By the authorities that the server trusts."""
    async with Receiver(tls=certificate("localhost", until=until)) as receiver:
        kept = await add_subscription(trusting, receiver.url("/ok", "localhost"), event_filter="*")
        found = await network(tmp_path, looking_up(localhost=["127.0.0.1"]))
        one = found[f"localhost:{receiver.port}"]
    assert (one["problem"], one["subscriptions"], one["now"]) == (problem, [kept], True)
    assert says in one["what"]
    assert receiver.requests == []


async def test_a_certificate_that_lasts_is_no_finding(tmp_path: Path, trusting: Relay) -> None:
    """Two weeks are enough to renew it."""
    async with Receiver(tls=certificate("localhost", until=15 * DAY)) as receiver:
        await add_subscription(trusting, receiver.url("/ok", "localhost"), event_filter="*")
        assert await network(tmp_path, looking_up(localhost=["127.0.0.1"])) == {}
        later = await network(tmp_path, looking_up(localhost=["127.0.0.1"]), after_ms=2 * 86_400_000)
    assert [one["problem"] for one in later.values()] == ["certificate_expires"]


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        pytest.param(
            lambda: certificate("localhost", until=30 * DAY, authority=trustme.CA()), "unable to", id="unknown"
        ),
        pytest.param(lambda: certificate("other.test", until=30 * DAY), "mismatch", id="another host's"),
    ],
)
async def test_a_certificate_that_does_not_verify_is_found(
    tmp_path: Path, trusting: Relay, tls: Callable[[], ssl.SSLContext], says: str
) -> None:
    async with Receiver(tls=tls()) as receiver:
        await add_subscription(trusting, receiver.url("/ok", "localhost"), event_filter="*")
        [one] = (await network(tmp_path, looking_up(localhost=["127.0.0.1"]))).values()
    assert (one["problem"], one["now"]) == ("bad_certificate", True)
    assert says in one["what"].lower()


async def test_a_port_that_speaks_no_tls_is_found(tmp_path: Path, trusting: Relay, receiver: Receiver) -> None:
    await add_subscription(trusting, f"https://localhost:{receiver.port}/ok", event_filter="*")
    [one] = (await network(tmp_path, looking_up(localhost=["127.0.0.1"]))).values()
    assert (one["problem"], one["now"]) == ("bad_certificate", True)


async def test_a_target_that_cannot_be_reached_just_now_is_a_note(
    tmp_path: Path, trusting: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens, or nothing answers: whether that lasts its deliveries show."""
    monkeypatch.setattr("relay.doctor.network.ONE_LIMIT_S", 0.3)
    async with Receiver(silent=True) as silent:
        async with Receiver() as closed:
            pass
        for port in (silent.port, closed.port):
            await add_subscription(trusting, f"https://localhost:{port}/ok", event_filter="*")
        found = await network(tmp_path, looking_up(localhost=["127.0.0.1"]))
    assert {one["problem"] for one in found.values()} == {"not_reached"}
    assert [one["now"] for one in found.values()] == [False, False]
    assert "no connection within 0.3 s" in found[f"localhost:{silent.port}"]["what"]


async def test_a_certificate_of_an_address_is_looked_at_too(tmp_path: Path, trusting: Relay) -> None:
    async with Receiver(tls=certificate("127.0.0.1", until=3 * DAY)) as receiver:
        await add_subscription(trusting, receiver.url("/ok"), event_filter="*")
        [one] = (await network(tmp_path, looking_up())).values()
    assert one["problem"] == "certificate_expires"


async def test_what_the_guard_refuses_is_not_connected_to(tmp_path: Path, start_relay: StartRelay) -> None:
    async with Receiver(tls=certificate("localhost", until=3 * DAY)) as receiver:
        async with start_relay() as relay:
            await add_subscription(relay, f"https://public.example.com:{receiver.port}/", event_filter="*")
        async with start_relay(allow_targets=""):
            found = await network(tmp_path, looking_up(public_example_com=["127.0.0.1"]))
    assert [one["problem"] for one in found.values()] == ["refused"]
    assert receiver.connections == 0


async def test_authorities_that_are_gone_are_found(tmp_path: Path, trusting: Relay) -> None:
    """The file that SSL_CERT_FILE named when the server was started; then no certificate can be looked at."""
    (tmp_path / "authority.pem").unlink()
    await add_subscription(trusting, "https://localhost:9/", event_filter="*")
    found = await network(tmp_path, looking_up(localhost=["127.0.0.1"]))
    assert [one["problem"] for one in found.values()] == ["no_trust"]
    assert "authority.pem" in next(iter(found.values()))["what"]


async def test_a_proxy_is_a_note(tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may think that deliveries go through it."""
    with monkeypatch.context() as patch:
        patch.setenv("HTTPS_PROXY", "http://user:canary@proxy.example.com:3128")
        patch.setenv("http_proxy", "")
        async with start_relay():
            pass
    found = await network(tmp_path, looking_up())
    assert [name for name, one in found.items() if one["problem"] == "proxy_ignored"] == ["HTTPS_PROXY"]
    assert "canary" not in str(found)
