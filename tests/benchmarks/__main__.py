"""Run one benchmark and print its figures with the goals beside them. Each is bounded in time and stays on loopback."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import click

from relay.bench.measure import machine_name, need_proc
from relay.core.errors import RelayError
from tests.benchmarks import backlog, fairness, forward, no_match, paging, rest
from tests.benchmarks.figures import Row, show

BENCHMARKS = {
    "forward": forward.run,
    "backlog": backlog.run,
    "no_match": no_match.run,
    "paging": paging.run,
    "rest": rest.run,
    "fairness": fairness.run,
}


def measured(name: str, scale: float) -> list[Row]:
    """Run a benchmark in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix=f"relay-{name}-") as folder:
        return asyncio.run(BENCHMARKS[name](Path(folder), scale))


@click.command()
@click.argument("name", type=click.Choice(list(BENCHMARKS)))
@click.option("--scale", type=click.FloatRange(0.0001, 10), default=1.0, help="A factor for sizes and times.")
@click.option("--json", "as_json", is_flag=True)
def main(name: str, scale: float, *, as_json: bool) -> None:
    """Exit code 0 unless a goal was missed on a quiet machine."""
    try:
        need_proc()
        rows = measured(name, scale)
    except RelayError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        click.echo(json.dumps({"machine": machine_name(), "rows": [row.as_json() for row in rows]}))
    else:
        show(name, scale, rows)
    sys.exit(any(row.verdict == "missed" for row in rows))


if __name__ == "__main__":
    main()
