"""A real SMTP server on loopback that takes, refuses or hangs up, as told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP

# It is not part of what is tested, and its log is not Relay's.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class MailServer:
    """What it took is in `mails`; each request to it takes the next of the answers that were set, then "250 OK"."""

    def __init__(self) -> None:
        self.port = 0
        self._arrived = asyncio.Condition()
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.dialogues = 0
        self.rcpt_answers: list[str] = []
        self.data_answers: list[str] = []
        """`cut` hangs up once the whole text has come."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, server: SMTP, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.dialogues += 1
        answer = self.rcpt_answers.pop(0) if self.rcpt_answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer == "cut":
            # A cast and no isinstance: uvloop's transports are none of asyncio's classes.
            cast("asyncio.Transport", server.transport).abort()
            return "250 never heard"
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
            async with self._arrived:
                self._arrived.notify_all()
        return answer

    async def until(self, count: int) -> None:
        """Wait until so many mails were taken."""
        async with asyncio.timeout(20), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)


@contextlib.asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    told = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(told, hostname="mail.test"), "127.0.0.1", 0)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()
        await server.wait_closed()
