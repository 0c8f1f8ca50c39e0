"""What is read of an answer: the status of whatever curl takes, and whether its connection may be used again."""

from __future__ import annotations

import time

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.model import ErrorCode
from relay.outbound.answer import MAX_BODY, MAX_HEAD, MAX_SNIPPET, AnswerReader, NotHttp
from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from tests.outbound.test_post import request_to
from tests.receiver import Receiver

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def read(*pieces: bytes) -> AnswerReader:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def in_pieces(text: bytes) -> list[list[bytes]]:
    """At once, byte by byte, and in between."""
    return [[text[at : at + size] for at in range(0, len(text), size)] for size in (len(text), 1, 7, 50)]


EXACT = {
    "a length": OK + LENGTH + b"\r\nok",
    "chunks": OK + CHUNKED + b"\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX: y\r\n\r\n",
    "a name in small letters": OK + b"content-length:2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nok",
    "an interim answer": b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + LENGTH + b"\r\nok",
    "kept by HTTP/1.0": b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + LENGTH + b"\r\nok",
    "many large headers": OK + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 300) for n in range(900)) + LENGTH + b"\r\nok",
    "odd bytes in a value": OK + b"X: a\x01\xff\r\n" + LENGTH + b"\r\nok",
}
"""RFC 9112 says where each of these ends: its connection is used again."""

LENIENT = {
    "one bare line feed": b"HTTP/1.1 200 OK\r\nX: y\n" + LENGTH + b"\r\nok",
    "line feeds only": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a line feed after the status": b"HTTP/1.1 200 OK\n" + LENGTH + b"\r\nok",
    "two carriage returns": b"HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\r\n\r\r\nok",
    "a carriage return in a value": OK + b"X: a\rb\r\n" + LENGTH + b"\r\nok",
    "two equal lengths": OK + LENGTH + LENGTH + b"\r\nok",
    "a list of equal lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "two different lengths": OK + LENGTH + b"Content-Length: 300\r\n\r\nok",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\nok",
    "chunks and a length": OK + LENGTH + CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "a length and no coding": OK + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\nok",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks with line feeds": OK + CHUNKED + b"\r\n2\nok\n0\n\n",
    "a chunk that is no chunk": OK + CHUNKED + b"\r\n2\r\nok\r\nzz\r\n",
    "chunk data that goes on": OK + CHUNKED + b"\r\n2\r\nokay\r\n",
    "a folded header": OK + b"X: a\r\n b\r\n" + LENGTH + b"\r\nok",
    "a fold after the status": OK + b" X: a\r\n" + LENGTH + b"\r\nok",
    "a header without a colon": OK + b"nonsense\r\n" + LENGTH + b"\r\nok",
    "a header without a name": OK + b": y\r\n" + LENGTH + b"\r\nok",
    "a blank before the colon": OK + b"Content-Length : 2\r\n\r\nok",
    "brackets in a name": OK + b"X(y)[]: z\r\n" + LENGTH + b"\r\nok",
    "letters beyond ASCII in a name": OK + b"X\xc3\xa9: y\r\n" + LENGTH + b"\r\nok",
    "NUL": OK + b"X: a\0b\r\n" + LENGTH + b"\r\nok",
    "two blanks in the status line": b"HTTP/1.1  200 OK\r\n" + LENGTH + b"\r\nok",
    "small letters in the status line": b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nok",
    "HTTP/2 in the status line": b"HTTP/2 200\r\n" + LENGTH + b"\r\nok",
    "blank lines first": b"\r\n\n" + OK + LENGTH + b"\r\nok",
    "more than it announced": OK + LENGTH + b"\r\nok\r\n",
    "it says that it closes": OK + b"Connection: Close\r\n" + LENGTH + b"\r\nok",
    "an interim answer with a body": b"HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\n" + OK + LENGTH + b"\r\nok",
}
"""curl has the status and the body of each of these, or at least the status; nothing says for sure where it ends."""


