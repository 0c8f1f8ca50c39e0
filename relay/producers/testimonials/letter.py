"""The text of an invitation mail, made when it is sent: the link in it is a credential and is not stored."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache

import jinja2

from relay.core.sender import parse_sender
from relay.producers.testimonials import customer
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.mail import Mail


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("relay.producers.testimonials"),
        autoescape=jinja2.select_autoescape(("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def write(mail: Mail, links: Links, sender: str, now_ms: int) -> bytes:
    """Plain text with an HTML alternative. No text of a customer or an operator can begin a header line."""
    token = links.token(mail.invitation_id, mail.token_version)
    workspace_name = customer.name(mail.workspace_name) or ""
    told = {
        "workspace_name": workspace_name,
        "first_name": customer.first_name(mail.customer_name),
        "intro_text": mail.intro_text,
        "link": links.url(token),
        "unsubscribe_url": links.unsubscribe_url(token),
    }
    message = EmailMessage(policy=SMTP)
    message["To"] = mail.recipient
    message["Subject"] = f"{workspace_name} would like to hear your story"
    message["Date"] = format_datetime(datetime.fromtimestamp(now_ms // 1000, UTC))
    message["Message-ID"] = mail.message_id
    message["List-Unsubscribe"] = f"<{told['unsubscribe_url']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates().get_template("invitation.txt").render(told))
    message.add_alternative(_templates().get_template("invitation.html").render(told), subtype="html")
    # Put in front as it is: the library would take the name apart again, and lose its quotes or its letters.
    return f"From: {parse_sender(sender).header}\r\n".encode("ascii") + message.as_bytes()
