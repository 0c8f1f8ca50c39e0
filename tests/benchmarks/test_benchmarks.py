"""The benchmarks work: each runs once on a tiny stage. How quick anything was is not looked at here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relay.bench.measure import NOISE_LIMIT
from relay.bench.run import run_bench
from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.figures import Row


@pytest.mark.parametrize("name", list(BENCHMARKS))
async def test_a_benchmark_measures(name: str, tmp_path: Path) -> None:
    rows = await BENCHMARKS[name](tmp_path, 0.001)

    assert rows
    assert all(row.value >= 0 for row in rows)
    assert all(row.verdict != "missed" for row in rows if row.what.startswith("refused"))


async def test_the_bench_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    await run_bench(long=False, as_json=True, only=["tls_close"], scale=0.05)

    [scenario] = json.loads(capsys.readouterr().out)["scenarios"]
    assert scenario["events"] == scenario["deliveries"] == scenario["connections"] > 0
    assert scenario["lost"] == scenario["failed"] == 0
    assert scenario["reliable"] == (scenario["others_share"] <= NOISE_LIMIT)


def test_a_figure_that_may_not_be_believed_gets_no_verdict() -> None:
    assert Row("p99", 4.0, "ms", 2.0, goal=1.3).verdict == "missed"
    assert Row("p99", 2.1, "ms", 2.0, goal=1.3).verdict == "met"
    assert Row("p99", 4.0, "ms", 2.0, goal=1.3, reliable=False).verdict == "no verdict"
    assert Row("start", 4.0, "s", goal=5).verdict == "met"
    assert Row("p50", 4.0, "ms").verdict == ""
