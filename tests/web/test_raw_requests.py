"""Requests no client library would send. They hold aiohttp to what was observed of it, so that an upgrade is seen."""

from __future__ import annotations

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
    "9 KB header": b"GET /notes/number HTTP/1.1\r\n%sX-A: " + b"a" * 9000 + b"\r\n\r\n",
    "9 KB path": b"GET /notes/" + b"a" * 9000 + b" HTTP/1.1\r\n%s\r\n",
    "500 headers": b"GET /notes/number HTTP/1.1\r\n%s" + b"X-A: 1\r\n" * 500 + b"\r\n",
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
    answer = await site.raw(head + b"\r\nExpect: a-miracle\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 417 ")
