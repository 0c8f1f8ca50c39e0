"""The REST Hook conformance checklist, points 1 to 20: subscribing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apis.rest_hooks.platform import CLIP, REVIEW, TARGET, publish, subscribe
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Receiver


async def test_a_valid_subscribe_answers_200_with_the_hook(relay: Relay) -> None:
    """1: id, secret, store, app_id, country and event_type are there, all non-empty strings."""
    hook = await subscribe(relay, **REVIEW)
    assert set(hook) == {"id", "secret", "store", "app_id", "country", "event_type"}
    assert all(isinstance(value, str) and value for value in hook.values())


async def test_other_event_types_answer_without_the_store_members(relay: Relay) -> None:
    """1: what has no store does not show one."""
    assert set(await subscribe(relay)) == {"id", "secret", "event_type"}


async def test_the_id_is_opaque_and_starts_with_the_source(relay: Relay) -> None:
    """2: URL-safe, such as zapier-1a2b3c4d5e6f7a8b."""
    assert re.fullmatch(r"zapier-[0-9a-f]{16}", (await subscribe(relay, source="zapier"))["id"])


async def test_two_equal_subscribes_are_two_hooks_that_both_get_the_event(relay: Relay, receiver: Receiver) -> None:
    """3: each flow of an account has a hook of its own, also at the same target."""
    first, second = [await subscribe(relay, receiver.url("/same")) for _ in range(2)]
    assert first["id"] != second["id"]
    assert first["secret"] != second["secret"]
    await publish(relay)
    assert len(await receiver.wait_for(2, "/same")) == 2


async def test_unknown_members_are_ignored(relay: Relay) -> None:
    """4: platforms add crumbs."""
    await subscribe(relay, bundle={"a": [1]}, hookUrl="https://other.example.com", isLoadingSample=True)


async def test_null_and_missing_are_the_same_and_the_country_is_us(relay: Relay) -> None:
    """5: the defaults hold for both."""
    for absent in ({}, dict.fromkeys(("country", "source", "external_ref", "min_stars", "threshold"))):
        answer = await relay.json("POST", "/api/v1/hooks", {"target_url": TARGET, **REVIEW, **absent})
        assert answer["country"] == "us"
        assert answer["id"].startswith("api-")


async def test_an_empty_string_counts_as_missing(relay: Relay) -> None:
    """6: form builders send those."""
    hook = await subscribe(relay, **REVIEW, country="", external_ref="", min_stars="", max_stars="", delta="")
    assert hook["country"] == "us"


async def test_numbers_may_come_as_strings(relay: Relay) -> None:
    """7: decided to coerce a clean number, and to name the member otherwise."""
    await subscribe(relay, **REVIEW, min_stars="3", max_stars="5")
    answer = await relay.json("POST", "/api/v1/hooks", {"target_url": TARGET, **REVIEW, "min_stars": "3x"}, status=400)
    assert answer == {"error": "min_stars must be between 1 and 5"}


async def test_a_bad_value_is_a_400_that_names_its_member(relay: Relay) -> None:
    """8: store, event type, target, band and rule; all the texts are in test_input.py."""
    changes: list[tuple[dict[str, Any], str]] = [
        ({"store": "amazon"}, "store"),
        ({"event_type": "review.deleted"}, "event_type"),
        ({"target_url": "ftp://example.com"}, "target_url"),
        ({"min_stars": 4, "max_stars": 2}, "min_stars"),
        ({"event_type": "rating.dropped"}, "threshold"),
        ({"event_type": "rating.dropped", "delta": 9}, "delta"),
    ]
    for change, named in changes:
        answer = await relay.json("POST", "/api/v1/hooks", {"target_url": TARGET, **REVIEW, **change}, status=400)
        assert set(answer) == {"error"}
        assert named in answer["error"]


async def test_a_body_that_is_no_json_object_is_a_400(relay: Relay) -> None:
    """9: never a 500, never HTML."""
    for body in (b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 10_000, b"target_url=https%3A", b"<a/>"):
        response = await relay.call("POST", "/api/v1/hooks", data=body, headers={"Content-Type": "application/json"})
        assert response.status == 400
        assert await response.json() == {"error": "body must be a JSON object"}


async def test_json_that_is_not_strict_is_a_400(relay: Relay) -> None:
    """9: numbers that are none, half characters, a member that comes twice."""
    for body in (b'{"min_stars": NaN}', b'{"delta": 1e999}', b'{"a": "\\ud800"}', b'{"a": 1, "a": 2}'):
        response = await relay.call("POST", "/api/v1/hooks", data=body)
        assert response.status == 400
        assert set(await response.json()) == {"error"}


CALLS = ("POST hooks", "GET hooks", "DELETE hooks/api-0123456789abcdef", "GET apps")


async def test_a_missing_or_wrong_key_is_a_401_with_json(relay: Relay) -> None:
    """10: on every operation."""
    refused: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer rsk_" + "x" * 32},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": "rsk_unknown_unknown_unknown"},
        {"X-API-Key": ""},
    ]
    for method, path in (call.split() for call in (*CALLS, "GET sample", "GET event-types")):
        for headers in refused:
            answer = await relay.json(method, f"/api/v1/{path}", status=401, key=None, headers=headers)
            assert answer == {"error": "missing or invalid API token"}


async def test_either_header_carries_the_key(relay: Relay) -> None:
    """10: the scheme in any case, with blanks around the key."""
    for name, value in (
        ("Authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer {KEY}"),
        ("Authorization", f"BEARER   {KEY}  "),
        ("X-API-Key", KEY),
        ("x-api-key", f"  {KEY} "),
    ):
        assert await relay.json("GET", "/api/v1/hooks", key=None, headers={name: value}) == []


async def test_a_key_without_the_scope_is_a_403(relay: Relay) -> None:
    """11: a 401 would make platforms throw the key away."""
    key = await relay.new_key(scopes=["invitations"])
    for method, path in (call.split() for call in CALLS):
        answer = await relay.json(method, f"/api/v1/{path}", status=403, key=key)
        assert answer == {"error": "this token lacks the hooks scope"}


async def test_a_key_of_any_prefix_works(relay: Relay) -> None:
    """11: the scopes decide, not the prefix."""
    for prefix in ("rsk_", "rp_live_", "whk_live_"):
        key = await relay.new_key(prefix=prefix)
        assert await relay.json("GET", "/api/v1/hooks", key=key) == []


async def test_an_unknown_source_is_kept_as_api(relay: Relay) -> None:
    """12: the same in the id and in the list."""
    known = ["activepieces", "pipedream", "workato", "power_automate", "make", "n8n", "zapier"]
    for source, kept in [(None, "api"), ("x y", "api"), *zip(known, known, strict=True)]:
        hook = await subscribe(relay, source=source)
        [row] = [row for row in await relay.json("GET", "/api/v1/hooks") if row["id"] == hook["id"]]
        assert row["source"] == kept
        assert hook["id"].startswith(f"{kept}-")


async def test_the_external_ref_survives_a_restart(start_relay: StartRelay) -> None:
    """13: also with colons and 256 characters."""
    given = ["subscription:4f0a9c1d-77e2", "é:" * 128]
    async with start_relay() as relay:
        for external_ref in given:
            await subscribe(relay, external_ref=external_ref)
    async with start_relay() as relay:
        rows = await relay.json("GET", "/api/v1/hooks")
    assert [row["external_ref"] for row in rows] == given


async def test_the_target_is_stored_and_used_byte_for_byte(relay: Relay, receiver: Receiver) -> None:
    """14: query string, trailing slash, percent-encoding, 2,000 characters and more."""
    paths = ["/a?x=1&y=%2F%20&y=", "/a/", "/a%2fB%C3%A9/../c//d?", "/?" + "q" * 2500]
    for path in paths:
        await subscribe(relay, receiver.url(path))
    assert [row["target_url"] for row in await relay.json("GET", "/api/v1/hooks")] == list(map(receiver.url, paths))
    await publish(relay)
    assert {request.path for request in await receiver.wait_for(len(paths))} == set(paths)


async def test_private_targets_are_refused_unless_the_operator_allows_them(start_relay: StartRelay) -> None:
    """15: plain http, private networks, this machine."""
    async with start_relay(allow_targets="10.1.0.0/16") as relay:
        for target in ("http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://192.168.1.5/a"):
            answer = await relay.json("POST", "/api/v1/hooks", {**CLIP, "target_url": target}, status=400)
            assert answer["error"].startswith("target_url must")
        await subscribe(relay, "http://10.1.2.3:5678/webhook/1")


async def test_nothing_is_sent_while_subscribing(relay: Relay, receiver: Receiver) -> None:
    """16: no hand-shake and no ping; the event is the first request."""
    await subscribe(relay, receiver.url("/quiet"))
    assert receiver.connections == 0
    event = await publish(relay)
    [request] = await receiver.wait_for(1, "/quiet")
    assert request.header("x-radar-event-id") == event.id


async def test_an_event_right_after_the_answer_reaches_the_hook(relay: Relay, receiver: Receiver) -> None:
    """17: also when events of that type were published before the hook was there."""
    await publish(relay)
    for number in range(1, 4):
        await subscribe(relay, receiver.url(f"/{number}"))
        event = await publish(relay)
        [request] = await receiver.wait_for(1, f"/{number}")
        assert request.header("x-radar-event-id") == event.id


async def test_the_secret_is_shown_once(relay: Relay, receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    """18: not in the list, not in errors, not in the log, not in the files."""
    secret = (await subscribe(relay, receiver.url("/status/500")))["secret"]
    await publish(relay)
    await receiver.wait_for(2)
    shown = [await (await relay.call("GET", f"/api/v1/{path}")).text() for path in ("hooks", "apps", "sample", secret)]
    out, err = capfd.readouterr()
    assert not any(secret in text for text in (*shown, out, err))
    folder = relay.server.database.path.parent
    files = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    assert not any(secret.encode() in content for content in files)


async def test_the_location_points_at_the_hook(relay: Relay) -> None:
    """19: Power Automate unsubscribes there."""
    response = await relay.call("POST", "/api/v1/hooks", {**CLIP, "target_url": TARGET})
    location = response.headers["Location"]
    assert location == f"/api/v1/hooks/{(await response.json())['id']}"
    assert (await relay.call("DELETE", location)).status == 204


async def test_the_location_is_whole_where_the_server_knows_its_url(start_relay: StartRelay, free_port: int) -> None:
    """19: behind a proxy the server cannot guess it."""
    url = f"http://127.0.0.1:{free_port}"
    async with start_relay(port=free_port, public_url=url) as relay:
        response = await relay.call("POST", "/api/v1/hooks", {**CLIP, "target_url": TARGET})
        assert response.headers["Location"] == f"{url}/api/v1/hooks/{(await response.json())['id']}"


async def test_nothing_is_ever_redirected(relay: Relay) -> None:
    """20: a redirected POST arrives as a GET."""
    for path in ("hooks", "hooks/", "hooks/api-0123456789abcdef/", "sample/", "apps/", "/hooks", ""):
        for method in ("GET", "POST", "DELETE"):
            response = await relay.call(method, f"/api/v1/{path}", allow_redirects=False)
            assert not 300 <= response.status < 400
