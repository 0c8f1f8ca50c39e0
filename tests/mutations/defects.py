"""The defects: exact replacements of text, and the tests that have to fail with each."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    file: str
    before: str
    """Must stand in the file exactly once."""
    after: str


class Defect(NamedTuple):
    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


_MACHINE = "tests/whole/test_state_machine.py::"
_OWN = "tests/delivery/test_own_faults.py::"

DEFECTS = (
    Defect(
        "an answer before the commit",
        (
            Change(
                "relay/store/sqlite.py",
                """\
                return [self._run(waiting.work) for waiting in group]
""",
                """\
                results = [self._run(waiting.work) for waiting in group]
                self._loop.call_soon_threadsafe(_resolve, group, results)
                return results
""",
            ),
        ),
        ("tests/store/test_sqlite.py::test_what_a_write_has_returned_is_seen_by_another_program",),
    ),
    Defect(
        "settled before it is sent",
        (
            Change(
                "relay/delivery/drain.py",
                """\
            outcome = await self._poster.post(request)
""",
                """\
            done = Outcome(status=200, error_code=None, latency_ms=0)
            policy = self._wires[claimed.subscription.api].retry
            verdict = judge(done, policy, attempt=1, now_ms=attempted_at_ms, spread=0)
            attempt = _attempt(claimed.id, claimed.attempts_made + 1, attempted_at_ms, signature, done)
            await self._database.write(deliveries.settle(claimed, attempt, verdict, attempted_at_ms))
            outcome = await self._poster.post(request)
""",
            ),
        ),
        (_MACHINE + "test_what_was_on_the_wire_at_a_crash_is_sent_again_under_its_id",),
    ),
    Defect(
        "a new delivery id for a retry",
        (
            Change(
                "relay/delivery/sign.py",
                '("webhook-id", claimed.id),',
                '("webhook-id", claimed.id if claimed.attempts_made == 0 else claimed.id[::-1]),',
            ),
        ),
        ("tests/delivery/test_engine.py::test_a_failing_receiver_is_asked_by_schedule_and_then_given_up",),
    ),
    Defect(
        "no guard at the connection",
        (
            Change(
                "relay/outbound/post.py",
                "allowed = [ip_text for ip_text in found if"
                " self._guard.allowed_address(ip_text, target.port, target.host)]",
                "allowed = list(found)",
            ),
        ),
        ("tests/outbound/test_post.py::test_a_name_that_turns_private_after_it_was_checked_is_refused",),
    ),
    Defect(
        "what is held is held for ever",
        (Change("relay/delivery/schedule.py", "            lane.held.discard(one.claimed.id)\n", ""),),
        (_MACHINE + "test_what_fails_is_sent_again_at_its_time_until_its_schedule_ends",),
    ),
    Defect(
        "what is on the wire is forgotten",
        (Change("relay/delivery/claim.py", ' for row in rows if row["id"] not in want.held]', " for row in rows]"),),
        (_MACHINE + "test_what_is_on_the_wire_is_not_sent_again_when_its_subscription_is_claimed_for",),
    ),
    Defect(
        "a signature over JSON that was written anew",
        (
            Change(
                "relay/delivery/sign.py",
                "signing = Signing(now_ms // 1000, body,",
                'orjson = __import__("orjson")\n'
                "        signing = Signing(now_ms // 1000, orjson.dumps(orjson.loads(body)),",
            ),
            Change(
                "relay/delivery/sign.py",
                "request = SignedRequest(claimed.subscription.target_url, headers, signing.body,",
                "request = SignedRequest(claimed.subscription.target_url, headers, body,",
            ),
        ),
        (_MACHINE + "test_what_fails_is_sent_again_at_its_time_until_its_schedule_ends",),
    ),
    Defect(
        "idempotency by looking first",  # the time between looking and writing is stretched: the race is always run
        (
            Change(
                "relay/apis/webhook_relay/ingest.sql",
                "WHERE idempotency.expires_at <= :now OR NOT EXISTS (",
                "WHERE 1 = 1 OR NOT EXISTS (",
            ),
            Change(
                "relay/apis/webhook_relay/ingest.py",
                '    if rows[0]["fingerprint"] != one.fingerprint:\n',
                '    if not rows:\n        return False\n    if rows[0]["fingerprint"] != one.fingerprint:\n',
            ),
            Change(
                "relay/apis/webhook_relay/events.py",
                "    accepted = await app[DATABASE].write(accept(one, engine.publish))\n",
                """\
    from relay.apis.webhook_relay.ingest import _earlier
    accepted = False if idempotency_key is None else await app[DATABASE].read(_earlier(one))
    if accepted is False:
        await __import__("asyncio").sleep(0.05)
        accepted = await app[DATABASE].write(accept(one, engine.publish))
