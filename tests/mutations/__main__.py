"""Plant each defect in a copy of the checkout and run the tests that have to catch it.

    python -m tests.mutations            # all of them
    python -m tests.mutations settled    # those whose name has this in it

Ends with 1 when a defect survives, or when the tests fail without one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tests.mutations.defects import DEFECTS, Change, Defect

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("relay", "tests", "sample_events", "pyproject.toml")
AT_ONCE = 2
LIMIT_S = 120.0


def plant(checkout: Path, change: Change) -> None:
    """Raises ValueError when the text is not there exactly once: the defect has to be described anew."""
    file = checkout / change.file
    text = file.read_text("utf-8")
    if text.count(change.before) != 1:
        raise ValueError(f"{change.file} has this {text.count(change.before)} times, not once:\n{change.before}")
    file.write_text(text.replace(change.before, change.after), "utf-8")


def run(defect: Defect) -> tuple[int, str]:
    """What pytest ends with under a defect, and what it wrote."""
    with tempfile.TemporaryDirectory(prefix="relay-mutation-") as folder:
        checkout = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, checkout / name)
        for change in defect.changes:
            plant(checkout, change)
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout=30", "-p", "no:cacheprovider", *defect.tests]
        try:
            done = subprocess.run(
                command, cwd=checkout, env=environment, timeout=LIMIT_S, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return -1, f"did not end within {LIMIT_S:.0f} s"
        return done.returncode, done.stdout + done.stderr


def is_caught(code: int, output: str) -> bool:
    """Whether a test failed; one that could not even begin has caught nothing."""
    return code == 1 and "\nFAILED " in output


def main(chosen: str = "") -> int:
    started = time.monotonic()
    control = Defect("none", (), tuple(dict.fromkeys(test for defect in DEFECTS for test in defect.tests)))
    code, output = run(control)
    if code != 0:
        click.echo(f"{output}\nthe tests fail without any defect")
        return 1
    survived = 0
    planted = [defect for defect in DEFECTS if chosen in defect.name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for defect, (code, output) in zip(planted, pool.map(run, planted), strict=True):
            click.echo(f"{'caught  ' if is_caught(code, output) else 'SURVIVED'}  {defect.name}")
            if not is_caught(code, output):
                survived += 1
                click.echo(output)
    click.echo(f"{len(planted) - survived} of {len(planted)} caught in {time.monotonic() - started:.0f} s")
    return 1 if survived or not planted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
