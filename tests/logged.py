"""What is logged while a block runs, in either format; how it is logged is as before afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import structlog

from relay.log import configure_logging


class Logged:
    """The lines so far."""

    def __init__(self, written: io.StringIO) -> None:
        self._written = written

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Of the format `json`."""
        return [json.loads(line) for line in self.lines]

    def of(self, words: str) -> list[dict[str, Any]]:
        """The records that say this."""
        return [record for record in self.records if record["event"] == words]


@contextlib.contextmanager
def logged(log_format: Literal["pretty", "json"] = "json", clock: Callable[[], int] | None = None) -> Iterator[Logged]:
    root, written = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    try:
        configure_logging(log_format, clock=clock)
        [to_stderr] = set(root.handlers) - set(handlers)
        # A stream of its own: pytest puts another stderr in place between a fixture and its test.
        here = logging.StreamHandler(written)
        here.setFormatter(to_stderr.formatter)
        root.handlers = [here]
        yield Logged(written)
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
