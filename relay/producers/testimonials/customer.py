"""The one spelling of what a customer is known by: e-mail address, phone number, name."""

from __future__ import annotations

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

EMAIL_LENGTH = 254
NAME_LENGTH = 255

_PHONE_PUNCTUATION = re.compile(r"[\s().\-/]")
_PHONE = re.compile(r"(?:\+?1)?([0-9]{10})")
# They turn the reading direction around and could make a name show as another one; no name needs them.
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")


def email(text: str) -> str | None:
    """The identity an address stands for: lower case, ASCII (an international domain in its `xn--` form).

    None for what is no single address that mail can be sent to, and for a local part beyond ASCII: letters such as the
    Kelvin sign or a dotted capital I would lower-case into the address of somebody else. No dot or plus is folded.
    """
    if any(unicodedata.category(character) == "Cc" for character in text):
        return None
    text = text.strip()
    if not text.rpartition("@")[0].isascii():
        return None
    try:
        # Whether the domain is reserved for documentation does not matter: an operator may well try Relay with those.
        found = validate_email(
            unicodedata.normalize("NFC", text),
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
            globally_deliverable=False,
        )
    except EmailNotValidError:
        return None
    address = (found.ascii_email or "").lower()
    if "." not in address.rpartition("@")[2] or len(address) > EMAIL_LENGTH:
        return None
    return address


def phone(text: str) -> str | None:
    """Ten digits, whatever punctuation and leading 1 stood around them; None when it is not that."""
    match = _PHONE.fullmatch(_PHONE_PUNCTUATION.sub("", text))
    return match[1] if match and text.isascii() else None


def name(text: str) -> str | None:
    """A name in one line: control characters, line breaks included, become blanks. None when nothing is left."""
    text = _DIRECTION.sub("", text)
    text = "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in text)
    return " ".join(text.split()) or None


def first_name(full_name: str | None) -> str | None:
    """What to greet a customer with: the first word of the name."""
    return full_name.split()[0] if full_name else None
