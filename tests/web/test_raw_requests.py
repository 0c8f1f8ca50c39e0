"""Requests no client library would send. They hold aiohttp to what was observed of it, so that an upgrade is seen."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.web.toy_site import Site

HOST = b"Host: x\r\n"
SMUGGLING = {
    "transfer encoding and length": b"POST /notes HTTP/1.1\r\n%sContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n0\r\n\r\n",
    "two lengths": b"POST /notes HTTP/1.1\r\n%sContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two equal lengths": b"POST /notes HTTP/1.1\r\n%sContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "list of lengths": b"POST /notes HTTP/1.1\r\n%sContent-Length: 2, 2\r\n\r\n{}",
    "signed length": b"POST /notes HTTP/1.1\r\n%sContent-Length: +2\r\n\r\n{}",
    "negative length": b"POST /notes HTTP/1.1\r\n%sContent-Length: -2\r\n\r\n{}",
    "hexadecimal length": b"POST /notes HTTP/1.1\r\n%sContent-Length: 0x2\r\n\r\n{}",
    "length with underscore": b"POST /notes HTTP/1.1\r\n%sContent-Length: 1_0\r\n\r\n{}        ",
    "blank before the colon": b"POST /notes HTTP/1.1\r\n%sContent-Length : 2\r\n\r\n{}",
    "folded header": b"GET /notes/number HTTP/1.1\r\n%sX-A: 1\r\n 2\r\n\r\n",
    "nul in header": b"GET /notes/number HTTP/1.1\r\n%sX-A: a\x00b\r\n\r\n",
    "carriage return in header": b"GET /notes/number HTTP/1.1\r\n%sX-A: a\rb\r\n\r\n",
    "two hosts": b"GET /notes/number HTTP/1.1\r\n%sHost: y\r\n\r\n",
    "header without a name": b"GET /notes/number HTTP/1.1\r\n%s: x\r\n\r\n",
    "nonsense version": b"GET /notes/number HTTP/9.9x\r\n%s\r\n",
    "blank in method": b"GE T /notes/number HTTP/1.1\r\n%s\r\n",
    "nul in path": b"GET /notes/\x00 HTTP/1.1\r\n%s\r\n",
    "tls to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%s",
}


async def test_a_request_two_servers_could_read_differently_is_400(site: Site) -> None:
    taken = {}
    for name, sent in SMUGGLING.items():
        answer = await site.raw(sent.replace(b"%s", HOST))
        if answer.split(b" ", 2)[1] != b"400" or b"Traceback" in answer or b"\r\n\r\nHTTP/1." in answer:
            taken[name] = answer
    assert taken == {}


@pytest.mark.parametrize(
    "chunk", [b"+2\r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}x\r\n0\r\n\r\n"]
)
async def test_a_broken_chunk_is_400(site: Site, chunk: bytes) -> None:
    head = b"POST /notes HTTP/1.1\r\nHost: x\r\nX-API-Key: " + site.key.encode()
    answer = await site.raw(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    assert answer.split(b" ", 2)[1] == b"400"


@pytest.mark.parametrize("target", [b"*", b"http://elsewhere/notes/number", b"//x:99999/", b"/notes/number?limit=%ff"])
async def test_an_odd_request_target_never_is_a_500(site: Site, target: bytes) -> None:
    answer = await site.raw(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] in (b"200", b"400", b"404", b"405")


@pytest.mark.parametrize(
    "host", [b"Host: a b\r\n", b"Host: [::1\r\n", b"Host: x:99999\r\n", b"Host:\r\n", b"Host: \xff\r\n"]
)
async def test_an_odd_host_never_is_a_500(site: Site, host: bytes) -> None:
    answer = await site.raw(b"GET /notes/number HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] in (b"200", b"400")


async def test_bytes_that_are_no_ascii_in_a_key_header_are_a_401(site: Site) -> None:
    answer = await site.raw(
        b"GET /notes/x HTTP/1.1\r\nHost: x\r\nX-API-Key: rsk_\xff\xfe0123456789abcdef\r\nConnection: close\r\n\r\n"
    )
    assert answer.split(b" ", 2)[1] == b"401"


async def test_an_expectation_is_met_or_refused(site: Site) -> None:
    head = (
        b"POST /notes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nX-API-Key: " + site.key.encode()
    )
    answer = await site.raw(head + b"\r\nExpect: 100-continue\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    for expectation in (b"a-miracle", b"100-continue, a-miracle"):
        answer = await site.raw(head + b"\r\nExpect: " + expectation + b"\r\n\r\n{}")
        assert told(answer, "/notes") == 417


def told(answer: bytes, path: str) -> int:
    """The status of an error that has the shape of the API that owns the path, and ends the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    version, status, _ = lines[0].split(" ", 2)
    assert version == "HTTP/1.1"
    assert headers["Connection"] == "close"
    assert (headers["Server"], headers["X-Content-Type-Options"]) == ("relay", "nosniff")
    assert int(headers["Content-Length"]) == len(body)
    members = json.loads(body)
    if path.startswith("/ledger"):
        assert headers["Content-Type"].startswith("application/problem+json")
        assert (members.keys(), members["status"]) == ({"title", "status", "errors"}, int(status))
    elif path.startswith("/notes"):
        assert members.keys() == {"error"}
    else:
        assert (members.keys(), members["status"]) == ({"error", "status"}, int(status))
    assert b"aaaa" not in body  # nobody's text is said back
    return int(status)