@pytest.mark.parametrize("name", EXACT)
def test_after_an_exact_answer_its_connection_may_be_used_again(name: str) -> None:
    for reader in [read(*pieces) for pieces in in_pieces(EXACT[name])]:
        assert (reader.answer.status, reader.answer.body, reader.complete, reader.exact) == (200, b"ok", True, True)


@pytest.mark.parametrize("name", LENIENT)
def test_the_status_decides_whatever_is_odd_about_the_rest(name: str) -> None:
    for reader in [read(*pieces) for pieces in in_pieces(LENIENT[name])]:
        assert (reader.answer.status, reader.answer.body, reader.complete) == (200, b"ok", True)
        assert not reader.exact


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No\r\nContent-Length: 60\r\n\r\n",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Same\r\nContent-Length: 60\r\n\r\n",
        b"HTTP/1.1 204 No\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\n",
        b"HTTP/1.1 204 No\r\nContent-Length : 60\r\n\r\n",
        b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 410 Gone\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
)
def test_an_answer_that_may_have_no_body_and_announces_one_is_not_trusted_any_more(head: bytes) -> None:
    reader = read(head)
    assert (reader.answer.status, reader.answer.body, reader.complete) == (int(head[9:12]), b"", True)
    assert not reader.exact


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304 Same\r\nContent-Length: 0\r\n\r\n"])
def test_an_answer_without_a_body_is_exact(head: bytes) -> None:
    reader = read(head)
    assert (reader.complete, reader.exact) == (True, True)


@pytest.mark.parametrize(
    "text",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ready\r\n", b"<html>", b"HTTP/1.1 20\r\n", b"HTTP/1.1 2000 OK\r\n",
     b"HTTP 200\n", b"HTTP/1.1 099 OK\r\n", b"HTTP/1.1 OK\r\n", b"HTTPS/1.1 200 OK\r\n",
     b" HTTP/1.1 200 OK\r\n", b"\0"],
)  # fmt: skip
def test_what_is_no_http_is_noticed_with_its_first_line(text: bytes) -> None:
    for pieces in in_pieces(text):
        with pytest.raises(NotHttp):
            read(*pieces)


def test_what_is_kept_of_an_odd_head() -> None:
    reader = read(b"HTTP/1.1 429 Wait\nRetry-After:\n  120\nServer : odd \ncontent-length: 14\n\nQueue is full.")
    assert reader.answer.headers == (("retry-after", "120"), ("server", "odd"), ("content-length", "14"))
    assert reader.answer.body == b"Queue is full."


@pytest.mark.parametrize(
    ("text", "has_status"),
    [(OK, True), (OK + b"Server: x", True), (b"HTTP/1.1 500 No\n", True), (b"HTTP/1.1 200 OK", False), (b"", False),
     (b"HTTP/1.1 100 Continue\r\n", False), (b"HTTP/1.1 100 Continue\r\n\r\n", False)],
)  # fmt: skip
def test_an_end_within_the_headers_does_not_undo_the_status(text: bytes, has_status: bool) -> None:
    reader = read(text)
    assert reader.ended() is has_status
    assert not reader.exact


@pytest.mark.parametrize(
    ("head", "piece", "status"),
    [(OK + b"X: ", b"x" * 1000, 200), (OK, b"X: y\r\n", 200), (b"HTTP/1.1 503 ", b"x" * 1000, 503),
     (OK + b"X: ", b"\r", 200), (OK, b"\0\n\r", 200)],
)  # fmt: skip
def test_a_head_without_an_end_costs_little_and_its_status_decides(head: bytes, piece: bytes, status: int) -> None:
    reader = read(head)
    fed, began = 0, time.process_time()
    while not reader.complete:
        reader.feed(piece * 20)
        fed += len(piece) * 20
    assert fed < MAX_HEAD + 64 * 1024
    assert (reader.answer.status, reader.exact) == (status, False)
    assert time.process_time() - began < 5  # a search that goes back and forth takes minutes


