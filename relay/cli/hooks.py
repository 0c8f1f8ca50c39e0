"""`relay hooks`: look after the hooks of no-code platforms."""

from __future__ import annotations

import click

from relay.cli.doctor import hooks_doctor


@click.group()
def hooks() -> None:
    """Look after the hooks of no-code platforms; also while the server runs."""


hooks.add_command(hooks_doctor)
