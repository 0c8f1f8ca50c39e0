"""What a POST reports about receivers and networks of every kind, over real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trustme

from relay.core.errors import StartError
from relay.core.model import ErrorCode, Outcome, SignedRequest
from relay.outbound.answer import MAX_SNIPPET
from relay.outbound.guard import Allowed, Guard
from relay.outbound.pool import Pool
from relay.outbound.post import Poster
from relay.outbound.resolve import Lookup, LookupFailed, Resolver
from relay.outbound.tls import ResumingContext, trusting_context
from tests.receiver import Receiver

HEADERS = (("content-type", "application/json"), ("webhook-id", "dlv_1"), ("X-Webhook-Signature", "t=1,v1=ab"))
AUTHORITY = trustme.CA()
TRUST = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
AUTHORITY.configure_trust(TRUST)


def request_to(url: str, *, body: bytes = b'{"a":1}', timeout_s: float = 5.0, owner_id: str = "wsp_1") -> SignedRequest:
    return SignedRequest(url, HEADERS, body, timeout_s, owner_id)


def poster_with(lookup: Lookup, allowed: str = "127.0.0.0/8", *, limit_s: float = 5.0, threads: int = 4) -> Poster:
    return Poster(
        Guard(Allowed.parse(allowed)), resolver=Resolver(lookup, threads=threads, limit_s=limit_s), ssl_context=TRUST
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")), ssl_context=TRUST)
    yield poster
    await poster.close()


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


# --- the request


async def test_the_request_is_exactly_what_was_signed(receiver: Receiver, poster: Poster) -> None:
    path = "/ok/a/../%7Euser//x?q=%2F&r="
    body = '{"text":"é\\u0000","n":9007199254740993}'.encode()
    outcome = await poster.post(request_to(receiver.url(path), body=body))
    (got,) = receiver.received()
    assert (outcome.status, outcome.error_code, outcome.snippet, outcome.detail) == (200, None, "ok", None)
    assert (got.method, got.path, got.body) == ("POST", path, body)
    names = [name.lower() for name, _ in got.headers]
    assert len(names) == len(set(names))
    assert set(names) == {"host", "user-agent", "accept", "accept-encoding", "content-length"} | {
        name.lower() for name, _ in HEADERS
    }
    assert got.header("host") == f"127.0.0.1:{receiver.port}"
    assert got.header("accept-encoding") == "identity"
    assert (got.header("user-agent") or "").startswith("Relay/")
    for name, value in HEADERS:
        assert got.header(name) == value


@pytest.mark.parametrize(
    "header",
    [("x", "a\r\nY: z"), ("x", "a\nb"), ("x", "a\rb"), ("x", "a\0b"), ("x\r\ny", "z"), ("x\r", "\nz"), ("Host", "evil"),
     ("content-length", "0"), ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("x", "\ud800")],
)  # fmt: skip
async def test_a_header_that_would_change_the_framing_is_a_programming_error(
    receiver: Receiver, poster: Poster, header: tuple[str, str]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has another message
        await poster.post(SignedRequest(receiver.url(), (header,), b"{}", 5, "wsp_1"))
    assert receiver.received() == []


# --- answers that decide


@pytest.mark.parametrize(
    "status", [200, 201, 202, 204, 299, 300, 304, 400, 404, 408, 410, 413, 422, 429, 500, 503, 599, 999]
)
async def test_the_status_is_the_outcome(receiver: Receiver, poster: Poster, status: int) -> None:
    outcome = await poster.post(request_to(receiver.url(f"/status/{status}")))
    assert (outcome.status, outcome.error_code) == (status, None)
    assert outcome.snippet == ("" if status in (204, 304) else "ok")
    again = await poster.post(request_to(receiver.url()))
    assert (again.status, receiver.connections) == (200, 1)


async def test_what_is_kept_of_an_answer(receiver: Receiver, poster: Poster) -> None:
    queue_full = await poster.post(request_to(receiver.url("/queue-full")))
    assert (queue_full.status, queue_full.snippet) == (400, "Queue is full.")
    assert queue_full.headers == (("content-length", "14"), ("content-type", "text/plain"))
    slow_down = await poster.post(request_to(receiver.url("/retry-after/120")))
    assert (slow_down.status, slow_down.retry_after) == (429, "120")
    page = await poster.post(request_to(receiver.url("/html")))
    assert page.snippet == "<html><script>alert(1)</script></html>"
    signature = await poster.post(request_to(receiver.url("/echo-signature")))
    assert json.loads(signature.snippet or "") == {"x-webhook-signature": "t=1,v1=ab"}
    assert 0 <= signature.latency_ms < 5000


@pytest.mark.parametrize(
    "value", ["0", "-5", "1000000000", "soon", "Wed,%2021%20Oct%202026%2007:28:00%20GMT", "x" * 400]
)
async def test_retry_after_is_passed_on_as_it_came(receiver: Receiver, poster: Poster, value: str) -> None:
    outcome = await poster.post(request_to(receiver.url(f"/retry-after/{value}/503")))
    assert (outcome.status, outcome.retry_after) == (503, value.replace("%20", " ")[:256])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_reported_and_never_followed(receiver: Receiver, poster: Poster, status: int) -> None:
    outcome = await poster.post(request_to(receiver.url(f"/redirect/{status}")))
    assert (outcome.status, outcome.error_code) == (status, None)
    assert len(receiver.received()) == 1


@pytest.mark.parametrize(
    ("path", "snippet", "connections"),
    [("/interim", "ok", 1), ("/chunked", "ok", 1), ("/until-close", "until the end", 2), ("/http10", "ok", 2),
     ("/connection-close", "ok", 2), ("/header-of/40000", "ok", 1), ("/many-headers/500", "ok", 1)],
)  # fmt: skip
async def test_every_framing_of_an_answer_is_understood(
    receiver: Receiver, poster: Poster, path: str, snippet: str, connections: int
) -> None:
    first = await poster.post(request_to(receiver.url(path)))
    assert (first.status, first.snippet, first.error_code) == (200, snippet, None)
    assert ("server", "interim") not in first.headers
    assert (await poster.post(request_to(receiver.url()))).status == 200
    assert receiver.connections == connections


@pytest.mark.parametrize("path", ["/short-body", "/reset-body"])
async def test_a_body_that_breaks_off_does_not_undo_a_success(receiver: Receiver, poster: Poster, path: str) -> None:
    outcome = await poster.post(request_to(receiver.url(path)))
    assert (outcome.status, outcome.error_code, outcome.snippet) == (200, None, "abc")


@pytest.mark.parametrize("path", ["/huge", "/endless-trailer", "/gzip-bomb", "/big-header"])
async def test_an_answer_without_an_end_costs_neither_memory_nor_time(
    receiver: Receiver, poster: Poster, path: str
) -> None:
    outcome = await poster.post(request_to(receiver.url(path)))
    assert (outcome.status, outcome.error_code) == (200, None)
    assert len(outcome.snippet or "") <= MAX_SNIPPET
    # What the kernel had buffered by then is all that ever left the receiver.
    assert receiver.pushed < 16_000_000
    assert (await poster.post(request_to(receiver.url()))).status == 200
    assert receiver.connections == 2


async def test_a_dripping_body_is_cut_when_the_time_for_the_snippet_is_over(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url("/drip-body/0.05"), timeout_s=0.4))
    assert (outcome.status, outcome.error_code) == (200, None)
    assert 1 <= len(outcome.snippet or "") < 100
    assert outcome.latency_ms >= 390


async def test_a_dripping_body_does_not_use_up_a_long_timeout(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url("/drip-body/0.2"), timeout_s=15))
    assert (outcome.status, outcome.error_code) == (200, None)
    assert outcome.latency_ms < 10_000


async def test_an_early_answer_counts_and_its_connection_is_not_used_again(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url("/early/413"), body=b"x" * 8_000_000))
    assert (outcome.status, outcome.error_code) == (413, None)
    assert (await poster.post(request_to(receiver.url()))).status == 200
    assert receiver.connections == 2


@pytest.mark.parametrize("path", ["/switch", "/status/101"])
async def test_a_switch_of_protocols_is_no_success(receiver: Receiver, poster: Poster, path: str) -> None:
    outcome = await poster.post(request_to(receiver.url(path)))
    assert (outcome.status, outcome.error_code) == (101, None)
    await poster.post(request_to(receiver.url()))
    assert receiver.connections == 2


async def test_odd_bytes_become_text_that_every_database_takes(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url("/odd-bytes")))
    assert dict(outcome.headers)["server"].startswith("caf\ufffd")
    assert outcome.snippet == "a\ufffdb\ufffd\ufffdc"
    assert (json.dumps(outcome.headers) + outcome.snippet).encode("utf-8")


async def test_an_answer_glued_to_another_is_not_taken_for_the_next_one(receiver: Receiver, poster: Poster) -> None:
    for _ in range(3):
        assert (await poster.post(request_to(receiver.url("/junk-after")))).status == 500
    assert receiver.connections == 3


# --- no usable answer


@pytest.mark.parametrize("path", ["/bad-status-line", "/1xx-flood"])
async def test_what_is_no_reasonable_http_is_a_bad_response(receiver: Receiver, poster: Poster, path: str) -> None:
    outcome = await poster.post(request_to(receiver.url(path)))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.BAD_RESPONSE)
    assert outcome.detail
    assert receiver.pushed < 16_000_000


@pytest.mark.parametrize("path", ["/hang", "/drip/0.02", "/slow/30", "/1xx-flood/0.02"])
async def test_waiting_ends_with_the_timeout(receiver: Receiver, poster: Poster, path: str) -> None:
    outcome = await poster.post(request_to(receiver.url(path), timeout_s=0.3))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.TIMEOUT)
    assert 290 <= outcome.latency_ms < 3000


async def test_a_receiver_that_does_not_read_the_request_is_a_timeout(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url("/never-read"), body=b"x" * 8_000_000, timeout_s=0.3))
    assert outcome.error_code is ErrorCode.TIMEOUT


@pytest.mark.parametrize("path", ["/reset", "/close"])
async def test_a_fresh_connection_that_ends_without_an_answer_is_not_tried_twice(
    receiver: Receiver, poster: Poster, path: str
) -> None:
    outcome = await poster.post(request_to(receiver.url(path)))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.CONNECTION_ERROR)
    assert len(receiver.received()) == 1


async def test_nobody_listening_is_a_connection_error(poster: Poster) -> None:
    async with Receiver() as closed:
        url = closed.url()
    outcome = await poster.post(request_to(url))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.CONNECTION_ERROR)


async def test_a_cancelled_post_closes_its_connection(receiver: Receiver, poster: Poster) -> None:
    post = asyncio.create_task(poster.post(request_to(receiver.url("/hang"))))
    await receiver.wait_for(1)
    post.cancel()
    with pytest.raises(asyncio.CancelledError):
        await post
    await until(lambda: receiver.open_connections == 0)


# --- kept connections


async def test_a_connection_is_used_again(receiver: Receiver, poster: Poster) -> None:
    for _ in range(5):
        assert (await poster.post(request_to(receiver.url()))).status == 200
    assert receiver.connections == 1


async def test_an_idle_connection_closed_by_its_receiver_is_no_failure(receiver: Receiver, poster: Poster) -> None:
    for _ in range(20):
        assert (await poster.post(request_to(receiver.url("/close-after")))).status == 200
    assert len(receiver.received()) == 20


async def test_a_reused_connection_that_ends_unanswered_sends_the_same_request_once_more(
    receiver: Receiver, poster: Poster
) -> None:
    assert (await poster.post(request_to(receiver.url("/close-on-reuse"), body=b"1"))).status == 200
    assert (await poster.post(request_to(receiver.url("/close-on-reuse"), body=b"2"))).status == 200
    assert [(got.body, got.connection) for got in receiver.received()] == [(b"1", 1), (b"2", 1), (b"2", 2)]
    assert receiver.received()[1].headers == receiver.received()[2].headers


async def test_a_second_try_is_the_last(receiver: Receiver, poster: Poster) -> None:
    receiver.script("/x", "/ok", "/close")
    assert (await poster.post(request_to(receiver.url("/x")))).status == 200
    assert (await poster.post(request_to(receiver.url("/x")))).error_code is ErrorCode.CONNECTION_ERROR
    assert len(receiver.received()) == 3


async def test_an_idle_connection_grows_old_and_is_closed(receiver: Receiver) -> None:
    pool = Pool(idle_s=0.05)
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")), pool=pool, ssl_context=TRUST)
    await asyncio.gather(*[poster.post(request_to(receiver.url())) for _ in range(3)])
    assert len(pool) == 3
    await until(lambda: len(pool) == 0)
    await poster.post(request_to(receiver.url()))
    assert receiver.connections == 4
    await poster.close()
    assert len(pool) == 0


async def test_not_more_connections_are_kept_than_a_place_may_have(receiver: Receiver) -> None:
    pool = Pool(per_key=8)
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")), pool=pool, ssl_context=TRUST)
    outcomes = await asyncio.gather(*[poster.post(request_to(receiver.url("/slow/0.2"))) for _ in range(12)])
    assert {outcome.status for outcome in outcomes} == {200}
    assert receiver.connections > 8
    assert len(pool) == 8
    await poster.close()


# --- names


async def test_a_private_target_is_refused_whatever_was_stored(receiver: Receiver) -> None:
    poster = Poster(Guard(Allowed()), ssl_context=TRUST)
    for url in (
        receiver.url(),
        receiver.url().replace("http", "https"),
        "https://[::1]/",
        "http://example.com/",
        "nonsense",
    ):
        assert (await poster.post(request_to(url))).error_code is ErrorCode.TARGET_REFUSED
    assert receiver.connections == 0
    await poster.close()


async def test_a_name_that_turns_private_after_it_was_checked_is_refused(receiver: Receiver) -> None:
    """DNS rebinding: the answer at connect time is what counts, and it is the very address connected to."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    guard = Guard(Allowed())
    url = guard.check_target(f"https://rebind.example.com:{receiver.port}/ok")
    resolver = Resolver(lambda host: next(answers))
    assert await resolver.addresses("warm.example.com") == ("8.8.8.8",)
    poster = Poster(guard, resolver=resolver, ssl_context=TRUST)
    outcome = await poster.post(request_to(url))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.TARGET_REFUSED)
    assert receiver.connections == 0
    await poster.close()


