"""listSubmissions and getSubmission, over HTTP."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any

import pytest

from relay.store.database import load_statements
from tests.apis.ravepilot.client import Relay


async def _invite(relay: Relay, count: int) -> list[str]:
    answers = [
        await relay.client.post("/v1/magic-link", {"customer_email": f"c{number}@example.com"})
        for number in range(count)
    ]
    return [answer.body["submission"]["id"] for answer in answers]


def _change(relay: Relay, sql: str, *values: Any) -> None:
    """What the recording portal and the review do to the tables."""
    with contextlib.closing(sqlite3.connect(relay.database.path)) as connection, connection:
        connection.execute(sql, values)


def _ids(body: Any) -> list[str]:
    return [submission["id"] for submission in body["submissions"]]


async def test_submissions_come_newest_first_in_pages(relay: Relay) -> None:
    ids = (await _invite(relay, 5))[::-1]
    assert _ids((await relay.client.get("/v1/submissions")).body) == ids
    assert _ids((await relay.client.get("/v1/submissions?limit=2")).body) == ids[:2]
    assert _ids((await relay.client.get("/v1/submissions?limit=2&offset=2")).body) == ids[2:4]
    assert _ids((await relay.client.get("/v1/submissions?offset=99")).body) == []
    assert _ids((await relay.client.get("/v1/submissions?offset=" + "9" * 60)).body) == []
    assert (await relay.client.get("/v1/submissions")).body["ok"] is True


@pytest.mark.parametrize("limit", ["200", "201", "9" * 90, ""])
async def test_a_limit_above_the_most_is_taken_as_the_most(relay: Relay, limit: str) -> None:
    answer = await relay.client.get(f"/v1/submissions?limit={limit}")
    assert answer.status == 200


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "1.5", "%D9%A5", "1e3", "+5", "9" * 101])
async def test_a_limit_that_is_no_number_is_refused(relay: Relay, limit: str) -> None:
    answer = await relay.client.get("/v1/submissions", params=f"limit={limit}")
    assert (answer.status, answer.body["error"]) == (400, "limit must be a whole number between 1 and 200")


@pytest.mark.parametrize("offset", ["-1", "abc", "1_0"])
async def test_an_offset_that_is_no_number_is_refused(relay: Relay, offset: str) -> None:
    answer = await relay.client.get(f"/v1/submissions?offset={offset}")
    assert (answer.status, answer.body["error"]) == (400, "offset must be a whole number of 0 or more")


async def test_submissions_are_filtered_by_status(relay: Relay) -> None:
    first, second = await _invite(relay, 2)
    _change(
        relay, "UPDATE submissions SET status = 'approved', submitted_at = 5000, approved_at = 6999 WHERE id = ?", first
    )
    assert _ids((await relay.client.get("/v1/submissions?status=in_progress")).body) == [second]
    approved = (await relay.client.get("/v1/submissions?status=approved")).body["submissions"]
    assert [(one["id"], one["submitted_at"], one["approved_at"]) for one in approved] == [(first, 5, 6)]
    assert _ids((await relay.client.get("/v1/submissions?status=paid")).body) == []


@pytest.mark.parametrize("status", ["done", "APPROVED", "in_progress,paid"])
async def test_an_unknown_status_is_refused(relay: Relay, status: str) -> None:
    answer = await relay.client.get(f"/v1/submissions?status={status}")
    assert answer.status == 400
    assert answer.body["error"] == (
        "status must be one of in_progress, submitted, approved, partial_approved, rejected, paid"
    )


@pytest.mark.parametrize(
    ("invited", "asked"),
    [
        ("dana+b@example.com", " DANA+B@Example.COM "),
        ("jo@bücher.example", "jo@xn--bcher-kva.example"),
        ("jo@xn--bcher-kva.example", "JO@BÜCHER.example"),
    ],
)
async def test_a_customer_is_found_in_every_spelling_of_the_address(relay: Relay, invited: str, asked: str) -> None:
    await _invite(relay, 2)
    made = await relay.client.post("/v1/magic-link", {"customer_email": invited})
    found = await relay.client.get("/v1/submissions", params={"customer_email": asked})
    assert found.body == {"ok": True, "submissions": [made.body["submission"]]}


async def test_the_address_goes_with_status_limit_and_offset(relay: Relay) -> None:
    first, _ = await _invite(relay, 2)

    async def found(**query: Any) -> list[str]:
        return _ids(
            (await relay.client.get("/v1/submissions", params={"customer_email": "c0@example.com", **query})).body
        )

    assert await found() == await found(status="in_progress", limit=1) == await found(status="") == [first]
    assert await found(status="paid") == await found(offset=1) == []
    _change(relay, "UPDATE submissions SET status = 'paid', submitted_at = 5000 WHERE id = ?", first)
    assert await found(status="paid") == [first]
    assert await found(status="in_progress") == []


async def test_an_address_that_nobody_has_finds_nothing(relay: Relay) -> None:
    """Nor does that of another workspace's customer, or of one who was erased. An empty one chooses nothing."""
    (submission_id,) = await _invite(relay, 1)
    query = {"customer_email": "c0@example.com"}
    other = await relay.client_of("other")
    assert _ids((await other.get("/v1/submissions", params=query)).body) == []
    assert _ids((await relay.client.get("/v1/submissions?customer_email=c9@example.com")).body) == []
    assert _ids((await relay.client.get("/v1/submissions?customer_email=%20")).body) == [submission_id]
    _change(relay, "UPDATE submissions SET erased_at = 1, customer_email = NULL WHERE id = ?", submission_id)
    assert _ids((await relay.client.get("/v1/submissions", params=query)).body) == []


