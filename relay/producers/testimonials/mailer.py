"""Sends what waits in the outbox, one mail at a time: at once after a commit that queued one, else at the next tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import parseaddr

import structlog

from relay.core.conditions import Condition, Conditions
from relay.delivery.clocks import StepBack
from relay.producers.testimonials import letter, mail, smtp
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mail import MailOutcome, MailState
from relay.store.database import Database

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
        conditions: Conditions,
    ) -> None:
        self._database = database
        self._links = links
        self._clock = clock
        self._server = server
        self._sender = sender
        self._conditions = conditions
        self._step_back = StepBack(clock)
        self._stopping = False
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
        self._step_back.see()
        if self._stopping:
            return  # it waits in the outbox
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
            if by_ms := self._step_back.look():
                await self._database.write(mail.set_back(self._clock(), by_ms))
            await self._database.write(mail.abandon(self._clock()))
            while not self._stopping:
                claimed = await self._database.write(mail.claim(self._clock()))
                if claimed is None:
                    return
                await self._hand_in(claimed, server, sender)

    async def _hand_in(self, claimed: mail.Mail, server: smtp.MailServer, sender: str) -> None:
        try:
            outcome = await self._send(claimed, server, sender)
        except asyncio.CancelledError:
            await self._database.write(mail.put_back(claimed.id, self._clock()))
            raise
        self._step_back.see()
        await self._database.write(mail.settle(claimed, outcome, self._clock()))
        if outcome.is_servers:
            self._conditions.begin(Condition.MAIL_REFUSED, outcome.error or "")
        elif outcome.state is MailState.SENT:
            self._conditions.end(Condition.MAIL_REFUSED)
        if outcome.state is not MailState.SENT:
            log.warning("an invitation mail did not go out", email_id=claimed.id, state=outcome.state.value)

    async def _send(self, claimed: mail.Mail, server: smtp.MailServer, sender: str) -> MailOutcome:
        if claimed.is_suppressed:
            return MailOutcome(MailState.FAILED, "this address must not be written to")
        try:
            text = letter.write(claimed, self._links, sender, self._clock())
        except Exception as error:
            # Left as it is it would be taken for one that may have arrived.
            log.exception("a mail cannot be written", email_id=claimed.id)
            return MailOutcome(MailState.QUEUED, f"it could not be written: {type(error).__name__}")
        return await smtp.post(server, parseaddr(sender)[1], claimed.recipient, text)

    async def stop(self, grace_s: float) -> None:
        """Take no other mail, and let the one that is being sent get through.

        One that takes longer is put back when its text was not offered yet; else only a person can tell.
        """
        self._stopping = True
        if self._woken is not None and not self._woken.done():
            await asyncio.wait([self._woken], timeout=grace_s)
            self._woken.cancel()
            await asyncio.wait([self._woken])
