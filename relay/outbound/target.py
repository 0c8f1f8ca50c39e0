"""A target URL, taken apart once: the guard judges, and the POST uses, the same `Target`.

RFC 3986 says where the authority ends (at the first `/`, `?` or `#`), so one regular expression splits the text, and
idna reads the host alone. Path and query are never parsed: they go out byte for byte as they were given. What two
programs could read differently (blanks, controls, backslashes, user names, `%` in the authority, odd numbers) is not
accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

import idna

from relay.core.errors import TargetError, TargetFault

MAX_URL = 4096
"""Characters; what an API allows may be less."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ufeff\ud800-\udfff]")
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]@%]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SENDABLE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, with what each one to it begins with."""

    url: str
    """ASCII; the very text that was given, unless that had other characters."""
    scheme: str
    host: str
    """Lower case, IDNA, no trailing dot; of a literal the canonical form, without brackets."""
    port: int
    head: bytes
    """What follows the method: the rest of the request line, and the Host header."""
    address: IPv4Address | IPv6Address | None
    """Set when the host is a literal address."""


def parse_target(url: object) -> Target:
    """Take a URL apart; `parse_target(parse_target(x).url)` is the same again. Raises `TargetError`."""
    if not isinstance(url, str) or not url:
        raise _malformed("url must be an https:// address")
    if len(url) > MAX_URL:
        raise TargetError(f"url must be at most {MAX_URL} characters", kind=TargetFault.TOO_LONG)
    if _UNSAFE.search(url):
        raise _malformed("url must not contain blanks, backslashes or control characters")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise _malformed("url must be an https:// address")
    scheme, authority, resource = parts[1].lower(), parts[2], parts[3]
    if scheme not in ("http", "https"):
        raise TargetError("url must be an https:// address", kind=TargetFault.SCHEME)
    if parts[4] is not None:
        raise _malformed("url must not have a #fragment")
    if "@" in authority:
        raise _malformed("url must not contain a user name or password")
    pieces = _AUTHORITY.fullmatch(authority)
    if pieces is None:
        raise _malformed("url must name a host, and optionally a port")
    host, address = _read_host(pieces[1])
    default_port = 443 if scheme == "https" else 80
    port = default_port if pieces[2] is None else int(pieces[2])
    if not 1 <= port <= 65535:
        raise _malformed("url must have a port from 1 to 65535")
    if not url.isascii():
        resource = quote(resource, safe=_SENDABLE)
        url = f"{parts[1]}://{pieces[1] if pieces[1].isascii() else host}{authority[len(pieces[1]) :]}{resource}"
        if len(url) > MAX_URL:
            raise TargetError(f"url must be at most {MAX_URL} characters", kind=TargetFault.TOO_LONG)
    shown = f"[{host}]" if isinstance(address, IPv6Address) else host
    if port != default_port:
        shown += f":{port}"
    path = resource if resource.startswith("/") else "/" + resource
    return Target(url, scheme, host, port, f" {path} HTTP/1.1\r\nHost: {shown}\r\n".encode("ascii"), address)


def _read_host(text: str) -> tuple[str, IPv4Address | IPv6Address | None]:
    if text.startswith("["):
        try:
            literal = IPv6Address(text[1:-1])
        except ValueError:
            raise _malformed("url must have a valid IPv6 address in its brackets") from None
        return str(literal), literal
    host = _ascii(text).lower().removesuffix(".")
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        # The system's resolver reads 127.1, 0x7f000001 and 017700000001 as addresses; only the plain spelling is taken.
        try:
            literal4 = ip_address(host)
        except ValueError:
            raise _malformed("url must write an IPv4 address as four plain decimal numbers") from None
        return str(literal4), literal4
    if not is_host_name(host):
        raise _malformed("url must have a valid host name")
    return host, None


def _ascii(text: str) -> str:
    """A host in ASCII, as browsers and curl have it: letters of all scripts, joiners, full-width digits, other dots."""
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        pass
    try:
        # What was allowed in 2003 is still in use: emoji, and joiners that join nothing.
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise _malformed("url must have a valid host name") from None


def is_host_name(host: str) -> bool:
    """Whether a lower-case ASCII text can be a name in the DNS, and could not be read as an address."""
    labels = host.split(".")
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])


def _malformed(message: str) -> TargetError:
    return TargetError(message, kind=TargetFault.MALFORMED)