@pytest.mark.parametrize(
    "address",
    ["nobody", "a@b", "a@example.com,b@example.com", "%00", "%ff@example.com", "dāna@example.com", "a" * 5000],
)
async def test_an_address_that_is_none_is_refused(relay: Relay, address: str) -> None:
    answer = await relay.client.get(f"/v1/submissions?customer_email={address}")
    assert (answer.status, answer.body) == (
        400,
        {"error": "customer_email must be a valid email address", "status": 400},
    )


@pytest.mark.parametrize("name", ["submission_list", "submission_list_by_status", "submission_list_by_customer"])
async def test_every_list_is_read_by_an_index(relay: Relay, name: str) -> None:
    """Nothing is searched through, and nothing is sorted."""
    text = load_statements()[name]
    parameters = dict.fromkeys(re.findall(r":(\w+)", text), "x")
    with contextlib.closing(sqlite3.connect(relay.database.path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
    assert plan
    assert all(step.startswith("SEARCH ") for step in plan), plan
    assert "email_lower" in plan[0] or name != "submission_list_by_customer"


async def test_a_submission_is_shown_with_its_clips(relay: Relay) -> None:
    (submission_id,) = await _invite(relay, 1)
    listed = (await relay.client.get("/v1/submissions")).body["submissions"][0]
    assert (await relay.client.get(f"/v1/submissions/{submission_id}")).body == {
        "ok": True,
        "submission": listed,
        "clips": [],
    }
    _change(
        relay,
        "INSERT INTO clips (id, submission_id, script_key, status, duration_ms, used_in_marketing_at, created_at)"
        " VALUES ('clip_1', ?, 'intro', 'uploaded', 12500, NULL, 7000),"
        " ('clip_2', ?, 'result', 'approved', NULL, 1, 8000)",
        submission_id,
        submission_id,
    )
    clips = (await relay.client.get(f"/v1/submissions/{submission_id}")).body["clips"]
    assert clips[0] == {
        "id": "clip_1",
        "script_key": "intro",
        "status": "uploaded",
        "duration_seconds": 12.5,
        "transcript": None,
        "stream_video_uid": None,
        "used_in_marketing": False,
        "created_at": 7,
    }
    assert clips[1]["used_in_marketing"] is True
    assert clips[1]["duration_seconds"] is None
    other = await relay.client_of("other")
    assert (await other.get(f"/v1/submissions/{submission_id}")).status == 404
