"""Sends what waits in the outbox, one mail at a time: at once after a commit that queued one, else at the next tick."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import structlog

from relay.core.conditions import Condition, Conditions
from relay.core.sender import parse_sender
from relay.core.tally import Tally
from relay.delivery.clocks import StepBack
from relay.producers.testimonials import letter, mail, smtp
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mail import MailOutcome, MailState
from relay.store.database import Database

TELL_S = 60.0
"""How seldom the mails that were given up are told of."""

_ADDRESS = re.compile(r"[^\s<>()\[\]'\",:;]+@[^\s<>()\[\]'\",:;]+")
_NEXT = {
    MailState.FAILED: "correct the address, or hand the link over yourself: POST /v1/magic-link",
    MailState.UNKNOWN: "ask whether it came, it is not sent twice; POST /v1/magic-link gives the link",
}

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
        """`conditions` are told when the mail server takes no mail from us, and when it does again."""
        self._database = database
        self._links = links
        self._clock = clock
        self._server = server
        self._sender = sender
        self._conditions = conditions
        self._step_back = StepBack(clock)
        self._stopping = False
        self._given_up: Tally[MailState, tuple[mail.Mail, str]] = Tally(len(MailState))
        self._told_at_s = -TELL_S
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
            next_step = "set RELAY_SMTP_URL and RELAY_MAIL_FROM, or hand the links over yourself"
            log.warning("invitations are made, but not mailed", reason="no mail server is configured", next=next_step)
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
                log.exception("mail was put off", next="report it with this line; the mails are tried again")

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
                    break
                await self._hand_in(claimed, server, sender)
            self._tell()

    async def _hand_in(self, claimed: mail.Mail, server: smtp.MailServer, sender: str) -> None:
        try:
            outcome = await self._send(claimed, server, sender)
        except asyncio.CancelledError:
            await self._database.write(mail.put_back(claimed.id, self._clock()))
            raise
        self._step_back.see()
        await self._database.write(mail.settle(claimed, outcome, self._clock()))
        self._note(claimed, outcome)

    def _note(self, claimed: mail.Mail, outcome: MailOutcome) -> None:
        if outcome.is_served is not None:
            change = self._conditions.end if outcome.is_served else self._conditions.begin
            change(Condition.MAIL_REFUSED, _without_addresses(outcome))
        came_to = mail.settled(outcome, claimed.attempts_made)
        if came_to.state in _NEXT:
            self._given_up.add(came_to.state, 1, (claimed, _without_addresses(outcome)))

    def _tell(self, *, at_once: bool = False) -> None:
        """One line for all that were given up within a minute."""
        now_s = time.monotonic()
        if not self._given_up or (now_s - self._told_at_s < TELL_S and not at_once):
            return
        self._told_at_s = now_s
        for state, count, (newest, reason) in self._given_up.take(len(MailState))[0]:
            log.warning(
                "invitation mails were given up",
                mails=count,
                state=state.value,
                mail_id=newest.id,
                invitation_id=newest.invitation_id,
                reason=reason,
                next=_NEXT[state],
            )

    async def _send(self, claimed: mail.Mail, server: smtp.MailServer, sender: str) -> MailOutcome:
        if claimed.is_suppressed:
            return MailOutcome(MailState.FAILED, "this address must not be written to")
        try:
            text = letter.write(claimed, self._links, sender, self._clock())
        except Exception as error:
            # Left as it is it would be taken for one that may have arrived.
            log.exception("a mail cannot be written", email_id=claimed.id)
            return MailOutcome(MailState.QUEUED, f"it could not be written: {type(error).__name__}")
        return await smtp.post(server, parse_sender(sender).address, claimed.recipient, text)

    async def stop(self, grace_s: float) -> None:
        """Take no other mail, and let the one that is being sent get through.

        One that takes longer is put back when its text was not offered yet; else only a person can tell.
        """
        self._stopping = True
        if self._woken is not None and not self._woken.done():
            await asyncio.wait([self._woken], timeout=grace_s)
            self._woken.cancel()
            await asyncio.wait([self._woken])
        self._tell(at_once=True)


def _without_addresses(outcome: MailOutcome) -> str:
    """What the server said. Whom it was about is nobody's business who reads a log."""
    return _ADDRESS.sub("…@…", outcome.error or "")
