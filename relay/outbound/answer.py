"""Read one HTTP answer from the pieces it comes in: the status decides, whatever else is odd about it.

It takes what curl takes: bare line feeds, folded and nameless headers, lengths that are given twice or not at all. But
only an answer that keeps to RFC 9112 is `exact`, and only after such a one may its connection carry another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

MAX_HEAD = 320 * 1024
"""Bytes of status lines and headers, interim answers included: a little more than curl takes."""
MAX_SNIPPET = 4096
MAX_BODY = 64 * 1024
"""Bytes of a body and its framing: room for a snippet in one-byte chunks, none for endless trailers."""
MAX_LINE = 1024
"""Bytes of a line within a chunked body."""
MAX_HEADER_VALUE = 256
"""Characters of a header that is kept."""
REMEMBERED = 256
REMEMBERED_BYTES = 1024
"""So many heads of at most so many bytes are not read anew: a receiver says nearly the same each time."""

_KEPT = {
    name.encode("ascii"): name
    for name in (
        "cache-control",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "server",
        "x-correlation-id",
        "x-request-id",
    )
}
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_KNOWN = b"|".join(sorted(_FRAMING.union(_KEPT)))

# Quantifiers are possessive where a hostile head could make the search go back and forth.
_STATUS_LINE = re.compile(rb"HTTP/([0-9.]+)[ \t]+([1-9][0-9]{2})(?![0-9])", re.IGNORECASE)
_EXACT_HEAD = re.compile(
    rb"HTTP/1\.[01] [0-9]{3}(?: [^\r\n\0]*+)?\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[^\r\n\0]*+\r\n)*+\r\n"
)
_HEADERS = re.compile(rb"\n(" + _KNOWN + rb")[ \t]*+:[ \t]*+([^\r\n]*+)", re.IGNORECASE)
_BLANK_LINES = re.compile(rb"[\r\n]*+")
_HEAD_END = re.compile(rb"\n\r{0,2}\n")
_FOLD = re.compile(rb"\r?\n[ \t]++")
_LENGTH = re.compile(rb"\+?([0-9]{1,18})")
_CHUNK_SIZE = re.compile(rb"[ \t]*+([0-9A-Fa-f]{1,15})[ \t]*+(?:;.*)?")


class NotHttp(Exception):
    """What came is no HTTP answer."""


@dataclass(slots=True)
class Answer:
    """What was read of an answer."""

    status: int = 0
    """0 until it is known."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those worth keeping, lower-case names, cleaned text."""
    body: bytes = b""
    """Its first 4 KB at most, raw."""


