"""The personal link."""

from __future__ import annotations

import base64

from relay.producers.testimonials.links import SALT, Links
from relay.store.secrets import Secrets

LINKS = Links(Secrets(["first key"]), "https://relay.example.com")


def test_a_token_is_the_same_every_time_and_names_its_invitation() -> None:
    token = LINKS.token("inv_1", 3)
    assert token == LINKS.token("inv_1", 3)
    assert LINKS.read(token) == ("inv_1", 3)
    assert LINKS.url(token) == f"https://relay.example.com/r/{token}"


def test_a_changed_token_is_not_ours() -> None:
    token = LINKS.token("inv_1", 1)
    payload, _, signature = token.rpartition(".")
    other = base64.urlsafe_b64encode(b'["inv_2",1]').decode().rstrip("=")
    for forged in ("", ".", payload, f"{other}.{signature}", token[:-4], token + "=", "\x00", "a" * 300):
        assert LINKS.read(forged) is None


def test_a_token_of_another_purpose_is_not_a_link() -> None:
    signer = Secrets(["first key"]).signer("something else")
    assert LINKS.read(str(signer.dumps(["inv_1", 1]))) is None
    same = Secrets(["first key"]).signer(SALT)
    assert LINKS.read(str(same.dumps(["inv_1", 1]))) is not None


def test_links_outlive_a_new_key() -> None:
    rotated = Links(Secrets(["second key", "first key"]), "https://relay.example.com")
    assert rotated.read(LINKS.token("inv_1", 1)) == ("inv_1", 1)
    assert Links(Secrets(["second key"]), "").read(LINKS.token("inv_1", 1)) is None