@pytest.mark.parametrize(
    "answer", ["localhost", "127.1", "::1%lo", "fe80::1%lo", "0x7f000001", "", "::ffff:127.0.0.1", "0.0.0.0"]
)
async def test_an_odd_answer_of_the_resolver_is_refused(receiver: Receiver, answer: str) -> None:
    poster = poster_with(lambda host: [answer], "")
    outcome = await poster.post(request_to(f"https://odd.example.com:{receiver.port}/ok"))
    assert outcome.error_code is ErrorCode.TARGET_REFUSED
    assert receiver.connections == 0
    await poster.close()


async def test_of_a_mixed_answer_only_the_allowed_addresses_are_used(receiver: Receiver) -> None:
    poster = poster_with(
        lambda host: ["10.0.0.1", "169.254.169.254", "::1", "127.0.0.1"], "127.0.0.1,mixed.example.com:1"
    )
    guard_allows_http = Guard(Allowed.parse(f"127.0.0.1,mixed.example.com:{receiver.port}"))
    assert guard_allows_http.check_target(receiver.url(host="mixed.example.com"))
    assert (await poster.post(request_to(receiver.url(host="localhost")))).status == 200
    await poster.close()


async def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    poster = poster_with(lambda host: ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    assert (await poster.post(request_to(receiver.url(host="localhost")))).status == 200
    await poster.close()


async def test_a_name_that_is_not_found_is_a_dns_error_and_is_remembered_shortly() -> None:
    asked: list[str] = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        raise OSError(-2, "Name or service not known")

    poster = poster_with(lookup)
    for _ in range(3):
        outcome = await poster.post(request_to("https://missing.example.com/"))
        assert (outcome.error_code, outcome.detail) == (
            ErrorCode.DNS_ERROR,
            "missing.example.com: Name or service not known",
        )
    assert asked == ["missing.example.com"]
    await poster.close()


async def test_callers_share_one_look_up_and_its_answer(receiver: Receiver) -> None:
    asked: list[str] = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        time.sleep(0.05)
        return ["127.0.0.1"]

    poster = poster_with(lookup)
    await asyncio.gather(*[poster.post(request_to(receiver.url(host="localhost"))) for _ in range(10)])
    assert (asked, len(receiver.received())) == (["localhost"], 10)
    await poster.close()


async def test_names_that_hang_do_not_delay_the_others(receiver: Receiver) -> None:
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        if host.startswith("hang"):
            release.wait(20)
            raise OSError("too late")
        return ["127.0.0.1"]

    poster = poster_with(lookup, threads=4, limit_s=0.2)
    try:
        for _ in range(2):
            hanging = [poster.post(request_to(f"https://hang{n}.example.com/", timeout_s=5)) for n in range(3)]
            outcomes, healthy = await asyncio.gather(
                asyncio.gather(*hanging), poster.post(request_to(receiver.url(host="localhost"), timeout_s=5))
            )
            assert {outcome.error_code for outcome in outcomes} == {ErrorCode.DNS_ERROR}
            assert healthy.status == 200
    finally:
        release.set()
        await poster.close()


async def test_a_name_that_hung_waits_apart_the_next_time() -> None:
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        if host == "hang":
            release.wait(20)
        return ["127.0.0.1"]

    resolver = Resolver(lookup, threads=1, limit_s=0.1, keep_failure_s=0)
    with pytest.raises(LookupFailed, match="took longer"):
        await resolver.addresses("hang")
    release.set()
    await until(lambda: not resolver._running)
    resolver._known.clear()
    release.clear()
    hanging = asyncio.create_task(resolver.addresses("hang"))
    await asyncio.sleep(0)
    assert await resolver.addresses("healthy") == ("127.0.0.1",)
    with pytest.raises(LookupFailed, match="took longer"):
        await hanging
    release.set()
    resolver.close()


async def test_a_slow_look_up_counts_against_the_timeout() -> None:
    release = threading.Event()
    poster = poster_with(lambda host: [str(release.wait(20))])
    outcome = await poster.post(request_to("https://slow.example.com/", timeout_s=0.2))
    assert outcome.error_code is ErrorCode.TIMEOUT
    release.set()
    await poster.close()


async def test_a_failed_look_up_says_why() -> None:
    resolver = Resolver(lambda host: [])
    with pytest.raises(LookupFailed, match="no address"):
        await resolver.addresses("empty.example.com")
    resolver.close()


# --- TLS


def server_context(*names: str, authority: trustme.CA = AUTHORITY, days: int = 1) -> ssl.SSLContext:
    now = dt.datetime.now(dt.UTC)
    start = now - dt.timedelta(days=10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert(*names, not_before=start, not_after=now + dt.timedelta(days=days))
    certificate.configure_cert(context)
    return context


async def secure_outcome(poster: Poster, context: ssl.SSLContext, host: str = "localhost") -> Outcome:
    async with Receiver(tls=context) as receiver:
        return await poster.post(request_to(receiver.url(host=host)))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_valid_certificate_of_a_name_or_an_address_is_accepted(poster: Poster, name: str) -> None:
    async with Receiver(tls=server_context(name)) as receiver:
        for _ in range(3):
            assert (await poster.post(request_to(receiver.url(host=name)))).status == 200
        assert receiver.connections == 1
        assert (await poster.post(request_to(receiver.url("/huge", host=name)))).status == 200
        assert (await poster.post(request_to(receiver.url("/close-on-reuse", host=name)))).status == 200
        assert (await poster.post(request_to(receiver.url("/close-on-reuse", host=name)))).status == 200


async def test_a_certificate_that_does_not_hold_is_a_tls_error_with_its_reason(poster: Poster) -> None:
    expired = await secure_outcome(poster, server_context("localhost", days=-1))
    assert (expired.status, expired.error_code) == (None, ErrorCode.TLS_ERROR)
    assert "expired" in (expired.detail or "")
    other = await secure_outcome(poster, server_context("other.example.com"))
    assert (other.error_code, "ostname" in (other.detail or "")) == (ErrorCode.TLS_ERROR, True)
    unknown = await secure_outcome(poster, server_context("localhost", authority=trustme.CA()))
    assert unknown.error_code is ErrorCode.TLS_ERROR


async def test_a_plain_port_is_never_spoken_to_in_plain(receiver: Receiver, poster: Poster) -> None:
    outcome = await poster.post(request_to(receiver.url().replace("http:", "https:")))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.TLS_ERROR)
    assert receiver.received() == []


async def test_a_handshake_that_never_ends_is_a_timeout(poster: Poster) -> None:
    async with Receiver(silent=True) as silent:
        outcome = await poster.post(request_to(silent.url().replace("http:", "https:"), timeout_s=0.3))
    assert outcome.error_code is ErrorCode.TIMEOUT


def test_the_systems_certificates_are_trusted_and_a_named_file_must_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert trusting_context().verify_mode is ssl.CERT_REQUIRED
    file = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(StartError, match="SSL_CERT_FILE"):
        trusting_context()
    AUTHORITY.cert_pem.write_to_path(file)
    assert trusting_context().check_hostname


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_tls_session_is_taken_up_again_where_the_connection_was_not_kept(version: ssl.TLSVersion) -> None:
    reused: list[bool | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reused.append(writer.get_extra_info("ssl_object").session_reused)
        await reader.readuntil(b'{"a":1}')
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.maximum_version = version
    AUTHORITY.issue_cert("localhost").configure_cert(accepting)
    trusting = trusting_context()
    AUTHORITY.configure_trust(trusting)
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8,[::1]")), ssl_context=trusting)
    async with await asyncio.start_server(answer, "localhost", 0, ssl=accepting) as server:
        port = server.sockets[0].getsockname()[1]
        for _ in range(3):
            outcome = await poster.post(request_to(f"https://localhost:{port}/"))
            assert outcome.status == 200, outcome
    await poster.close()

    assert reused == [False, True, True]


async def test_nothing_is_left_behind(poster: Poster) -> None:
    """Warnings are errors: a transport that was not closed would show here."""
    async with Receiver() as receiver:
        for path in ("/ok", "/reset", "/huge", "/short-body"):
            await poster.post(request_to(receiver.url(path)))
    await poster.close()
    gc.collect()
    await until(lambda: len(asyncio.all_tasks()) == 1)