class _Head(NamedTuple):
    """What a head says."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """As in `Answer`."""
    left: int | None
    """Bytes of the body; None when it ends with the connection."""
    chunked: bool
    exact: bool
    """Whether another exchange may follow, as far as the head tells."""


class _Line(Enum):
    """What the next line of a chunked body is."""

    SIZE = 1
    AFTER_DATA = 2
    TRAILER = 3


class AnswerReader:
    """Is fed with what comes in, and fills `answer`."""

    __slots__ = (
        "_body_bytes",
        "_chunked",
        "_head",
        "_head_bytes",
        "_left",
        "_line",
        "_next_line",
        "answer",
        "complete",
        "exact",
    )

    def __init__(self) -> None:
        self.answer = Answer()
        self.complete = False
        """Whether all of it is in, or all that is wanted of it."""
        self.exact = True
        """Whether there is no doubt about it so far: where it ends, and that nothing came after that."""
        self._head = bytearray()
        """What is in of a head."""
        self._head_bytes = self._body_bytes = 0
        self._left: int | None = None
        """Bytes of the body, or of one chunk, that are still to come; None for all until the connection ends."""
        self._chunked = False
        self._line = b""
        """What is in of a line within a chunked body."""
        self._next_line = _Line.SIZE

    def feed(self, data: bytes) -> None:
        """Here is more. Raises `NotHttp`."""
        if self.complete:
            self.exact = False
            return
        if not self.answer.status:
            data = self._read_head(data)
        if self.answer.status and not self.complete:
            self._read_body(data)

    def ended(self) -> bool:
        """The connection has ended in good order; whether the status came before that."""
        self.exact = False
        if not self.answer.status and b"\n" in self._head:
            self._settle_for_status()
        return self.answer.status > 0

    # --- the head

    def _read_head(self, data: bytes) -> bytes:
        """Read heads, up to the final one; what came after that."""
        self._head_bytes += len(data)
        while not self._head and (whole := _EXACT_HEAD.match(data)) is not None:  # most often it comes in one piece
            self._take_head(whole[0], exact=True)
            data = data[whole.end() :]
            if self.answer.status:
                return data
        unsearched = 0
        buffer: bytes | bytearray = data
        if self._head:
            unsearched = max(0, len(self._head) - 3)
            self._head += data
            buffer = self._head
        at = 0
        while True:
            if buffer[at : at + 1] in (b"\r", b"\n"):
                self.exact = False
                while buffer[at : at + 1] in (b"\r", b"\n"):
                    at += 1
            end = _HEAD_END.search(buffer, max(at, unsearched))
            if end is None:
                break
            head = bytes(buffer[at : end.end()])
            self._take_head(head, exact=_EXACT_HEAD.fullmatch(head) is not None)
            at = end.end()
            if self.answer.status:
                self._head = bytearray()
                return bytes(buffer[at:])
        self._head = bytearray(buffer[at:])
        begins_well = b"HTTP/".startswith(bytes(self._head[:5].upper()))
        if not begins_well or (b"\n" in self._head and not _STATUS_LINE.match(self._head)):
            raise NotHttp("it does not begin with a status line")
        if self._head_bytes > MAX_HEAD and not self._settle_for_status():
            raise NotHttp("its headers have no end")
        return b""

    def _take_head(self, head: bytes, *, exact: bool) -> None:
        """A whole head, from the status line to the blank one; `exact` when it keeps to the rules."""
        read = _remembered(head, exact) if len(head) <= REMEMBERED_BYTES else _read(head, exact)
        if not read.exact:
            self.exact = False
        if read.status >= 200 or read.status == 101:
            self.answer.status, self.answer.headers = read.status, read.headers
            self._left, self._chunked = read.left, read.chunked

    def _settle_for_status(self) -> bool:
        """The head does not end, but its status line has come: whether that makes an answer."""
        line = _STATUS_LINE.match(self._head)
        self.exact = False
        if line is None or (int(line[2]) < 200 and line[2] != b"101"):
            return False
        self.answer.status = int(line[2])
        self.complete = True
        self._head = bytearray()
        return True

    # --- the body

    def _read_body(self, data: bytes) -> None:
        if len(data) == self._left and len(data) <= MAX_SNIPPET and not self._body_bytes and not self._chunked:
            self.answer.body, self.complete = data, True
            return
        self._body_bytes += len(data)
        if self._chunked:
            self._unchunk(data)
        elif self._left is None:
            self._keep(data)
        else:
            if len(data) > self._left:
                self.exact = False
                data = data[: self._left]
            self._left -= len(data)
            self._keep(data)
            self.complete = self.complete or not self._left
        if self._body_bytes > MAX_BODY and not self.complete:
            self._cut()

    def _unchunk(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._keep(piece)
                continue
            newline = data.find(b"\n", at)
            end = len(data) if newline < 0 else newline + 1
            self._line += data[at:end]
            at = end
            if newline >= 0:
                self._take_line(self._line)
                self._line = b""
            elif len(self._line) > MAX_LINE:
                self._cut()
        if at < len(data):
            self.exact = False

    def _take_line(self, line: bytes) -> None:
        text = line.rstrip(b"\r\n")
        if line != text + b"\r\n":
            self.exact = False
        if self._next_line is _Line.SIZE:
            size = _CHUNK_SIZE.fullmatch(text)
            if size is None:
                self._cut()
                return
            self._left = int(size[1], 16)
            self._next_line = _Line.AFTER_DATA if self._left else _Line.TRAILER
        elif self._next_line is _Line.AFTER_DATA:
            self._next_line = _Line.SIZE
            if text:
                self._cut()
        elif not text:
            self.complete = True

    def _keep(self, data: bytes) -> None:
        room = MAX_SNIPPET - len(self.answer.body)
        self.answer.body += data[:room]
        if len(data) > room:
            self._cut()

    def _cut(self) -> None:
        """No more of it is wanted, or makes sense."""
        self.complete, self.exact = True, False


def clean(raw: bytes) -> str:
    """Text that every database takes: a receiver must not be able to make its own attempt unstorable."""
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _read(head: bytes, exact: bool) -> _Head:
    line = _STATUS_LINE.match(head)
    if line is None:
        raise NotHttp("it does not begin with a status line")
    status = int(line[2])
    if not exact:
        head = _FOLD.sub(b" ", head)
    kept: list[tuple[str, str]] = []
    framing: dict[bytes, bytes] = {}
    for name, value in _HEADERS.findall(head):
        name, value = name.lower(), value.rstrip()
        if name in _FRAMING:
            framing[name] = framing[name] + b"," + value if name in framing else value
        if name in _KEPT and len(kept) < len(_KEPT):
            kept.append((_KEPT[name], clean(value)[:MAX_HEADER_VALUE]))
    length, coding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
    left, chunked, is_framed = _frame(status, length, None if coding is None else coding.lower())
    connection = framing.get(b"connection", b"").lower()
    if status >= 200 or status == 101:
        old = line[1] != b"1.1"
        ends = b"close" in connection or (old and (coding is not None or b"keep-alive" not in connection))
    else:
        ends = False
    return _Head(status, tuple(kept), left, chunked, exact and is_framed and not ends)


_remembered = lru_cache(maxsize=REMEMBERED)(_read)


def _frame(status: int, length: bytes | None, coding: bytes | None) -> tuple[int | None, bool, bool]:
    """How the body is delimited (RFC 9112, 6.3): its bytes, whether it is chunked, whether there is no doubt."""
    if status < 200 or status in (204, 304):
        # It has no body, whatever it says. One that announces a body may be followed by bytes that look like the next
        # answer. After 101 what follows is no HTTP.
        return 0, False, coding is None and length in (None, b"0") and status != 101
    if coding is None and length is not None and length.isdigit() and len(length) < 19:
        return int(length), False, True
    if coding == b"chunked" and length is None:
        return 0, True, True
    # It ends with the connection, or something is said twice or wrongly: good enough for a snippet.
    codings = _items(coding) - {b"identity"}
    sizes = [int(match[1]) for item in _items(length) if (match := _LENGTH.fullmatch(item))]
    if (coding or b"").rstrip().endswith(b"chunked"):
        return 0, True, False
    return None if codings or not sizes else min(sizes), False, False


def _items(value: bytes | None) -> set[bytes]:
    """The items of a comma-separated header."""
    return {item for item in (piece.strip() for piece in (value or b"").split(b",")) if item}
