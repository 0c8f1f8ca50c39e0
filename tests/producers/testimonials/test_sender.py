"""Who mails come from: read once at the start, and the same name and address at the other end."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.utils import getaddresses, parseaddr
from pathlib import Path

import pytest

from relay.core.errors import StartError
from relay.core.sender import parse_sender
from relay.settings import load_settings
from tests.conftest import StartRelay
from tests.producers.testimonials.mail_server import mail_server

GOOD = {
    "relay@example.com": ("", "relay@example.com"),
    "<relay@example.com>": ("", "relay@example.com"),
    "Acme Stories <relay@example.com>": ("Acme Stories", "relay@example.com"),
    "Acme, Inc. <relay@example.com>": ("Acme, Inc.", "relay@example.com"),
    '"Acme, Inc." <relay@example.com>': ("Acme, Inc.", "relay@example.com"),
    '"Acme \\"The\\" \\\\ Inc." <relay@example.com>': ('Acme "The" \\ Inc.', "relay@example.com"),
    'Acme "The Best" Inc. <relay@example.com>': ('Acme "The Best" Inc.', "relay@example.com"),
    "Back\\slash <relay@example.com>": ("Back\\slash", "relay@example.com"),
    "Acme (Testimonials); @home: [x] <relay@example.com>": ("Acme (Testimonials); @home: [x]", "relay@example.com"),
    "Zoë <relay@example.com>": ("Zoë", "relay@example.com"),
    "Zoë; Team <relay@example.com>": ("Zoë; Team", "relay@example.com"),
    'Zoë, "the" (best) <relay@example.com>': ('Zoë, "the" (best)', "relay@example.com"),
    "日本語の名前 株式会社, とても長い名前です、本当に長い名前 <relay@example.com>": (
        "日本語の名前 株式会社, とても長い名前です、本当に長い名前",
        "relay@example.com",
    ),
    "=?utf-8?q?Zo?= <relay@example.com>": ("=?utf-8?q?Zo?=", "relay@example.com"),
    "Acme's & Sons <relay+mail@example.com>": ("Acme's & Sons", "relay+mail@example.com"),
    "Long, " + "long " * 35 + "<relay@example.com>": ("Long, " + ("long " * 35).strip(), "relay@example.com"),
    "Acme <relay@bücher.example>": ("Acme", "relay@xn--bcher-kva.example"),
    "relay@localhost": ("", "relay@localhost"),
    "Relay <relay@box.local>": ("Relay", "relay@box.local"),
    '"two words"@example.com': ("", '"two words"@example.com'),
}


def read(header: str) -> tuple[str, str]:
    """Name and address as a mail program reads them."""
    name, address = parseaddr("".join(header.splitlines()))
    return str(make_header(decode_header(name))), address


@pytest.mark.parametrize("text", GOOD)
async def test_the_sender_arrives_as_it_was_meant(start_relay: StartRelay, text: str) -> None:
    """Over a real mail server, which is told the bare address."""
    async with mail_server() as server, start_relay(smtp_url=server.url, mail_from=text) as relay:
        customer = {"customer_email": "dana@example.com", "customer_name": "Dana"}
        await relay.json("POST", "/v1/invitations", customer)
        await server.until(1)
        [received] = server.mails
    assert read(dict(received.raw_items())["From"]) == GOOD[text]
    assert received["Message-ID"].rpartition("@")[2] == GOOD[text][1].rpartition("@")[2] + ">"


@pytest.mark.parametrize("text", GOOD)
def test_a_header_is_ascii_in_short_lines_and_nothing_but_a_sender(text: str) -> None:
    sender = parse_sender(text)
    lines = sender.header.split("\r\n")
    assert sender.header.isascii()
    assert all(line.startswith(" ") for line in lines[1:])
    assert all(len(line) < 250 for line in lines)
    assert read(sender.header) == GOOD[text]
    assert len(getaddresses([sender.header])) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Acme", "'Acme' is none"),
        ("Acme <>", "is none"),
        ("Acme <relay>", "is none"),
        ("relay@example.com (Acme)", "is none"),
        ("Acme <relay@example.com> Inc.", "is none"),
        ("a@example.com, b@example.com", "is none"),
        ("Acme <relay@exa mple.com>", "is none"),
        ("Acme <relay@-example.com>", "is none"),
        ("Acme <re..lay@example.com>", "is none"),
        ("Acme <zoë@example.com>", "only ASCII letters before its @"),
        ("Acme\r\nBcc: eve@example.com <relay@example.com>", "control characters"),
        ("Acme\x00 <relay@example.com>", "control characters"),
        ("Acme \u202e <relay@example.com>", "control characters"),
        ("A" * 201 + " <relay@example.com>", "a name of more than 200"),
    ],
)
def test_what_cannot_be_a_sender_is_refused_at_the_start(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(StartError, match=r"^RELAY_MAIL_FROM must ") as refused:
        load_settings(mail_from=text, data_dir=tmp_path)
    assert why in refused.value.message
    assert refused.value.message.isprintable()
