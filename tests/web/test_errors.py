"""Errors: each in the shape of the API whose path it is, none with a redirect, none that tells too much."""

from __future__ import annotations

import aiohttp
import aiohttp.web
import pytest

from relay.web.middleware import register
from tests.web.toy_site import LEDGER, NOTES, Site


async def shape(answer: aiohttp.ClientResponse) -> str:
    told = await answer.json(content_type=None)
    if answer.content_type == "application/problem+json":
        assert told["status"] == answer.status
        return "ledger"
    return "notes" if told.keys() == {"error"} else "server"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/notes/", "notes"),
        ("/notes//", "notes"),
        ("//notes", "notes"),
        ("/notes/a/b/c", "notes"),
        ("/ledger/", "ledger"),
        ("//ledger//x", "ledger"),
        ("/elsewhere", "server"),
        ("/v1/healthz/", "server"),
        ("/", "server"),
    ],
)
async def test_an_unknown_path_is_404_in_the_shape_of_its_owner_and_never_a_redirect(
    site: Site, path: str, expected: str
) -> None:
    answer = await site.raw(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"location:" not in answer.lower()
    is_problem = b"application/problem+json" in answer
    assert is_problem == (expected == "ledger")
    assert (b'"status":404' in answer) == (expected != "notes")


@pytest.mark.parametrize("id_", ["%00", "%ff", "%0d%0a", "..%2f..", "%2e%2e", "a" * 4000, "%F0%9F%98%80", "'\"--"])
async def test_an_odd_id_is_only_an_unknown_one(site: Site, id_: str) -> None:
    for path, status in ((f"/notes/{id_}", b"404"), (f"/ledger/{id_}", b"405")):
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {site.key}\r\nConnection: close\r\n\r\n"
        assert (await site.raw(head.encode())).split(b" ", 2)[1] in (status, b"404")


@pytest.mark.parametrize(
    ("method", "path", "allowed", "expected"),
    [
        ("PUT", "/notes", "POST", "notes"),
        ("OPTIONS", "/notes/number", "GET, HEAD", "notes"),
        ("DELETE", "/ledger", "GET, HEAD, POST", "ledger"),
        ("TRACE", "/ledger/1", "DELETE", "ledger"),
        ("POST", "/v1/healthz", "GET, HEAD", "server"),
        ("HEAD", "/notes/stream/1", "GET", "notes"),
    ],
)
async def test_a_method_that_is_not_served_is_405_and_names_those_that_are(
    site: Site, method: str, path: str, allowed: str, expected: str
) -> None:
    async with site.http.request(method, site.url + path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert method == "HEAD" or await shape(answer) == expected


async def test_head_answers_like_get_without_the_body(site: Site) -> None:
    async with site.http.head(f"{site.url}/notes/number") as answer:
        assert (answer.status, await answer.read(), answer.headers["Content-Length"]) == (200, b"", "2")
    async with site.http.head(f"{site.url}/notes/x") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("how", "status", "headers"),
    [
        ("conflict", 409, {}),
        ("busy", 503, {"Retry-After": "5"}),
        ("limited", 429, {"Retry-After": "7", "X-RateLimit-Limit": "10"}),
        ("other", 400, {}),
        ("bug", 500, {}),
        ("peer", 500, {}),
    ],
)
async def test_every_error_has_its_status_and_headers(
    site: Site, how: str, status: int, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with site.http.get(f"{site.url}/ledger/fail/{how}") as answer:
        assert answer.status == status
        assert await shape(answer) == "ledger"
        assert headers.items() <= dict(answer.headers).items()
        assert "secret-looking" not in await answer.text()
        assert (await answer.json(content_type=None))["errors"] == ({"how": ["is unknown"]} if how == "other" else {})
    assert ("a request failed" in capsys.readouterr().out) == (status == 500)


async def test_an_answer_that_breaks_half_way_ends_with_the_connection(site: Site) -> None:
    answer = await site.raw(b"GET /notes/stream/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"event: ready" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_every_answer_says_how_it_may_be_used(site: Site) -> None:
    for path in ("/notes/number", "/nowhere", "/ledger/fail/bug"):
        async with site.http.get(site.url + path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Server"] == "relay"


def test_two_operations_of_one_name_are_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="createNote"):
        register(aiohttp.web.Application(), (LEDGER, NOTES, NOTES))
