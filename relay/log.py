"""Logging: one line for each record, the libraries' records included, with secrets masked as a last line of defence."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Literal, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.typing import EventDict, Processor, WrappedLogger

_HANDLER = "relay"
_SECRET = re.compile(r"(rp_live_|whk_(?:live_|test_|sandbox_)?|rsk_|whsec_)[A-Za-z0-9+/=_-]{9,}")
_BARE = re.compile(r"[^\s\"=]+")


def configure_logging(log_format: Literal["pretty", "json"], level: int = logging.INFO) -> None:
    """Send every record of that level and above to stderr; calling it again changes the format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
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


def _pretty(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    head = [str(event.pop("timestamp", "")), f"{event.pop('level', ''):<8}", str(event.pop("event", ""))]
    return " ".join(head + [f"{key}={_value(value)}" for key, value in event.items()])


def _value(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _clean(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """Mask and escape the finished line, so that no value, key or traceback gets around it."""
    return printable(mask_secrets(cast("str", line)))
