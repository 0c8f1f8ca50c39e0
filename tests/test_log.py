"""Logging: one clean line a record, no secrets, and no flood from requests that are no HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog
from aiohttp import web

from relay.log import TRACE_LIMIT, VALUE_LIMIT, configure_logging, mask_secrets

LogFormat = Literal["pretty", "json"]
MALFORMED = (
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"\x16\x03\x01\r\n\r\n",
    b"GET /\x01 HTTP/1.1\r\n\r\n",
)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a test configures does not outlive it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_json_record_is_one_object_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    structlog.get_logger("relay.test").info("delivery sent", delivery_id="d1", status=200)
    captured = capsys.readouterr()
    record = json.loads(captured.err)
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "delivery sent",
        "delivery_id": "d1",
        "status": 200,
        "level": "info",
        "logger": "relay.test",
    }


def test_records_of_the_standard_library_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logging.getLogger("other.library").warning("took %d s", 3)
    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["level"], record["logger"]) == ("took 3 s", "warning", "other.library")
    assert record["timestamp"].endswith("Z")


def test_a_pretty_record_is_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("pretty")
    structlog.get_logger("relay.test").warning("target %s failed", "x", reason="no answer", status=None)
    [line] = capsys.readouterr().err.splitlines()
    timestamp, rest = line.split(" ", 1)
    assert timestamp.endswith("Z")
    assert rest == 'warning  target x failed reason="no answer" status=None logger=relay.test'


def test_context_travels_with_every_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    structlog.contextvars.bind_contextvars(request_id="r1")
    logging.getLogger("other").info("x")
    assert json.loads(capsys.readouterr().err)["request_id"] == "r1"


@pytest.mark.parametrize("log_format", ["pretty", "json"])
def test_a_record_is_one_line_whatever_is_in_it(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format)
    nasty = "a\r\nb\x1b[31m\x7f\x85\u2028\u202e\ud800\x00"
    structlog.get_logger().error(nasty, value=nasty, **{"k\ney": 1})
    try:
        raise ValueError(nasty)
    except ValueError:
        logging.getLogger("other").exception("failed")
    err = capsys.readouterr().err
    lines = err.removesuffix("\n").split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "Traceback" in lines[1]
    if log_format == "json":
        assert json.loads(lines[0])["value"] == nasty


@pytest.mark.parametrize("log_format", ["pretty", "json"])
def test_no_secret_gets_through(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format)
    tail = "s3cr3tTAIL" * 3
    secrets = [prefix + tail for prefix in ("rp_live_", "whk_live_", "whk_test_", "whk_sandbox_", "rsk_", "whsec_")]
    for secret in secrets:
        structlog.get_logger().info(f"got {secret}", header={"X-API-Key": [secret]})
        logging.getLogger("other").error("Bearer\n%s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            structlog.get_logger().exception("failed")
    assert "s3cr3t" not in capsys.readouterr().err


def test_masking_keeps_the_prefix_and_leaves_other_text_alone() -> None:
    assert mask_secrets("key whk_sandbox_0123456789abcdef.") == "key whk_sandbox_…."
    assert mask_secrets("prefix whk_sandbox_ or rp_live_") == "prefix whk_sandbox_ or rp_live_"


def test_configuring_twice_does_not_log_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    configure_logging("pretty")
    structlog.get_logger().info("once")
    structlog.get_logger().debug("never")
    assert capsys.readouterr().err.count("\n") == 1


def test_the_scheduler_reports_only_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logging.getLogger("apscheduler.executors.default").info("Running job")
    logging.getLogger("apscheduler.executors.default").error("Job failed")
    assert json.loads(capsys.readouterr().err)["event"] == "Job failed"


async def test_a_request_that_is_no_http_logs_nothing_but_a_failing_handler_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """aiohttp would print a traceback for every malformed request."""

    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("a fault of ours")

    configure_logging("json")
    app = web.Application()
    app.router.add_get("/", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        for request in MALFORMED:
            assert b" 400 " in await answer(host, port, request)
        assert capsys.readouterr().err == ""
        assert b" 500 " in await answer(host, port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    finally:
        await runner.cleanup()
    [line] = capsys.readouterr().err.splitlines()
    assert "a fault of ours" in json.loads(line)["exception"]


async def answer(host: str, port: int, request: bytes) -> bytes:
    """What a server answers to raw bytes, up to the end of the connection."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), timeout=5)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("log_format", ["pretty", "json"])
@pytest.mark.parametrize(
    "value", ["x" * 1_000_000, "\x1b" * 100_000, ["y" * 1_000_000], {"k": "\u202e" * 100_000}, b"z" * 1_000_000]
)
def test_a_value_cannot_fill_the_disk(log_format: LogFormat, value: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format)
    structlog.get_logger().error("e" * 1_000_000, value=value, other=value)
    logging.getLogger("other").error("%s", value)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 10 * 3 * VALUE_LIMIT for line in lines)


def test_a_secret_that_is_cut_off_is_masked_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    for filled in range(VALUE_LIMIT - 40, VALUE_LIMIT + 1):
        structlog.get_logger().info("x", value="." * filled + "whsec_" + "s3cr3tTAIL" * 5)
    assert "s3cr3t" not in capsys.readouterr().err


@pytest.mark.parametrize("log_format", ["pretty", "json"])
def test_a_value_cannot_pass_itself_off_as_another_field(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format)
    structlog.get_logger().info("x", detail='a" next="delete everything', host="h next=y", empty="")
    [line] = capsys.readouterr().err.splitlines()
    if log_format == "json":
        assert json.loads(line)["detail"] == 'a" next="delete everything'
    else:
        assert r'detail="a\" next=\"delete everything" host="h next=y" empty=""' in line


def test_a_traceback_keeps_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")

    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 30_000 + " the end")
        fall(depth - 1)

    try:
        fall(10)
    except ValueError:
        logging.getLogger("other").exception("failed")
    text = json.loads(capsys.readouterr().err)["exception"]
    assert text.endswith(" the end")
    assert len(text) <= TRACE_LIMIT + 1


def test_the_time_is_that_of_a_clock_that_was_passed_in(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", clock=lambda: 1_748_854_800_042)
    structlog.get_logger().info("x")
    assert json.loads(capsys.readouterr().err)["timestamp"] == "2025-06-02T09:00:00.042Z"
