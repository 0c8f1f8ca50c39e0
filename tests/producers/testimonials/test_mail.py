"""The outbox, against a real database and a real SMTP server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.core.conditions import Change, Condition, Conditions
from relay.core.errors import StartError
from relay.core.model import Event
from relay.delivery.publish import Published
from relay.producers.testimonials import invitations, mail
from relay.producers.testimonials.invitations import Invited, Wanted
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mail import MailRecord, MailState
from relay.producers.testimonials.mailer import Mailer
from relay.producers.testimonials.model import Customer, InvitationSource
from relay.producers.testimonials.smtp import parse_server
from relay.store import workspaces
from relay.store.database import Steps, work
from relay.store.secrets import Secrets
from relay.store.sqlite import SqliteDatabase, open_sqlite
from tests.logged import logged
from tests.producers.testimonials.mail_server import MailServer, mail_server

SENDER = "Acme Stories <stories@acme.example>"
LINKS = Links(Secrets(["key"]), "https://relay.example.com")


@work
def publish(event: Event) -> Steps[Published]:
    """Nobody listens here."""
    yield from ()
    return Published(event, ())


class Outbox:
    """A workspace that invites customers and mails them; time stands still unless `now_ms` is changed."""

    def __init__(self, database: SqliteDatabase, server: MailServer, workspace_id: str) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self.now_ms = 1_791_209_000_000
        self.told: list[Change] = []
        self.conditions = Conditions(time.monotonic, self.told.append)
        self.mailer = self.mailer_of(server.url)

    def mailer_of(self, url: str) -> Mailer:
        return Mailer(self.database, LINKS, lambda: self.now_ms, parse_server(url), SENDER, self.conditions)

    async def invite(
        self, email: str = "dana@example.com", name: str | None = "Dana Whitlock", *, send: bool = True
    ) -> Invited:
        wanted = Wanted(self.workspace_id, Customer(email, name), None, InvitationSource.API, SENDER if send else None)
        return await self.database.write(invitations.invite(wanted, LINKS, publish, self.now_ms))

    async def record(self, invited: Invited) -> MailRecord | None:
        return await self.database.read(mail.of_invitation(invited.invitation.id))

    async def state(self, invited: Invited) -> MailState | None:
        record = await self.record(invited)
        return None if record is None else record.state


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
async def outbox(tmp_path: Path, server: MailServer) -> AsyncIterator[Outbox]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("Acme", 1))
        yield Outbox(database, server, workspace.id)


async def test_a_mail_is_sent_once(outbox: Outbox, server: MailServer) -> None:
    invited = await outbox.invite()
    assert invited.mail_queued
    await outbox.mailer.send_due()
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.SENT
    assert server.recipients == ["dana@example.com"]
    assert not (await outbox.invite()).mail_queued


async def test_a_mail_says_who_asks_and_how_to_be_left_alone(outbox: Outbox, server: MailServer) -> None:
    invited = await outbox.invite()
    await outbox.mailer.send_due()
    (received,) = server.mails
    link = LINKS.url(LINKS.token_of(invited.invitation))
    assert received["From"] == SENDER
    assert received["To"] == "dana@example.com"
    assert received["Subject"] == "Acme would like to hear your story"
    assert received["Message-ID"].endswith("@acme.example>")
    assert received["List-Unsubscribe"] == f"<{link}/unsubscribe>"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for kind in ("plain", "html"):
        part = received.get_body((kind,))
        assert part is not None
        text = part.get_content()
        assert link in text
        assert "Dana" in text


async def test_a_hostile_name_stays_text(outbox: Outbox, server: MailServer) -> None:
    """Neither a header nor markup can be made of it, even if it came past the API."""
    await outbox.invite(name="<b>Dana</b>\r\nBcc:eve@example.com")
    await outbox.mailer.send_due()
    (received,) = server.mails
    assert received["Bcc"] is None
    assert server.recipients == ["dana@example.com"]
    html = received.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;Dana" in html.get_content()
    assert "<b>" not in html.get_content()


async def test_a_refusal_for_now_is_tried_again_later_and_later(outbox: Outbox, server: MailServer) -> None:
    server.rcpt_answers = ["450 try again"] * 2
    server.data_answers = ["451 try again"]
    invited = await outbox.invite()
    for wait_s in (60, 300, 1800):
        await outbox.mailer.send_due()
        record = await outbox.record(invited)
        assert record is not None
        assert record.state is MailState.QUEUED
        assert record.next_attempt_at_ms == outbox.now_ms + wait_s * 1000
        await outbox.mailer.send_due()  # not before its time
        outbox.now_ms += wait_s * 1000
    assert server.dialogues == 3
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.SENT
    assert len(server.mails) == 1


async def test_a_mail_that_nobody_takes_fails_and_inviting_again_queues_it_again(
    outbox: Outbox, server: MailServer
) -> None:
    server.rcpt_answers = ["450 try again"] * 6
    invited = await outbox.invite()
    for wait_s in (*mail.RETRY_SCHEDULE_S, 0):
        await outbox.mailer.send_due()
        outbox.now_ms += wait_s * 1000
    assert await outbox.state(invited) is MailState.FAILED
    again = await outbox.invite()
    assert again.reused
    assert again.mail_queued
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.SENT


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_a_refusal_for_good_is_not_tried_again(outbox: Outbox, server: MailServer, step: str) -> None:
    getattr(server, f"{step}_answers").append("550 no such mailbox")
    invited = await outbox.invite()
    await outbox.mailer.send_due()
    record = await outbox.record(invited)
    assert record is not None
    assert record.state is MailState.FAILED
    assert "550" in (record.last_error or "")


async def test_a_connection_cut_after_the_text_leaves_it_unknown(outbox: Outbox, server: MailServer) -> None:
    """It may have arrived: neither time nor another invitation sends it again."""
    server.data_answers = ["cut"]
    invited = await outbox.invite()
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.UNKNOWN
    outbox.now_ms += 86_400_000
    assert not (await outbox.invite()).mail_queued
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.UNKNOWN
    assert server.dialogues == 1


async def test_a_server_that_is_down_is_waited_for(outbox: Outbox, unused_tcp_port: int) -> None:
    invited = await outbox.invite()
    await outbox.mailer_of(f"smtp://127.0.0.1:{unused_tcp_port}").send_due()
    assert await outbox.state(invited) is MailState.QUEUED
    assert outbox.conditions.current == (Condition.MAIL_REFUSED,)
    outbox.now_ms += 60_000
    await outbox.mailer.send_due()
    assert [change.lasted_s is None for change in outbox.told] == [True, False]


async def test_a_mail_left_behind_by_a_crash_is_unknown(outbox: Outbox, server: MailServer) -> None:
    invited = await outbox.invite()
    assert await outbox.database.write(mail.claim(outbox.now_ms)) is not None  # and here the process dies
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.SENDING  # somebody may be at it
    outbox.now_ms += mail.SENDING_LIMIT_MS
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.UNKNOWN
    assert server.dialogues == 0


async def test_who_asked_to_be_left_alone_gets_no_mail(outbox: Outbox, server: MailServer) -> None:
    """The list is looked at when a mail is sent, too: it may have waited since before."""
    invited = await outbox.invite()
    named = LINKS.read(LINKS.token_of(invited.invitation))
    assert named is not None
    assert await outbox.database.write(invitations.refuse_mail(named, outbox.now_ms))
    await outbox.mailer.send_due()
    assert await outbox.state(invited) is MailState.FAILED
    assert not (await outbox.invite()).mail_queued
    assert server.dialogues == 0


async def test_a_customer_who_was_invited_without_mail_can_be_mailed_later(outbox: Outbox) -> None:
    invited = await outbox.invite(send=False)
    assert await outbox.state(invited) is None
    again = await outbox.invite()
    assert again.reused
    assert again.mail_queued


async def test_parallel_senders_send_each_mail_once(outbox: Outbox, server: MailServer) -> None:
    other = outbox.mailer_of(server.url)
    for number in range(6):
        await outbox.invite(f"c{number}@example.com")
    await asyncio.gather(outbox.mailer.send_due(), other.send_due())
    assert sorted(server.recipients) == [f"c{number}@example.com" for number in range(6)]


def test_a_password_is_only_sent_over_tls_except_to_this_machine() -> None:
    assert parse_server("smtp://u:p%40ss@mail.example.com").start_tls is True
    assert parse_server("smtp://u:p%40ss@mail.example.com").port == 587
    assert parse_server("smtp://u:p%40ss@mail.example.com").password == "p@ss"
    assert parse_server("smtp://u:p@127.0.0.1:2525").start_tls is None
    assert parse_server("smtp://mail.example.com").port == 25
    tls = parse_server("smtps://u:p@mail.example.com")
    assert (tls.tls, tls.start_tls, tls.port) == (True, False, 465)


@pytest.mark.parametrize("url", ["", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:99999"])
def test_a_mail_server_that_cannot_be_understood_stops_the_start(url: str) -> None:
    with pytest.raises(StartError, match="RELAY_SMTP_URL"):
        parse_server(url)


async def test_a_mail_server_that_is_down_is_said_once_and_its_return_too(
    outbox: Outbox, server: MailServer, unused_tcp_port: int
) -> None:
    told: list[Change] = []
    conditions = Conditions(lambda: outbox.now_ms / 1000, told.append)
    down = parse_server(f"smtp://user:s3cr3t@127.0.0.1:{unused_tcp_port}")
    mailer = Mailer(outbox.database, LINKS, lambda: outbox.now_ms, down, SENDER, conditions)
    for number in range(4):
        await outbox.invite(f"c{number}@example.com")
    with logged() as log:
        await mailer.send_due()
        outbox.now_ms += 60_000
        await mailer.send_due()
        assert [(one.condition, one.lasted_s) for one in told] == [(Condition.MAIL_REFUSED, None)]
        assert "s3cr3t" not in told[0].detail
        mailer._server = parse_server(server.url)
        outbox.now_ms += 300_000
        await mailer.send_due()
    assert [one.lasted_s for one in told[1:]] == [360]
    assert len(server.recipients) == 4
    assert log.lines == [], "no line for each mail that waits"


@pytest.mark.parametrize("answer", ["450 not now", "550 no such mailbox"])
async def test_a_recipient_that_is_refused_says_nothing_against_the_server(
    outbox: Outbox, server: MailServer, answer: str
) -> None:
    told: list[Change] = []
    conditions = Conditions(lambda: 0.0, told.append)
    mailer = Mailer(outbox.database, LINKS, lambda: outbox.now_ms, parse_server(server.url), SENDER, conditions)
    server.rcpt_answers = [answer]
    await outbox.invite()
    await mailer.send_due()
    assert told == []
    conditions.begin(Condition.MAIL_REFUSED)
    server.rcpt_answers = [answer]
    await outbox.invite("other@example.com")
    await mailer.send_due()
    assert [one.lasted_s for one in told] == [None, 0.0], "it took part in the dialogue"


async def test_mails_that_are_given_up_are_one_line_without_addresses(outbox: Outbox, server: MailServer) -> None:
    server.rcpt_answers = ["550 <dana@example.com>: no such \x1b[31m mailbox"] * 20
    for number in range(20):
        await outbox.invite(f"dana{number}@example.com")
    with logged() as log:
        await outbox.mailer.send_due()
        await outbox.invite("late@example.com")
        server.data_answers = ["cut"]
        await outbox.mailer.send_due()
        assert len(log.lines) == 1, "the next line is a minute later"
        await outbox.mailer.stop(1)
    first, last = log.records
    assert (first["event"], first["mails"], first["state"]) == ("invitation mails were given up", 20, "failed")
    assert (last["mails"], last["state"]) == (1, "unknown")
    assert "550" in first["reason"]
    assert first["invitation_id"].startswith("inv_")
    assert "example.com" not in log.text
    assert all(line.isprintable() for line in log.lines)