@pytest.mark.parametrize("piece", [b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", b"\r\n"])
def test_a_flood_before_any_status_ends(piece: bytes) -> None:
    with pytest.raises(NotHttp, match="no end"):
        read(*[piece] * MAX_HEAD)


@pytest.mark.parametrize(
    ("head", "piece"),
    [(OK + b"\r\n", b"x" * 100), (OK + b"Content-Length: 999999999999999999999\r\n\r\n", b"x"),
     (OK + CHUNKED + b"\r\n", b"1"), (OK + CHUNKED + b"\r\n0\r\n", b"X: y\r\n"),
     (OK + CHUNKED + b"\r\n", b"1\r\nx\r\n")],
)  # fmt: skip
def test_a_body_without_an_end_is_cut(head: bytes, piece: bytes) -> None:
    reader = read(head)
    for _ in range(MAX_BODY + 1):
        reader.feed(piece)
        if reader.complete:
            break
    assert (reader.answer.status, reader.complete, reader.exact) == (200, True, False)
    assert len(reader.answer.body) <= MAX_SNIPPET


TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12).map(str.encode)
VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20).map(str.encode)
FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"keep-alive", b"proxy-connection"}


class Strict:
    """A strict parser, to compare with."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.body = b""
        self.complete = self.keeps = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete, self.keeps = True, self.parser.should_keep_alive()


@given(
    status=st.integers(200, 599),
    headers=st.lists(st.tuples(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE), max_size=5),
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=4),
    chunked=st.booleans(),
    last=st.sampled_from([b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"]),
    cuts=st.lists(st.integers(1, 400), max_size=4),
)
def test_a_strict_parser_reads_the_same(
    status: int, headers: list[tuple[bytes, bytes]], chunks: list[bytes], chunked: bool, last: bytes, cuts: list[int]
) -> None:
    if status in (204, 304):
        chunks, chunked = [], False
    head = b"HTTP/1.1 %d Some Reason\r\n" % status + b"".join(b"%s: %s\r\n" % header for header in headers) + last
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        whole = head + CHUNKED + b"\r\n" + body
    else:
        whole = head + b"Content-Length: %d\r\n\r\n" % sum(map(len, chunks)) + b"".join(chunks)
    strict, reader, at = Strict(), AnswerReader(), 0
    for cut in (*cuts, len(whole)):
        if whole[at : at + cut]:
            strict.parser.feed_data(whole[at : at + cut])
            reader.feed(whole[at : at + cut])
        at += cut
    assert (strict.complete, reader.complete) == (True, True)
    assert reader.answer.status == strict.parser.get_status_code() == status
    assert reader.answer.body == strict.body
    assert reader.exact == strict.keeps


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from([b"", OK, OK + b"\r\n", OK + CHUNKED + b"\r\n"]))
def test_hostile_bytes_are_an_answer_or_no_http(pieces: list[bytes], first: bytes) -> None:
    reader = AnswerReader()
    try:
        for piece in (first, *pieces):
            reader.feed(piece)
        reader.ended()
    except NotHttp:
        return
    assert not reader.answer.status or 101 <= reader.answer.status <= 999


# --- over real sockets


@pytest.mark.parametrize("name", LENIENT)
async def test_a_success_is_a_success_and_the_next_request_has_a_connection_of_its_own(name: str) -> None:
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")))
    async with Receiver() as receiver:
        receiver.say("/odd", LENIENT[name])
        outcome = await poster.post(request_to(receiver.url("/odd")))
        assert (outcome.status, outcome.error_code, outcome.snippet) == (200, None, "ok")
        assert (await poster.post(request_to(receiver.url()))).status == 200
        assert receiver.connections == 2
        await poster.close()


async def test_a_receiver_that_closes_within_its_headers_has_answered_unless_it_resets() -> None:
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")))
    async with Receiver() as receiver:
        for path, status, error in (
            ("/cut-headers", 200, None),
            ("/cut-headers/reset", None, ErrorCode.BAD_RESPONSE),
            ("/cut-status", None, ErrorCode.BAD_RESPONSE),
        ):
            outcome = await poster.post(request_to(receiver.url(path)))
            assert (outcome.status, outcome.error_code) == (status, error)
    await poster.close()
