"""How a customer is spelt."""

from __future__ import annotations

import pytest

from relay.producers.testimonials import customer


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("Dana@Example.COM", "dana@example.com"),
        ("\u00a0 dana@example.com ", "dana@example.com"),
        ("dana+tag@example.com", "dana+tag@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("dana@bücher.example", "dana@xn--bcher-kva.example"),
        ("dana@BU\u0308CHER.example", "dana@xn--bcher-kva.example"),
        ("dana@example.test", "dana@example.test"),
    ],
)
def test_an_address_has_one_spelling(text: str, email: str) -> None:
    assert customer.email(text) == email
    assert customer.email(email) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "dana",
        "dana@",
        "@example.com",
        "dana@example",
        "dana@@example.com",
        "dana@exam ple.com",
        "d..a@example.com",
        "dana@[127.0.0.1]",
        '"dana"@example.com',
        "dana@example.com\x00",
        "dana\r\n@example.com",
        "a" * 10_000 + "@b.co",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert customer.email(text) is None


@pytest.mark.parametrize("local", ["\u212aate", "\u0130nes", "zoë", "\uff44ana"])
def test_letters_that_could_become_somebody_elses_address_are_refused(local: str) -> None:
    """The Kelvin sign lower-cases to k: `Kate` with it must not be the kate who is already known."""
    assert customer.email(f"{local}@example.com") is None


def test_domains_that_look_alike_stay_apart() -> None:
    assert customer.email("dana@\u0130stanbul.example") != customer.email("dana@istanbul.example")


@pytest.mark.parametrize(
    "text", ["4155550142", "(415) 555-0142", "+1 415.555.0142", "1-415-555-0142", "1 (415)5550142"]
)
def test_a_phone_number_is_ten_digits(text: str) -> None:
    assert customer.phone(text) == "4155550142"


@pytest.mark.parametrize("text", ["", "415555014", "24155550142", "+2025550142", "114155550142", "415555O142"])
def test_what_is_no_phone_number_is_none(text: str) -> None:
    assert customer.phone(text) is None


def test_a_name_is_one_line() -> None:
    assert customer.name("Dana\r\nBcc: eve@example.com\u2028x") == "Dana Bcc: eve@example.com x"
    assert customer.name("\t\x00 ") is None
    assert customer.first_name("Dana Maria Whitlock") == "Dana"
    assert customer.first_name(None) is None
