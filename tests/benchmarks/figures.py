"""A figure, the goal beside it, and when neither may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from relay.bench.measure import machine_name
from relay.bench.scenario import Figures


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. With a `base` the goal is for the ratio, without for the value itself."""

    what: str
    value: float
    unit: str
    base: float | None = None
    goal: float | None = None
    reliable: bool = True

    @property
    def ratio(self) -> float | None:
        return None if self.base is None else self.value / max(self.base, 1e-9)

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if not self.reliable:
            return "no verdict"
        return "met" if (self.value if self.ratio is None else self.ratio) <= self.goal else "missed"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


def compare(what: str, unit: str, goal: float, base: Sequence[float], other: Sequence[float], *, reliable: bool) -> Row:
    """The medians of interleaved runs against each other."""
    return Row(what, median(other), unit, median(base), goal, reliable)


def complete(runs: Sequence[Figures], name: str) -> Row:
    """What was refused, or had not come 15 s after the last that did: nothing may, however busy the machine."""
    return Row(f"refused or not come, {name}", sum(one.lost + one.failed for one in runs), "", goal=0)


def show(name: str, scale: float, rows: Sequence[Row]) -> None:
    title = f"{name}{'' if scale == 1 else f' at a scale of {scale:g}'}, {machine_name()}"
    right = [Column(header, justify="right") for header in ("without", "measured", "ratio", "goal", "verdict")]
    table = Table("", *right, title=title)
    for row in rows:
        table.add_row(
            row.what,
            "" if row.base is None else f"{row.base:.2f} {row.unit}",
            f"{row.value:.2f} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.goal is None else f"{row.goal:g}{'' if row.ratio is None else ' x'}",
            row.verdict,
        )
    console = Console()
    console.print(table)
    if any(row.verdict == "no verdict" for row in rows):
        console.print("No verdict: others used too much of this machine meanwhile. Run it again when it is quiet.")
