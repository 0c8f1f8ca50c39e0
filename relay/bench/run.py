"""Run the bench: each scenario on a fresh server, one after the other, with progress, and the figures at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from relay.bench.certificate import make_certificate
from relay.bench.child import child
from relay.bench.measure import NOISE_LIMIT, machine_name, memory_mb, need_proc
from relay.bench.scenario import BATCH_EVENT, INVITATION, Figures, Scenario, measure, subscribe
from relay.bench.server import serve
from relay.core.errors import InputError, RelayError
from relay.table import table

QUICK: tuple[Scenario, ...] = (
    Scenario("one", "one event, one subscription", 8_000),
    Scenario("fan_out", "one event, ten subscriptions", 1_000, fan_out=10),
    Scenario("batch", "batches of 100 events", 8_000, "/v1/events/batch", BATCH_EVENT, batch=100, connections=4),
    Scenario("hook", "an invitation, one hook", 3_000, "/v1/invitations", INVITATION, hook="invitation.created"),
    Scenario("paced_1000", "1000 events a second", 4_000, rate=1000),
    Scenario("tls", "HTTPS target, kept connections", 4_000, secure=True),
    Scenario("tls_close", "HTTPS target, new connections", 1_000, secure=True, targets="/close/"),
)
WARM_UP = 200

LONG: tuple[Scenario, ...] = (
    *(replace(one, events=one.events * 4) for one in QUICK),
    Scenario("paced_50", "50 events a second", 1_000, rate=50),
)


async def run_bench(*, long: bool, as_json: bool, only: Collection[str] = (), scale: float = 1.0) -> None:
    """Measure and print; `only` names scenarios, `scale` is a factor for their length.

    Raises RelayError when something was lost or failed.
    """
    need_proc()
    known = LONG if long else QUICK
    if unknown := sorted(set(only) - {one.name for one in known}):
        raise InputError(f'there is no scenario "{unknown[0]}"; there are: {", ".join(one.name for one in known)}')
    # Progress goes to stderr: with --json there is one object on stdout and nothing else.
    columns = TextColumn("{task.description:34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    measured = []
    with (
        tempfile.TemporaryDirectory(prefix="relay-bench-") as folder,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        for scenario in [one for one in known if not only or one.name in only]:
            smaller = replace(scenario, events=max(scenario.batch, round(scenario.events * scale)))
            task = progress.add_task(scenario.title, total=smaller.events * smaller.fan_out)
            shown = partial(_show, progress, task)
            measured.append(await _run(smaller, Path(folder) / scenario.name, shown))
    if as_json:
        _print_json(measured)
    else:
        _print_table(measured)
    broken = [one.title for one in measured if not one.complete]
    if broken:
        raise RelayError(f"something was lost or refused: {', '.join(broken)}")


def _show(progress: Progress, task: TaskID, count: int) -> None:
    progress.update(task, completed=count)


async def _run(scenario: Scenario, folder: Path, progress: Callable[[int], None]) -> Figures:
    environment, arguments = {}, []
    if scenario.secure:
        certificate = make_certificate(folder)
        environment, arguments = {"SSL_CERT_FILE": str(certificate.authority)}, [str(certificate.receiver)]
    async with (
        child("relay.bench.receiver", *arguments) as receiver,
        child("relay.bench.load") as load,
        serve(folder / "data", environment=environment) as server,
    ):
        rss_rest_mb = memory_mb(server.pid)
        await subscribe(server, scenario, (await receiver.ask())["port"])
        return await measure(
            scenario,
            server,
            receiver,
            load,
            rss_rest_mb=rss_rest_mb,
            warm_up=min(WARM_UP, scenario.events),
            progress=progress,
        )


def _print_json(measured: Sequence[Figures]) -> None:
    found = {
        "machine": machine_name(),
        "reliable": all(one.reliable for one in measured),
        "complete": all(one.complete for one in measured),
        "scenarios": [asdict(one) for one in measured],
    }
    click.echo(orjson.dumps(found))


def _print_table(measured: Sequence[Figures]) -> None:
    titles = (
        f"Relay on {machine_name()}",
        "cpu ms/1000 events",
        "cpu ms/1000 deliveries",
        "delivered/s",
        "ingest ms p50/p99",
        "end to end ms p50/p99",
        "memory MB rest/peak",
        "lost, twice, failed",
        "others' share",
    )
    rows = [
        (
            one.title,
            f"{one.cpu_ms_per_1000_events:.0f}",
            f"{one.cpu_ms_per_1000_deliveries:.0f}",
            f"{one.delivered_per_s:.0f}",
            f"{one.ingest_ms['p50']:.1f} / {one.ingest_ms['p99']:.1f}",
            f"{one.e2e_ms['p50']:.1f} / {one.e2e_ms['p99']:.1f}",
            f"{one.rss_rest_mb:.0f} / {one.rss_peak_mb:.0f}",
            f"{one.lost}, {one.duplicates}, {one.failed}",
            f"{one.others_share:.0%}{'' if one.reliable else ' !'}",
        )
        for one in measured
    ]
    click.echo(table(titles, rows))
    console = Console()
    console.print(table)
    console.print(
        "CPU is that of the server alone; one process uses one core, so it takes about 1,000,000 / CPU ms events a "
        "second. End to end is from handing in to arriving at the receiver, which under full load is mostly waiting."
    )
    for one in measured:
        if one.name.startswith("tls"):
            console.print(
                f"{one.title}: {one.connections} were opened; {one.resumed} of them resumed their TLS session."
            )
    if not all(one.reliable for one in measured):
        console.print(
            f"[bold]Figures marked ! are unreliable:[/] others used more than {NOISE_LIMIT:.0%} of this machine "
            f"meanwhile, of which the hypervisor took up to {max(one.steal_share for one in measured):.0%}."
        )
