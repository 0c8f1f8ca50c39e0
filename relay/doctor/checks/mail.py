"""The mail server, and the mail that did not go out."""

from __future__ import annotations

from collections.abc import Iterator

from relay.doctor.finding import Area, Finding, Problem
from relay.doctor.look import Look


def server(look: Look) -> Iterator[Finding]:
    """It lets us in."""
    if look.mail is None or look.mail.fault is None:
        return
    yield Finding(
        Area.MAIL,
        Problem.MAIL_SERVER,
        str(look.installation.mail_server),
        f"The mail server cannot be used: {look.mail.fault}.",
        "See that RELAY_SMTP_URL has the right host, port and login, and that the port is open from this machine.",
        details={"reason": look.mail.fault, "with_login": look.mail.with_login},
    )


def outbox(look: Look) -> Iterator[Finding]:
    """Mail goes out."""
    content = look.read.content
    if content is None:
        return
    if content.mail_refused is not None:
        count, error = content.mail_refused
        yield Finding(
            Area.MAIL,
            Problem.MAIL_REFUSED,
            str(look.installation.mail_server or "the outbox"),
            f"{count} {'mail was' if count == 1 else 'mails were'} refused and will be tried again; the last error:"
            f" {error or 'none'}.",
            "Look at RELAY_SMTP_URL and RELAY_MAIL_FROM, and at the mail server's log.",
            details={"count": count, "reason": error},
        )
    unknown, failed = content.mail_given_up.get("unknown", 0), content.mail_given_up.get("failed", 0)
    if unknown:
        yield Finding(
            Area.MAIL,
            Problem.MAIL_UNKNOWN,
            "the outbox",
            f"{unknown} {'mail' if unknown == 1 else 'mails'} of the last day broke off when the server may have taken"
            " them.",
            "Look for them in the mail server's log; whoever did not get one can be given the link that"
            " POST /v1/magic-link answers with.",
            details={"count": unknown},
        )
    if failed:
        yield Finding(
            Area.MAIL,
            Problem.MAIL_FAILED,
            "the outbox",
            f"{failed} {'mail' if failed == 1 else 'mails'} of the last day failed for good, or must not be sent.",
            "Inviting a customer again sends the mail again; an address that does not exist has to be mended first.",
            needs_person=False,
            details={"count": failed},
        )
