"""`relay hooks`: find the hooks with which something is probably wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.core.errors import NotFound
from relay.log import printable
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.apis.rest_hooks.doctor import Finding


@click.group()
def hooks() -> None:
    """Look after the hooks of no-code platforms; also while the server runs."""


@hooks.command()
@click.option("--workspace", metavar="NAME", help="Only the hooks of this workspace.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def doctor(*, workspace: str | None, as_json: bool, **flags: Any) -> None:
    """Report hooks that are probably wrong, and what to do about each.

    Those subscribed twice, those whose target may not be sent to or has only ever failed, those that Relay ended. Catch
    URLs are secrets: only the beginnings of their parts are shown.

    Ends with 0 when there is nothing to report; with 1 when there is, or when it could not look and says why on stderr.
    """
    count, found = run(_examine(load_settings(**flags), workspace))
    if as_json:
        click.echo(json.dumps({"hooks": count, "findings": [_row(one) for one in found]}))
    else:
        for one in found:
            click.echo("\n".join(_lines(one)) + "\n")
        click.echo(f"{counted(count, 'hook')}, {counted(len(found), 'finding') if found else 'nothing wrong'}")
    if found:
        click.get_current_context().exit(1)


async def _examine(settings: Settings, workspace_name: str | None) -> tuple[int, list[Finding]]:
    """How many hooks there are, and what is found."""
    from relay.apis.rest_hooks.doctor import examine, findings
    from relay.app import open_store
    from relay.delivery.guard import Allowed, Guard
    from relay.store import workspaces

    guard = Guard(Allowed.parse(settings.allow_targets))
    async with open_store(settings, read_only=True) as database:
        if workspace_name is not None and await database.read(workspaces.by_name(workspace_name)) is None:
            raise NotFound(f'there is no workspace "{workspace_name}"; relay workspaces list shows them')
        examined = await database.read(examine(workspace_name))
    return len(examined), findings(examined, guard.check_target)


def _row(one: Finding) -> dict[str, Any]:
    from relay.apis.rest_hooks.masked import masked

    return {
        "problem": one.problem.value,
        "id": one.hook.id,
        "workspace": one.workspace_name,
        "event_type": one.hook.event_filter[0],
        "source": one.hook.source,
        "external_ref": one.hook.external_ref,
        "target_url": masked(one.hook.target_url),
        "created_at": one.hook.created_at_ms // 1000,
        **one.details,
        "what": one.what,
        "advice": one.advice,
    }


def _lines(one: Finding) -> list[str]:
    row = _row(one)
    of_flow = f' "{row["external_ref"]}"' if row["external_ref"] else ""
    lines = [
        f"{row['problem']}: {row['id']}",
        f"  {row['event_type']} for {row['source']}{of_flow}, workspace {row['workspace']}",
        f"  {row['target_url']}",
        f"  {row['what']}",
        f"  {row['advice']}",
    ]
    return [printable(line) for line in lines]
