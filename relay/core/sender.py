"""The sender of mails, read once: what stands in From, and the bare address that the mail server is told."""

from __future__ import annotations

import re
from email.header import Header
from functools import lru_cache
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

NAME_LENGTH = 200
_NAMED = re.compile(r"(?s)(.*)<([^<>]*)>\s*")
_QUOTED = re.compile(r'(?s)"((?:[^"\\]|\\.)*)"')
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class Sender(NamedTuple):
    address: str
    """ASCII, an international domain in its `xn--` form."""
    header: str
    """The value of From, ASCII, folded where it is long."""


@lru_cache(maxsize=16)
def parse_sender(text: str) -> Sender:
    """Read `relay@example.com` or `Acme, Inc. <relay@example.com>`; the name needs no quotes. Raises ValueError.

    What stands before `<` is the name as it is meant, unless all of it is in quotes.
    """
    if not text.isprintable():
        raise ValueError("must not have line ends or other control characters")
    match = _NAMED.fullmatch(text)
    name, address = (match[1].strip(), match[2].strip()) if match else ("", text.strip())
    if quoted := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    if len(name) > NAME_LENGTH:
        raise ValueError(f"must not have a name of more than {NAME_LENGTH} characters")
    plain = _ascii_address(address)
    return Sender(plain, f"{_phrase(name)} <{plain}>" if name else plain)


def _ascii_address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local.isascii():
        raise ValueError(f"must have an address with only ASCII letters before its @, and {text!r} has others")
    # Relay may well be on a network of its own, whose names (`box.local`) the library takes for no mail domains.
    is_plain = _HOST_NAME.fullmatch(domain) is not None
    try:
        found = validate_email(
            f"{local}@example.com" if is_plain else text,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=True,
        )
    except EmailNotValidError as error:
        raise ValueError(
            f"must be an address, relay@example.com, or Name <relay@example.com>: {text!r} is none ({error})"
        ) from None
    return text if is_plain else found.ascii_email or text


def _phrase(name: str) -> str:
    """A display name as RFC 5322 and 2047 want it."""
    if not name.isascii() or "=?" in name:
        return Header(name, "utf-8", header_name="From").encode(linesep="\r\n")
    if _ATOMS.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
