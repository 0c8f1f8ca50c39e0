"""What a platform sends, checked: forgiving about form, exact about meaning, one message at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from relay.apis.rest_hooks.store_body import RATING_DROPPED, REVIEW_CREATED, STORE_TYPES
from relay.apis.rest_hooks.storefronts import STOREFRONTS
from relay.core.errors import InputError, TargetError, TargetFault

SOURCES = (
    *("api", "zapier", "make", "n8n", "activepieces", "pipedream", "workato", "power_automate"),
    *("ifttt", "integrately", "node_red", "pabbly", "zoho_flow"),
)
"""A source becomes the front of the id, so it is one of these; anything else is `api`."""
EVENT_TYPE_TEXT = "event_type must be review.created or rating.dropped"
ANY_EVENT_TYPE_TEXT = f"{EVENT_TYPE_TEXT}, or another of the types that GET /api/v1/event-types lists"
INSECURE_TEXT = "target_url must be an https URL; the operator can allow this http one with RELAY_ALLOW_TARGETS"
MOST_RECENT = 10
DEFAULT_RECENT = 3
"""How many recent events are shown: an editor looks at three."""

_APP = ("store", "app_id", "country")
_STARS = ("min_stars", "max_stars")
_RULE = ("threshold", "delta")

_DIGITS = re.compile(r"[0-9]{1,20}")
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_URL = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class App:
    """One app in one store front."""

    store: str
    app_id: str
    country: str


@dataclass(frozen=True, slots=True)
class Hook:
    """A checked subscribe request. `app` is the one it names, which the event types of the app stores have to."""

    target_url: str
    event_type: str
    source: str
    external_ref: str | None
    app: App | None
    conditions: Mapping[str, Any]
    unused: tuple[str, ...]
    """The fields that were given and have no effect with this event type."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A checked wish to see what a hook would have got."""

    event_type: str
    conditions: Mapping[str, Any]
    limit: int
    unused: tuple[str, ...]


def read_hook(
    body: Mapping[str, object], check_target: Callable[[str], str], is_event_type: Callable[[str], bool]
) -> Hook:
    """Raises InputError with the first thing that is wrong.

    An empty string is the same as null or a missing field, and a number may come as a string ("3"): form builders
    send both. A field that the event type has no use for is ignored, as is one that is not known at all; only the app
    is kept with the hook of any event type, and shown with it, because clients of the contract send one with each.
    """
    given = _given(body)
    target_url = _target(given.get("target_url"), check_target)
    event_type, conditions = _filter(given, is_event_type)
    if event_type not in STORE_TYPES and (about := _shown_app(given)):
        conditions = {"shown": about}
    app, unused = app_of(conditions), _unused(given, event_type, conditions)
    return Hook(target_url, event_type, _source(given), _external_ref(given), app, conditions, unused)


def read_recent(query: Mapping[str, str], is_event_type: Callable[[str], bool]) -> Recent:
    """Raises InputError with the first thing that is wrong, in the words of `read_hook`.

    Editors ask before their form is filled in: the app of a store event and the rule of a rating may still be missing,
    and are then not looked at. What is there has to be good.
    """
    given = {"event_type": REVIEW_CREATED, **_given(query)}
    event_type, conditions = _filter(given, is_event_type, is_half_filled=True)
    limit = _whole(given, "limit", DEFAULT_RECENT, 1, MOST_RECENT)
    return Recent(event_type, conditions, limit, _unused(given, event_type, conditions))


def app_of(conditions: Mapping[str, Any]) -> App | None:
    """The app that a stored hook names."""
    named = conditions.get("shown") or {**conditions.get("equals", {}), **conditions.get("equals_if_present", {})}
    return App(**named) if named else None


def _shown_app(given: Mapping[str, object]) -> dict[str, str]:
    """The app that a hook names without a need to: nothing when it is none."""
    try:
        store = _store(given.get("store"))
        return {"store": store, "app_id": _app_id(given), "country": _country(given.get("country"))}
    except InputError:
        return {}


