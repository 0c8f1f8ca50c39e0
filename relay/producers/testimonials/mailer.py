"""Sends what waits in the outbox, one mail at a time: at once after a commit that queued one, else at the next tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from relay.core.sender import parse_sender
from relay.producers.testimonials import letter, mail, smtp
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mail import MailOutcome, MailState
from relay.store.database import Database

CLOSE_LIMIT_S = 5.0

log = structlog.get_logger()


class Mailer:
    """`sender` is what stands in From; without it, or without a server, nothing is ever queued or sent."""

    def __init__(
        self,
        database: Database,
        links: Links,
        clock: Callable[[], int],
        server: smtp.MailServer | None,
        sender: str | None,
    ) -> None:
        self._database = database
        self._links = links
        self._clock = clock
        self._server = server
        self._sender = sender
        self._one_at_a_time = asyncio.Lock()
        self._woken: asyncio.Task[None] | None = None
        self._wanted = False
        self._said_missing = False

    @property
    def sender(self) -> str | None:
        """Who mail comes from, or None when no mail can be sent."""
        return self._sender if self._server is not None else None

    def sender_wanted(self) -> str | None:
        """`sender`, for somebody who wants to mail; that there is none is said in the log, once."""
        if self.sender is None and not self._said_missing:
            self._said_missing = True
            log.warning("no mail server is configured; invitations are made, but their links are not mailed")
        return self.sender

    def wake(self) -> None:
        """Something was queued: send it now, without making anybody wait for it."""
        self._wanted = True
        if self._woken is None or self._woken.done():
            self._woken = asyncio.create_task(self._send_soon())

    async def _send_soon(self) -> None:
        while self._wanted:  # what is queued while the last mail goes out must not wait for the next tick
            self._wanted = False
            try:
                await self.send_due()
            except Exception:
                log.exception("mail put off")

    async def send_due(self) -> None:
        """Send all that is due; the chore that retries."""
        server, sender = self._server, self.sender
        if server is None or sender is None:
            return
        async with self._one_at_a_time:
            await self._database.write(mail.abandon(self._clock()))
            while (claimed := await self._database.write(mail.claim(self._clock()))) is not None:
                outcome = await self._send(claimed, server, sender)
                await self._database.write(mail.settle(claimed, outcome, self._clock()))
                if outcome.state is not MailState.SENT:
                    log.warning("an invitation mail did not go out", email_id=claimed.id, state=outcome.state.value)

    async def _send(self, claimed: mail.Mail, server: smtp.MailServer, sender: str) -> MailOutcome:
        if claimed.is_suppressed:
            return MailOutcome(MailState.FAILED, "this address must not be written to")
        text = letter.write(claimed, self._links, sender, self._clock())
        return await smtp.post(server, parse_sender(sender).address, claimed.recipient, text)

    async def close(self) -> None:
        """Let the mail that is being sent get through; one that takes too long is left behind as `sending`."""
        if self._woken is not None and not self._woken.done():
            await asyncio.wait([self._woken], timeout=CLOSE_LIMIT_S)
            self._woken.cancel()
            await asyncio.wait([self._woken])