REFUSED = {
    "a path of 9 KB": (b"GET %s/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a query of 9 KB": (b"GET %s?q=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an address of 300 KB": (b"GET %s/" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an address without an end": (b"GET %s/" + b"a" * 20_000, 414),
    "a whole URL of 9 KB": (b"GET http://x%s/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a header of 9 KB": (b"GET %s HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "a header of 300 KB": (b"GET %s HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 300_000 + b"\r\n\r\n", 431),
    "a name of 9 KB": (b"GET %s HTTP/1.1\r\nHost: x\r\n" + b"a" * 9000 + b": x\r\n\r\n", 431),
    "500 headers": (b"GET %s HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 500 + b"\r\n", 431),
    "an unknown method": (b"BREW %s HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "a method in lower case": (b"get %s HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "no version": (b"GET %s\r\n\r\n", 505),
    "HTTP/0.9": (b"GET %s HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    "HTTP/2.0": (b"GET %s HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/3.0": (b"GET %s HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/1.2": (b"GET %s HTTP/1.2\r\nHost: x\r\n\r\n", 505),
    "HTTP/x": (b"GET %s HTTP/x\r\nHost: x\r\n\r\n", 400),
    "no host": (b"GET %s HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET %s HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a broken chunk that nobody reads": (
        b"GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "an unknown transfer coding": (b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}", 400),
    "chunked twice": (b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "an unknown expectation": (b"POST %s HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 417),
}


@pytest.mark.parametrize("path", ["/notes/number", "/ledger", "/nowhere"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_never_becomes_a_request_is_told_in_the_shape_of_its_api(site: Site, name: str, path: str) -> None:
    sent, status = REFUSED[name]
    assert told(await site.raw(sent.replace(b"%s", path.encode())), path) == status


async def test_the_path_is_known_wherever_the_bytes_are_cut(site: Site) -> None:
    sent = b"GET /ledger?q=1 HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 500
    for size in (1, 7, 100):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        for at in range(0, 60, size):
            writer.write(sent[at : min(at + size, 60)])
            await asyncio.sleep(0)
        writer.write(sent[60:])
        assert told(await reader.read(), "/ledger") == 431
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_cannot_be_read_after_a_good_one_is_told_for_itself(site: Site) -> None:
    """On a connection that is kept, with a body before it."""
    good = b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\nX-API-Key: " + site.key.encode() + b"\r\n\r\n"
    body = b'{"payload":"' + b"x" * 29_986 + b'"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(good)
    for at in range(0, len(body), 10_000):
        writer.write(body[at : at + 10_000])
        await asyncio.sleep(0.01)
    first = await reader.readuntil(b'"workspace":"')
    assert first.startswith(b"HTTP/1.1 200 OK")
    await reader.readuntil(b'"}')
    writer.write(b"GET /ledger/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert told(await reader.read(), "/ledger") == 414
    writer.close()
    await writer.wait_closed()


async def test_bytes_after_the_refusal_are_read_and_forgotten(site: Site) -> None:
    """A connection that is closed while bytes still come in is reset, and the answer is lost with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /ledger HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000)
    for _ in range(50):
        writer.write(b"a" * 50_000)
        await writer.drain()
    assert told(await reader.read(), "/ledger") == 431
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, br", b"gzip, gzip", b"x", b"\xff"])
async def test_a_coding_that_is_not_known_is_415(site: Site, coding: bytes) -> None:
    head = b"POST /ledger HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-API-Key: " + site.key.encode()
    answer = await site.raw(head + b"\r\nContent-Encoding: " + coding + b"\r\n\r\n{}")
    assert told(answer, "/ledger") == 415
    assert b"\r\nAccept-Encoding: gzip, deflate\r\n" in answer


async def test_a_transfer_coding_before_the_chunks_is_501(site: Site) -> None:
    head = b"POST /ledger HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\nX-API-Key: " + site.key.encode()
    assert told(await site.raw(head + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "/ledger") == 501
