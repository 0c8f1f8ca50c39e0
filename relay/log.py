"""Logging: one line for each record, the libraries' records included, with secrets masked as a last line of defence."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.typing import EventDict, Processor, WrappedLogger

_HANDLER = "relay"
_SECRET = re.compile(r"(rp_live_|whk_(?:live_|test_|sandbox_)?|rsk_|whsec_)[A-Za-z0-9+/=_-]{9,}")
_BARE = re.compile(r"[^\s\"=]+")

VALUE_LIMIT = 500
"""Characters of one value: whoever is named in a line must not be able to fill the disk with it."""
TRACE_LIMIT = 20_000


def configure_logging(
    log_format: Literal["pretty", "json"], level: int = logging.INFO, clock: Callable[[], int] | None = None
) -> None:
    """Send every record of that level and above to stderr; calling it again changes the format.

    `clock` gives the Unix milliseconds that stand in front of a line; without it they are the machine's.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True) if clock is None else _stamp(clock),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _Stderr()
    handler.set_name(_HANDLER)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _bound,
                structlog.processors.JSONRenderer() if log_format == "json" else _pretty,
                _clean,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if other.get_name() != _HANDLER] + [handler]
    root.setLevel(level)
    logging.getLogger("aiohttp.access").disabled = True
    logging.getLogger("aiohttp.server").addFilter(_is_no_bad_request)
    # It reports every run of every chore at INFO, and one that is put off because the last still runs as a WARNING.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def mask_secrets(text: str) -> str:
    """The text with every key and signing secret cut down to its prefix and `…`."""
    return _SECRET.sub(r"\1…", text)


def printable(text: str) -> str:
    """The text with `\\uXXXX` for all that a terminal might act upon; that form is valid inside JSON strings too."""
    if text.isprintable():
        return text
    # Not printable are also line separators and text direction marks.
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


class _Stderr(logging.Handler):
    """Writes to whatever `sys.stderr` is at the moment, so that a redirected one is obeyed."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def _is_no_bad_request(record: logging.LogRecord) -> bool:
    # aiohttp logs a traceback for each request it cannot parse or whose body breaks: a stranger could fill the disk
    # with them. It has answered 400 already, and a lost connection needs no line either.
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, RequestPayloadError, ConnectionError))


def _stamp(clock: Callable[[], int]) -> Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        at = datetime.fromtimestamp(clock() / 1000, UTC)
        event["timestamp"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return stamp


def _bound(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every value a number or a text of limited length. Secrets are masked first: one that is cut is not known
    for one any more."""
    return {name: _bounded(name, value) for name, value in event.items()}


def _bounded(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = mask_secrets(str(value))
    if name == "exception":  # its end says what happened
        return text if len(text) <= TRACE_LIMIT else "…" + text[-TRACE_LIMIT:]
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT] + "…"


def _pretty(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    head = [str(event.pop("timestamp", "")), f"{event.pop('level', ''):<8}", str(event.pop("event", ""))]
    return " ".join(head + [f"{key}={_value(value)}" for key, value in event.items()])


def _value(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _clean(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """Mask and escape the finished line, so that no value, key or traceback gets around it."""
    return printable(mask_secrets(cast("str", line)))