""",
            ),
        ),
        (
            "tests/apis/webhook_relay/test_events.py::test_fifty_equal_requests_at_once_make_one_event_and_get_equal_answers",
        ),
    ),
    Defect(
        "410 is tried again",
        (
            Change(
                "relay/core/retry.py",
                "    if status == 410:\n        return _dead(DeadReason.GONE)\n",
                "",
            ),
        ),
        ("tests/core/test_retry.py::test_each_answer_has_one_consequence",),
    ),
    Defect(
        "failures are counted on over a success",
        (Change("relay/delivery/settle.py", "            if one.recovers:\n", "            if False:\n"),),
        (_MACHINE + "test_a_success_ends_the_row_of_failures_whatever_changed_while_it_was_on_the_wire",),
    ),
    Defect(
        "an answer is read without a bound",
        (
            Change(
                "relay/outbound/answer.py",
                "room = MAX_SNIPPET - len(self.answer.body)",
                "room = 2**62",
            ),
            Change("relay/outbound/answer.py", "self._body_bytes > MAX_BODY and", "self._body_bytes > 2**62 and"),
            Change("relay/outbound/answer.py", "self._head_bytes > MAX_HEAD and", "self._head_bytes > 2**62 and"),
        ),
        ("tests/outbound/test_post.py::test_an_answer_without_an_end_costs_neither_memory_nor_time",),
    ),
    Defect(
        "nothing sent for a reason of our own is a failure of the receiver",
        (
            Change(
                "relay/delivery/drain.py",
                """\
            if hindered.condition.not_ready:
                self._hindrances.all_held_up()
                self._schedule.put_back(lane, claimed, self._schedule.now() + round(PAUSE_S * 1000))
            else:  # it lies in the way to this target alone: its name, its address
                self._schedule.hindered(lane, claimed)
            return
""",
                """\
            from relay.core.model import ErrorCode
            outcome = Outcome(status=None, error_code=ErrorCode.CONNECTION_ERROR, latency_ms=0)
""",
            ),
        ),
        (_OWN + "test_while_nothing_can_be_sent_nothing_counts_and_then_all_is_sent",),
    ),
    Defect(
        "a secret that cannot be opened uses up tries",
        (
            Change(
                "relay/delivery/drain.py",
                """\
            self._schedule.hindered(lane, claimed)
            return None
""",
                """\
            return SignedRequest(claimed.subscription.target_url, (), b"", 1.0), ""
""",
            ),
        ),
        (_OWN + "test_a_secret_that_cannot_be_opened_holds_up_its_own_subscription_alone",),
    ),
    Defect(
        "what raises after the POST is held until the restart",
        (
            Change(
                "relay/delivery/drain.py",
                """\
            self._faults.happened(Where.SENDING, error, delivery_id=claimed.id)
            await self._put_off(lane, claimed)
""",
                """\
            self._faults.happened(Where.SENDING, error, delivery_id=claimed.id)
""",
            ),
        ),
        (_OWN + "test_what_raises_after_the_post_is_told_counted_and_put_back",),
    ),
    Defect(
        "one attempt that cannot be recorded holds up all others",
        (
            Change(
                "relay/delivery/settle.py",
                """\
                self._refused(batch, error)
