"""Submissions: listSubmissions and getSubmission."""

from __future__ import annotations

from aiohttp import web

from relay.apis.ravepilot import schemas
from relay.apis.ravepilot.input import is_id, read_email, read_limit, read_moment, read_offset, read_status
from relay.core.errors import NotFound
from relay.producers.testimonials import submissions
from relay.web.auth import api_key_of
from relay.web.body import json_response
from relay.web.query import given
from relay.web.wiring import DATABASE


async def list_submissions(request: web.Request) -> web.Response:
    """listSubmissions: a page of the workspace's submissions, newest first."""
    query = given(request)
    workspace_id, limit, offset = api_key_of(request).workspace_id, read_limit(query), read_offset(query)
    span = read_moment(query, "created_after"), read_moment(query, "created_before")
    page = submissions.newest(workspace_id, read_status(query), read_email(query), span, limit, offset)
    found = await request.app[DATABASE].read(page, list_of=workspace_id)
    answer = schemas.SubmissionList(submissions=[schemas.Submission.of(submission) for submission in found])
    return json_response(answer.model_dump(mode="json"))


async def get_submission(request: web.Request) -> web.Response:
    """getSubmission: one submission with its clips; another workspace's is as unknown as one that never was."""
    submission_id = request.match_info["id"]
    found = None
    if is_id(submission_id):
        workspace_id = api_key_of(request).workspace_id
        found = await request.app[DATABASE].read(submissions.with_clips(workspace_id, submission_id))
    if found is None:
        raise NotFound("submission not found")
    submission, clips = found
    answer = schemas.SubmissionDetail(
        submission=schemas.Submission.of(submission), clips=[schemas.Clip.of(clip) for clip in clips]
    )
    return json_response(answer.model_dump(mode="json"))
