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
                "relay/delivery/post.py",
                "allowed = [ip_text for ip_text in found if"
                " self._guard.allowed_address(ip_text, target.port, target.host)]",
                "allowed = list(found)",
            ),
        ),
        ("tests/delivery/test_post.py::test_a_name_that_turns_private_after_it_was_checked_is_refused",),
    ),
    Defect(
        "what is held is held for ever",
        (Change("relay/delivery/schedule.py", "            lane.held.discard(one.claimed.id)\n", ""),),
        (_MACHINE + "test_what_fails_is_sent_again_at_its_time_until_its_schedule_ends",),
    ),
    Defect(
        "what is on the wire is forgotten",
        (Change("relay/delivery/claim.py", ' for row in rows if row["id"] not in want.held]', " for row in rows]"),),
        (_MACHINE + "test_a_timer_of_a_queue_that_was_emptied_does_not_send_what_is_on_the_wire_again",),
    ),
    Defect(
        "a signature over JSON that was written anew",
        (
            Change(
                "relay/delivery/sign.py",
                "signing = Signing(now_ms // 1000, body.encode(),",
                'orjson = __import__("orjson")\n'
                "        signing = Signing(now_ms // 1000, orjson.dumps(orjson.loads(body)),",
            ),
            Change(
                "relay/delivery/sign.py",
                "request = SignedRequest(claimed.subscription.target_url, headers, signing.body,",
                "request = SignedRequest(claimed.subscription.target_url, headers, body.encode(),",
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
                "relay/delivery/connection.py",
                "room = MAX_SNIPPET - len(self._answer.body)",
                "room = 2**62",
            ),
            Change("relay/delivery/connection.py", "self._bytes_in > MAX_ANSWER:", "self._bytes_in > 2**62:"),
        ),
        ("tests/delivery/test_post.py::test_an_answer_without_an_end_costs_neither_memory_nor_time",),
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
)