""",
                """\
                self._gathered = batch + self._gathered
                await asyncio.sleep(RETRY_S)
""",
            ),
        ),
        (_OWN + "test_an_answer_that_no_database_takes_is_recorded_without_it_and_holds_up_nobody",),
    ),
    Defect(
        "chores wait for the hour that comes again",
        (
            Change(
                "relay/delivery/jobs.py",
                """\
            if at != job.next_run_time:
""",
                """\
            if False:
""",
            ),
        ),
        ("tests/faults/test_clock.py::test_a_recovery_goes_on_when_the_clock_is_set_back",),
    ),
    Defect(
        "the engine's time stays ahead of a clock that was set back",
        (Change("relay/delivery/drain.py", "        await self._obey_the_clock()\n", ""),),
        ("tests/faults/test_clock.py::test_after_the_clock_was_set_a_retry_is_shown_and_made_at_its_time",),
    ),
    Defect(
        "a clock that has jumped is believed at once",
        (
            Change(
                "relay/delivery/clocks.py",
                "return min(wall_ms, self._judge(wall_ms))",
                "return max(wall_ms, self._judge(wall_ms))",
            ),
        ),
        ("tests/faults/test_clock.py::test_a_clock_that_jumps_deletes_nothing_until_it_has_stood_for_a_day",),
    ),
    Defect(
        "a connection is everybody's",
        (
            Change(
                "relay/outbound/post.py",
                "key = (request.owner_id, target.scheme,",
                'key = ("", target.scheme,',
            ),
        ),
        ("tests/outbound/test_kept_connections.py::test_a_host_cannot_answer_for_another_workspace",),
    ),
    Defect(
        "what is there already is the next answer",
        (
            Change(
                "relay/outbound/connection.py",
                "return self.reusable and not self._readable.poll(0)",
                "return self.reusable",
            ),
        ),
        ("tests/outbound/test_kept_connections.py::test_what_the_event_loop_has_yet_to_read_is_noticed",),
    ),
    Defect(
        "an odd head undoes the status",
        (
            Change(
                "relay/outbound/answer.py",
                """\
        head = _FOLD.sub(b" ", head)
""",
                """\
        raise NotHttp("it is not to the letter")
