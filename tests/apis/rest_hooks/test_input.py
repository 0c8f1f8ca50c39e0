"""What subscribe takes, and what it says about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from relay.apis.rest_hooks.input import ANY_EVENT_TYPE_TEXT, App, Hook, app_of, read_hook
from relay.apis.rest_hooks.storefronts import STOREFRONTS
from relay.core.errors import InputError
from relay.outbound.guard import Allowed, Guard

TARGET = "https://hooks.zapier.com/hooks/catch/123/abc"
KNOWN = {"review.created", "rating.dropped", "clip.approved"}
REVIEW = {"target_url": TARGET, "store": "apple", "app_id": "284882215", "event_type": "review.created"}
RATING = {**REVIEW, "event_type": "rating.dropped", "threshold": 4.5}
CLIP = {"target_url": TARGET, "event_type": "clip.approved"}
GUARD = Guard(Allowed.parse("10.1.0.0/16"))


def read(body: dict[str, Any]) -> Hook:
    return read_hook(body, GUARD.check_target, KNOWN.__contains__)


def refusal(body: dict[str, Any]) -> str:
    with pytest.raises(InputError) as raised:
        read(body)
    return raised.value.message


PRIVATE = "target_url must not point to a private network"
NO_URL = "target_url must be an http or https URL"
STORE = "store must be apple or google"
APPLE_ID = "app_id must be digits for apple"
GOOGLE_ID = "app_id must be a package name for google"
TYPE = "event_type must be review.created or rating.dropped"
COUNTRY = "country must be a two-letter storefront code"
MIN_STARS = "min_stars must be between 1 and 5"
MAX_STARS = "max_stars must be between 1 and 5"
RULE = "rating.dropped needs threshold or delta"
THRESHOLD = "threshold must be between 1 and 5"
DELTA = "delta must be between 0 and 4"


STARS: list[Any] = [0, 6, -1, 2.5, "2.5", "many", True, [1], "٣", 1e300]
THRESHOLDS: list[Any] = [0, 0.99, 5.01, "low", True, [4]]
DELTAS: list[Any] = [-0.1, 4.1, "-1", "NaN", "Infinity", False]


@pytest.mark.parametrize(
    ("base", "change", "text"),
    [
        (REVIEW, {"target_url": None}, "target_url is required"),
        (REVIEW, {"target_url": ""}, "target_url is required"),
        (REVIEW, {"target_url": 5}, NO_URL),
        (REVIEW, {"target_url": "example.com/a"}, NO_URL),
        (REVIEW, {"target_url": "ftp://example.com/a"}, NO_URL),
        (REVIEW, {"target_url": "javascript:alert(1)"}, NO_URL),
        (REVIEW, {"target_url": "https://"}, NO_URL),
        (REVIEW, {"target_url": "https:///path"}, NO_URL),
        (REVIEW, {"target_url": "https://localhost/a"}, PRIVATE),
        (REVIEW, {"target_url": "https://127.0.0.1/a"}, PRIVATE),
        (REVIEW, {"target_url": "https://10.0.0.1/a"}, PRIVATE),
        (REVIEW, {"target_url": "https://[::1]/a"}, PRIVATE),
        (REVIEW, {"target_url": "https://169.254.169.254/latest"}, PRIVATE),
        (REVIEW, {"store": None}, STORE),
        (REVIEW, {"store": "Apple"}, STORE),
        (REVIEW, {"store": "amazon"}, STORE),
        (REVIEW, {"store": 1}, STORE),
        (REVIEW, {"store": ["apple"]}, STORE),
        (REVIEW, {"app_id": None}, "app_id is required"),
        (REVIEW, {"app_id": ""}, "app_id is required"),
        (REVIEW, {"app_id": "com.acme.notes"}, APPLE_ID),
        (REVIEW, {"app_id": "12٥"}, APPLE_ID),
        (REVIEW, {"app_id": True}, APPLE_ID),
        (REVIEW, {"app_id": -5}, APPLE_ID),
        (REVIEW, {"store": "google"}, GOOGLE_ID),
        (REVIEW, {"store": "google", "app_id": "notes"}, GOOGLE_ID),
        (REVIEW, {"store": "google", "app_id": "com..notes"}, GOOGLE_ID),
        (REVIEW, {"event_type": "review.deleted"}, TYPE),
        (REVIEW, {"event_type": None}, TYPE),
        (REVIEW, {"event_type": ["review.created"]}, TYPE),
        (REVIEW, {"country": "usa"}, COUNTRY),
        (REVIEW, {"country": "uk"}, COUNTRY),
        (REVIEW, {"country": 1}, COUNTRY),
        *[(REVIEW, {"min_stars": bad}, MIN_STARS) for bad in STARS],
        *[(REVIEW, {"max_stars": bad}, MAX_STARS) for bad in STARS],
        (REVIEW, {"min_stars": 4, "max_stars": 3}, "min_stars must not be greater than max_stars"),
        (RATING, {"threshold": None}, RULE),
        (RATING, {"threshold": ""}, RULE),
        *[(RATING, {"threshold": bad}, THRESHOLD) for bad in THRESHOLDS],
        *[(RATING, {"delta": bad}, DELTA) for bad in DELTAS],
        (REVIEW, {"external_ref": "x" * 257}, "external_ref must be at most 256 characters"),
        (REVIEW, {"external_ref": {"a": 1}}, "external_ref must be at most 256 characters"),
        (REVIEW, {"external_ref": "a\0b"}, "external_ref must not contain the character 0"),
        (CLIP, {"event_type": "clip.unknown"}, ANY_EVENT_TYPE_TEXT),
        (CLIP, {"event_type": None}, ANY_EVENT_TYPE_TEXT),
        (CLIP, {"event_type": 7}, ANY_EVENT_TYPE_TEXT),
        (CLIP, {"event_type": "*"}, ANY_EVENT_TYPE_TEXT),
    ],
)
def test_each_mistake_has_its_text(base: dict[str, Any], change: dict[str, Any], text: str) -> None:
    """The texts are part of the contract: platforms show them to the person who builds the flow."""
    assert refusal(base | change) == text


def test_the_first_mistake_is_the_one_that_is_told() -> None:
    """Mend one after the other and the texts come in the order of the contract."""
    body: dict[str, Any] = {"min_stars": 9, "max_stars": 0, "country": "xx", "external_ref": "x" * 300}
    body |= {"store": "shop", "event_type": "nothing"}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("target_url is required", {"target_url": "nowhere"}),
        (NO_URL, {"target_url": "https://10.0.0.1/"}),
        (PRIVATE, {"target_url": TARGET}),
        (STORE, {"store": "google"}),
        ("app_id is required", {"app_id": "123"}),
        (GOOGLE_ID, {"store": "apple", "app_id": "a.b"}),
        (APPLE_ID, {"app_id": "123"}),
        (TYPE, {"event_type": "review.created"}),
        (COUNTRY, {"country": "us"}),
        (MIN_STARS, {"min_stars": 4}),
        (MAX_STARS, {"max_stars": 3}),
        ("min_stars must not be greater than max_stars", {"event_type": "rating.dropped"}),
        (RULE, {"threshold": 9, "delta": 9}),
        (THRESHOLD, {"threshold": 4}),
        (DELTA, {"delta": 1}),
        ("external_ref must be at most 256 characters", {"external_ref": "x" * 256}),
    ]
    for text, mended in steps:
        assert refusal(body) == text
        body |= mended
    assert read(body).event_type == "rating.dropped"


def test_plain_http_is_refused_with_the_way_out() -> None:
    """The text names the setting, and an allow-listed target is taken, http and all."""
    assert "RELAY_ALLOW_TARGETS" in refusal(CLIP | {"target_url": "http://n8n.example.com/webhook/1"})
    assert "https" in refusal(CLIP | {"target_url": "http://n8n.example.com/webhook/1"})
    assert read(CLIP | {"target_url": "http://10.1.2.3:5678/webhook/1"}).target_url == "http://10.1.2.3:5678/webhook/1"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a/",
        "/a?x=1&y=%2F%20&y=",
        "/a%2fb%C3%A9/../c//d",
        "/?" + "q" * 2500,
        "/a?url=https://b.example/c?d",
        "/~;,:@!$'()*+=",
    ],
)
def test_a_target_is_taken_byte_for_byte(path: str) -> None:
    """Catch URLs carry their own secrets: nothing is normalised."""
    assert (
        read(CLIP | {"target_url": f"https://Hooks.Example.com{path}"}).target_url == f"https://Hooks.Example.com{path}"
    )


def test_a_review_hook_names_its_app_and_band() -> None:
    hook = read(REVIEW | {"min_stars": 1, "max_stars": 3, "country": "DE"})
    assert hook.app == App("apple", "284882215", "de")
    assert hook.conditions == {
        "equals": {"store": "apple", "app_id": "284882215"},
        "equals_if_present": {"country": "de"},
        "between": {"rating": [1, 3]},
    }
    assert app_of(hook.conditions) == hook.app


def test_the_full_band_of_stars_is_no_condition() -> None:
    """A review without stars still reaches a hook that wants all of them."""
    assert "between" not in read(REVIEW).conditions
    assert "between" not in read(REVIEW | {"min_stars": 1, "max_stars": 5}).conditions


@pytest.mark.parametrize(
    ("rules", "fall"),
    [
        ({"threshold": 4.5}, {"below": 4.5}),
        ({"threshold": None, "delta": 0}, {"by": 0}),
        ({"threshold": 4, "delta": 0.2}, {"below": 4, "by": 0.2}),
        ({"threshold": "4.5", "delta": "0.3"}, {"below": 4.5, "by": 0.3}),
    ],
)
def test_a_rating_hook_has_one_rule_or_both(rules: dict[str, Any], fall: dict[str, Any]) -> None:
    conditions = read(RATING | rules).conditions
    assert conditions["falls"] == {"from": "previous_rating", "to": "current_rating", **fall}


def test_fields_the_event_type_has_no_use_for_are_ignored() -> None:
    """No-code forms send every field they have, filled in or not."""
    assert read(RATING | {"min_stars": 99}).event_type == "rating.dropped"
    assert read(REVIEW | {"threshold": 99, "delta": "x"}).event_type == "review.created"
    hook = read(CLIP | {"store": "shop", "app_id": 1, "country": "xx", "min_stars": 99, "crumb": {"a": []}})
    assert (hook.app, hook.conditions) == (None, {})


def test_empty_strings_are_missing() -> None:
    blank = dict.fromkeys(("country", "source", "external_ref", "min_stars", "max_stars", "threshold", "delta"), "")
    assert read(REVIEW | blank) == read(REVIEW) == read(REVIEW | dict.fromkeys(blank))


def test_numbers_may_come_as_strings_and_an_app_id_as_a_number() -> None:
    assert read(REVIEW | {"min_stars": "3", "max_stars": " 4 "}).conditions["between"] == {"rating": [3, 4]}
    assert read(REVIEW | {"min_stars": 3.0}).conditions["between"] == {"rating": [3, 5]}
    assert read(REVIEW | {"app_id": 284882215}) == read(REVIEW)
    assert read(CLIP | {"external_ref": 17}).external_ref == "17"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "api"),
        ("api", "api"),
        ("zapier", "zapier"),
        ("Make", "make"),
        (" n8n ", "n8n"),
        ("activepieces", "activepieces"),
        ("pipedream", "pipedream"),
        ("workato", "workato"),
        ("power_automate", "power_automate"),
        ("something-else", "api"),
        ("../../etc", "api"),
        (5, "api"),
    ],
)
def test_a_source_is_known_or_api(given: object, kept: str) -> None:
    """It becomes the front of an id, so it is never free text."""
    assert read(CLIP | {"source": given}).source == kept


def test_the_store_fronts_are_two_letter_codes_of_every_continent() -> None:
    assert all(len(code) == 2 and code.isascii() and code.islower() for code in STOREFRONTS)
    assert len(STOREFRONTS) >= 175
    assert {"us", "gb", "ca", "au", "ie", "fr", "de", "es", "se", "br", "mx", "jp", "kr", "in"} <= STOREFRONTS
