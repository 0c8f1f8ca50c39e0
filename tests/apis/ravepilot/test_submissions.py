"""listSubmissions and getSubmission, over HTTP."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest

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