def _unused(given: Mapping[str, object], event_type: str, conditions: Mapping[str, Any]) -> tuple[str, ...]:
    used: tuple[str, ...] = ()
    if event_type in STORE_TYPES:
        used = (*_APP, *(_STARS if event_type == REVIEW_CREATED else _RULE))
    elif conditions:
        used = _APP
    return tuple(name for name in (*_APP, *_STARS, *_RULE) if name in given and name not in used)


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def _filter(
    given: Mapping[str, object], is_event_type: Callable[[str], bool], *, is_half_filled: bool = False
) -> tuple[str, dict[str, Any]]:
    """The event type, and what a payload of it must meet."""
    event_type = given.get("event_type")
    if event_type in STORE_TYPES or (_names_app(given) and not _known(event_type, is_event_type)):
        app = {} if is_half_filled and not _names_app(given) else {"store": _store(given.get("store"))}
        if not is_half_filled or "app_id" in given:
            app["app_id"] = _app_id(given)
        if event_type not in STORE_TYPES:
            raise InputError(EVENT_TYPE_TEXT)
        # A producer that watches one store front need not name it.
        conditions = {"equals": app, "equals_if_present": {"country": _country(given.get("country"))}}
        if event_type == REVIEW_CREATED:
            return REVIEW_CREATED, conditions | _stars(given)
        has_rule = "threshold" in given or "delta" in given
        return RATING_DROPPED, conditions if is_half_filled and not has_rule else conditions | _fall(given)
    if not _known(event_type, is_event_type):
        raise InputError(ANY_EVENT_TYPE_TEXT)
    return str(event_type), {}


def _target(value: object, check_target: Callable[[str], str]) -> str:
    if value is None:
        raise InputError("target_url is required")
    if not isinstance(value, str) or not _URL.match(value):
        raise InputError("target_url must be an http or https URL")
    try:
        return check_target(value)
    except TargetError as error:
        if error.kind is TargetFault.INSECURE:
            raise InputError(INSECURE_TEXT) from error
        raise InputError(f"target_{error.message}") from error  # the guard calls it url


def _names_app(given: Mapping[str, object]) -> bool:
    return "store" in given or "app_id" in given


def _known(event_type: object, is_event_type: Callable[[str], bool]) -> bool:
    return isinstance(event_type, str) and is_event_type(event_type)


def _store(value: object) -> str:
    if value == "apple" or value == "google":
        return str(value)
    raise InputError("store must be apple or google")


def _app_id(given: Mapping[str, object]) -> str:
    value = given.get("app_id")
    if value is None:
        raise InputError("app_id is required")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = value.strip() if isinstance(value, str) else ""
    if given["store"] == "apple":
        if not _DIGITS.fullmatch(text):
            raise InputError("app_id must be digits for apple")
    elif len(text) > 255 or not _PACKAGE.fullmatch(text):
        raise InputError("app_id must be a package name for google")
    return text


def _country(value: object) -> str:
    if value is None:
        return "us"
    country = value.strip().lower() if isinstance(value, str) else ""
    if country not in STOREFRONTS:
        raise InputError("country must be a two-letter storefront code")
    return country


def _stars(given: Mapping[str, object]) -> dict[str, Any]:
    low = _whole(given, "min_stars", 1, 1, 5)
    high = _whole(given, "max_stars", 5, 1, 5)
    if low > high:
        raise InputError("min_stars must not be greater than max_stars")
    # The full band wants nothing, so a review that came without stars passes.
    return {} if (low, high) == (1, 5) else {"between": {"rating": [low, high]}}


def _whole(given: Mapping[str, object], name: str, default: int, low: int, high: int) -> int:
    if name not in given:
        return default
    value = _number(given[name])
    if value is None or value != int(value) or not low <= value <= high:
        raise InputError(f"{name} must be between {low} and {high}")
    return int(value)


def _fall(given: Mapping[str, object]) -> dict[str, Any]:
    if "threshold" not in given and "delta" not in given:
        raise InputError("rating.dropped needs threshold or delta")
    rule: dict[str, Any] = {"from": "previous_rating", "to": "current_rating"}
    for name, part, low, high in (("threshold", "below", 1, 5), ("delta", "by", 0, 4)):
        if name in given:
            value = _number(given[name])
            if value is None or not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}")
            rule[part] = value
    return {"falls": rule}


def _number(value: object) -> int | float | None:
    """A number, or a string that is one."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _source(given: Mapping[str, object]) -> str:
    value = given.get("source")
    source = value.strip().lower() if isinstance(value, str) else ""
    return source if source in SOURCES else "api"


def _external_ref(given: Mapping[str, object]) -> str | None:
    value = given.get("external_ref")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 256:
        raise InputError("external_ref must be at most 256 characters")
    if "\0" in value:
        raise InputError("external_ref must not contain the character 0")  # PostgreSQL has no room for it
    return value