""",
            ),
        ),
        (
            "tests/outbound/test_answer.py::test_a_success_is_a_success_and_the_next_request_has_a_connection_of_its_own",
        ),
    ),
    Defect(
        "one stored secret stands for all",
        (
            Change(
                "relay/sealed.py",
                "        lost += sum(not secrets.can_open(one.text) for one in page)\n",
                "        lost += sum(not secrets.can_open(one.text) for one in page[:1])\n",
            ),
        ),
        ("tests/whole/test_sealed.py::test_a_start_looks_at_every_stored_secret",),
    ),
    Defect(
        "a file that is gone is written to",
        (
            Change(
                "relay/store/sqlite.py",
                "            amiss = self._amiss(within_s=LOOK_S)\n",
                "            amiss = None\n",
            ),
        ),
        ("tests/store/test_ownership.py::test_while_the_file_is_not_in_its_place_nothing_is_taken",),
    ),
    Defect(
        "a lock on the name of a file alone",
        (Change("relay/store/ownership.py", "            _lock_itself(descriptor, path)\n", ""),),
        ("tests/store/test_ownership.py::test_a_file_that_was_renamed_is_still_served",),
    ),
    Defect(
        "an idempotency key compares doubles",
        (
            Change(
                "relay/apis/webhook_relay/ingest.py",
                "    if orjson.dumps(members) != draft.payload.encode():\n",
                "    if False:\n",
            ),
        ),
        ("tests/apis/webhook_relay/test_ingest.py::test_a_second_event_is_never_taken_for_the_first",),
    ),
    Defect(
        "a rotation ends the grace of the secrets before",
        (
            Change(
                "relay/core/rotation.py",
                "    valid = still_valid(subscription.previous_secrets, now_ms)\n",
                "    valid = ()\n",
            ),
        ),
        (
            "tests/apis/webhook_relay/test_rotation.py::test_every_secret_of_the_last_48_hours_signs_along_whatever_was_rotated_since",
        ),
    ),
    Defect(
        "a leaked secret signs on",
        (Change("relay/core/rotation.py", "    if at_once:\n", "    if False:\n"),),
        ("tests/apis/webhook_relay/test_rotation.py::test_a_leaked_secret_ends_at_once_and_all_before_it",),
    ),
    Defect(
        "the deliveries of a page are looked for among all",
        (
            Change(
                "relay/store/queries/listing.sql",
                """\
    ORDER BY workspace_id DESC, id DESC
    LIMIT :n
), counted AS MATERIALIZED (
    SELECT page.id AS event_id, COUNT(d.id) AS total, COUNT(CASE WHEN d.state = 'success' THEN 1 END) AS succeeded,
        COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead
    FROM page LEFT JOIN deliveries d ON d.event_id = page.id
""",
                """\
    ORDER BY workspace_id DESC, id DESC
    LIMIT :n
), counted AS MATERIALIZED (
    SELECT d.event_id, COUNT(*) AS total, COUNT(CASE WHEN d.state = 'success' THEN 1 END) AS succeeded,
        COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead
    FROM page JOIN deliveries d ON d.event_id = page.id
""",
            ),
            Change(
                "relay/store/queries/listing.sql",
                """\
    GROUP BY page.id
)
SELECT page.*, counted.total, counted.succeeded, counted.dead
FROM page JOIN counted ON counted.event_id = page.id
ORDER BY page.id DESC;

-- name: event_page_of_type
""",
                """\
    GROUP BY d.event_id
)
SELECT page.*, counted.total, counted.succeeded, counted.dead
FROM page LEFT JOIN counted ON counted.event_id = page.id
ORDER BY page.id DESC;

-- name: event_page_of_type
""",
            ),
        ),
        (
            "tests/store/test_plans.py::test_every_statement_searches",
            "tests/apis/test_lists.py::test_a_list_costs_the_same_in_a_larger_database",
        ),
    ),
    Defect(
        "a filter passes over as many rows as there are",
        (
            Change(
                "relay/store/queries/listing.sql",
                "state = 'success' AND (created_at, id) < (:before_at, :before)",
                "state || '' = 'success' AND (created_at, id) < (:before_at, :before)",
            ),
        ),
        ("tests/store/test_plans.py::test_every_statement_takes_as_many_steps_in_a_larger_database",),
    ),
    Defect(
        "an answer may lie unread for ever",
        (
            Change(
                "relay/web/watchdog.py",
                "                unread = self._cut_off_the_unread(unread)\n",
                "",
            ),
        ),
        ("tests/web/test_answers.py::test_an_answer_that_is_not_read_is_cut_off",),
    ),
    Defect(
        "nobody counts the bytes of answers",
        (
            Change(
                "relay/web/answers.py",
                "    return isinstance(body, bytes) and len(body) > PLAIN_BYTES\n",
                "    return False\n",
            ),
        ),
        ("tests/web/test_answers.py::test_too_many_unread_answers_of_one_workspace_are_refused_and_others_served",),
    ),
    Defect(
        "a stream outlives its key",
        (
            Change(
                "relay/apis/webhook_relay/echo.py",
                "                await may_listen()\n",
                "                pass\n",
            ),
        ),
        ("tests/apis/webhook_relay/test_echo.py::test_a_stream_ends_within_a_second_of_its_key",),
    ),
    Defect(
        "an attempt is recorded whether or not its delivery is still there",
        (
            Change(
                "relay/store/deliveries.py",
                "    if found:\n",
                "    if True:\n",
            ),
        ),
        ("tests/store/test_references.py::test_an_attempt_that_comes_after_its_delivery_is_gone_leaves_nothing",),
    ),
)
