"""What of a request has no effect: named in the answer, refused when the client prefers that, and never dangerous."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from multidict import CIMultiDict
from yarl import URL

from relay.web.ignored import HEADER, MOST
from tests.web.toy_site import Site

STRICT = {"Prefer": "handling=strict"}


async def call(
    site: Site, method: str, path: str, headers: Any = None, **kwargs: Any
) -> tuple[int, list[str], Any, CIMultiDict[str]]:
    """The status, what was ignored, the body, and all the headers."""
    url = URL(site.url + path, encoded=True)
    given = CIMultiDict(site.headers())
    given.extend(headers or {})
    async with site.http.request(method, url, headers=given, **kwargs) as answer:
        ignored = answer.headers.get(HEADER)
        names = [] if ignored is None else ignored.split(", ")
        return answer.status, names, await answer.json(content_type=None), answer.headers.copy()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/ledger", []),
        ("/ledger?limit=5", []),
        ("/ledger?q=zzz", ["q"]),
        ("/ledger?limit=5&created_after=2030-01-01&q=", ["created_after"]),
        ("/ledger?Limit=5", ["Limit"]),
        ("/ledger?limit=5&limit=6", ["limit"]),
        ("/ledger?limit=&limit=6", []),
        ("/ledger?=x", [""]),
        ("/ledger?a=1&a=2&b=3", ["a", "b"]),
        ("/notes/number?x[y]=1", ["x[y]"]),
    ],
)
async def test_a_parameter_without_effect_is_named(site: Site, path: str, names: list[str]) -> None:
    status, ignored, _, headers = await call(site, "GET", path)
    assert ignored == names
    assert status == 200
    assert "Preference-Applied" not in headers
    status, ignored, body, headers = await call(site, "GET", path, STRICT)
    assert (status, ignored) == (400 if names else 200, [])
    assert headers["Preference-Applied"] == "handling=strict"
    if names and path.startswith("/ledger"):
        assert body["errors"] == {name: ["has no effect here"] for name in names}


async def test_a_member_without_effect_is_named(site: Site) -> None:
    note = {"payload": {"any": {"thing": 1}}, "lines": [{"text": "a"}, {"text": "b", "colour": "red"}, 7], "x": 0}
    note |= {"first": {"text": "c", "size": 3, "empty": ""}, "unset": None, "blank": "  ", "headers": {}}
    status, ignored, _, _ = await call(site, "POST", "/notes", json=note)
    assert (status, ignored) == (200, ["lines[].colour", "x", "first.size", "headers"])
    status, ignored, body, _ = await call(site, "POST", "/notes", STRICT, json=note)
    assert (status, ignored) == (400, [])
    assert body == {
        "error": "lines[].colour, x, first.size, headers have no effect here, and the request prefers strict handling"
    }


async def test_a_header_that_means_something_elsewhere_is_named(site: Site) -> None:
    """Any other header is the business of proxies and clients."""
    headers = {"Idempotency-Key": "order-42", "If-Match": "x", "X-Anything": "y"}
    assert (await call(site, "GET", "/notes/number", headers))[:2] == (200, ["Idempotency-Key"])
    assert (await call(site, "POST", "/ledger", headers, json={}))[:2] == (200, [])
    assert (await call(site, "GET", "/notes/number", headers | STRICT))[0] == 400
    assert (await call(site, "GET", "/notes/number", {"Idempotency-Key": ""} | STRICT))[0] == 200


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"reason":"x","force":true}', ["reason", "force"]),
        (b"{}", []),
        (b" ", []),
        (b"null", []),
        (b"[1]", ["body"]),
        (b"reason=x", ["body"]),
        (b"\xff", ["body"]),
        (b"x" * 400_000, ["body"]),
    ],
)
async def test_a_body_that_nothing_reads_is_named(site: Site, body: bytes, names: list[str]) -> None:
    assert (await call(site, "GET", "/notes/number", data=body))[:2] == (200, names)
    assert (await call(site, "GET", "/notes/number", STRICT, data=body))[0] == (400 if names else 200)


@pytest.mark.parametrize(
    ("prefer", "is_strict"),
    [
        (["handling=strict"], True),
        (["HANDLING=STRICT"], True),
        (['respond-async, handling="strict"; reason=x'], True),
        (["return=minimal", "handling = strict"], True),
        (["handling=lenient"], False),
        (["handling=lenient, handling=strict"], False),
        (["handling"], False),
        (["nothandling=strict"], False),
        ([""], False),
        ([",,;=,"], False),
    ],
)
async def test_the_preference_is_read_as_rfc_7240_says(site: Site, prefer: list[str], is_strict: bool) -> None:
    headers = CIMultiDict([("Prefer", value) for value in prefer])
    status, _, _, answered = await call(site, "GET", "/notes/number?q=1", headers)
    assert status == (400 if is_strict else 200)
    assert answered.get("Preference-Applied") == ("handling=strict" if is_strict else None)


@pytest.mark.parametrize(
    "name", ["%0d%0aSet-Cookie:%20a=b", "%00", "%ff", "a,b", "%22", "%C3%A9", "%F0%9F%98%80", "%E2%80%AE", "<script>"]
)
async def test_a_hostile_name_stays_a_name(site: Site, name: str) -> None:
    status, ignored, _, headers = await call(site, "GET", f"/notes/number?{name}=1")
    assert status == 200
    assert len(ignored) == 1
    assert ignored[0].isascii()
    assert ignored[0].isprintable()
    assert not {" ", '"', ";", "<"} & set(ignored[0])
    assert "Set-Cookie" not in headers
    assert (await call(site, "GET", f"/ledger?{name}=1", STRICT))[0] == 400


async def test_many_and_long_names_stay_within_bounds(site: Site) -> None:
    many = "&".join(f"{n:03d}{quote(chr(0x1F600) * 20)}=1" for n in range(25))
    _, ignored, _, headers = await call(site, "GET", f"/notes/number?{many}")
    assert len(ignored) == MOST + 1
    assert ignored[-1] == "..."
    assert len(headers[HEADER]) < 5_000
    note = {f"m{n}": n for n in range(20_000)}
    _, ignored, _, _ = await call(site, "POST", "/notes", json=note)
    assert ignored == [*(f"m{n}" for n in range(MOST)), "..."]
    status, _, body, _ = await call(site, "POST", "/notes", STRICT, json=note)
    assert status == 400
    assert len(body["error"]) < 3_000


async def test_nothing_is_said_to_who_may_not_call(site: Site) -> None:
    headers = {"Authorization": "Bearer nonsense"} | STRICT
    async with site.http.post(f"{site.url}/notes?q=1", headers=headers, json={"x": 1}) as answer:
        assert answer.status == 401
        assert HEADER not in answer.headers
