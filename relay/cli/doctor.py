"""`relay doctor`: look at the whole installation; and its part for hooks alone, `relay hooks doctor`."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.log import printable
from relay.settings import load_settings

if TYPE_CHECKING:
    from relay.doctor.examine import Report

_HOOKS = "rest_hooks"


@click.command()
@click.option("--workspace", metavar="NAME", help="Only the subscriptions and the queue of this workspace.")
@click.option("--offline", is_flag=True, help="Ask no name server, no target and no mail server.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def doctor(*, workspace: str | None, offline: bool, as_json: bool, **flags: Any) -> None:
    """Look at the whole installation, and say what is wrong and what to do about each.

    At the server, its database, the queue, every subscription of every API, names, certificates, the mail server and
    settings without effect. It reads what the server left in its database, changes nothing, and sends nothing but the
    beginnings of connections. Target URLs are secrets: only the beginnings of their parts are shown.

    Ends with 0 when nothing needs a person (notes do not count); with 1 when something does, or when it could not look
    and says why on stderr.
    """
    from relay.doctor.finding import as_lines, as_row

    report = _examined(flags, workspace, offline=offline)
    if as_json:
        click.echo(json.dumps({"findings": [as_row(one) for one in report.findings], "checked": report.checked}))
    else:
        for one in report.findings:
            click.echo("\n".join(as_lines(one)) + "\n")
        click.echo("\n".join(map(printable, _summary(report))))
    _end(any(one.needs_person for one in report.findings), looked_up=not offline)


@click.command("doctor")
@click.option("--workspace", metavar="NAME", help="Only the hooks of this workspace.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def hooks_doctor(*, workspace: str | None, as_json: bool, **flags: Any) -> None:
    """Report the hooks that need a person, and what to do about each: `relay doctor` for hooks alone, offline.

    Ends with 0 when there is nothing to report; with 1 when there is, or when it could not look and says why on stderr.
    """
    from relay.doctor.finding import Area, as_lines, as_row

    report = _examined(flags, workspace, offline=True)
    if report.checked["subscriptions"] is None:
        why = next((one.what for one in report.findings if one.area is Area.DATABASE), "the database cannot be read")
        raise click.ClickException(why)
    count = report.checked["subscriptions"].get(_HOOKS, 0)
    found = [
        one
        for one in report.findings
        if one.area is Area.SUBSCRIPTIONS and one.needs_person and one.details["api"] == _HOOKS
    ]
    if as_json:
        rows = [{**as_row(one), "event_type": one.details["event_filter"][0]} for one in found]
        click.echo(json.dumps({"hooks": count, "findings": rows}))
    else:
        for one in found:
            click.echo("\n".join(as_lines(one)) + "\n")
        click.echo(f"{counted(count, 'hook')}, {counted(len(found), 'finding') if found else 'nothing wrong'}")
    _end(bool(found), looked_up=False)


def _examined(flags: dict[str, Any], workspace: str | None, *, offline: bool) -> Report:
    from relay.app import APIS, wall_clock
    from relay.doctor.examine import examine

    settings = load_settings(**flags)
    return run(examine(settings, APIS, wall_clock(), workspace_name=workspace, offline=offline))


def _summary(report: Report) -> list[str]:
    from relay.doctor.finding import moment, size

    checked = report.checked
    database, server = checked["database"], checked["server"]
    served = f"served by process {server['pid'] or 'unknown'}" if server["running"] else "not served"
    since = f", last started {moment(server['started_at'] * 1000)}" if server["started_at"] else ""
    lines = [
        f"{database['file']}: {size(database['size_bytes'])}, {size(database['free_bytes'])} free, {served}{since}"
    ]
    if checked["subscriptions"] is not None:
        each = [f"{api} {count}" for api, count in sorted(checked["subscriptions"].items())]
        total = counted(sum(checked["subscriptions"].values()), "subscription")
        more = " or more" if checked["queue"]["waiting_is_more"] else ""
        waiting = f"{checked['queue']['waiting']}{more} deliveries wait"
        lines.append(f"{total}{' (' + ', '.join(each) + ')' if each else ''}, {waiting}")
    if checked["network"] is not None:
        seen = checked["network"]
        missing = seen["names_missing"] + seen["certificates_missing"]
        lines.append(
            f"{counted(seen['names'], 'name')} and {counted(seen['certificates'], 'certificate')} looked at"
            + (f", {missing} not" if missing else "")
        )
    found = sum(one.needs_person for one in report.findings)
    notes = len(report.findings) - found
    end = counted(found, "finding") if found else "nothing wrong"
    lines.append(end + (f", {counted(notes, 'note')}" if notes else ""))
    return lines


def _end(wrong: bool, *, looked_up: bool) -> NoReturn:
    sys.stdout.flush()
    if looked_up:
        # A name look-up that hangs in the system's library cannot be cancelled, and Python would wait for its thread.
        os._exit(int(wrong))
    sys.exit(int(wrong))
