"""The texts of the mails and pages, as jinja2 templates; everything in HTML is escaped."""

from __future__ import annotations

import jinja2

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__name__, package_path="."),
    autoescape=jinja2.select_autoescape(("html",), default=False),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(name: str, **told: object) -> str:
    """The text of a template."""
    return _ENVIRONMENT.get_template(name).render(told)
