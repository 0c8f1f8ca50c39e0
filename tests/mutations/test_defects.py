"""The defects can still be planted: each text they replace stands in its file once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutations.__main__ import ROOT, plant
from tests.mutations.defects import DEFECTS, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_fits_the_code_and_names_tests_that_exist(defect: Defect, tmp_path: Path) -> None:
    for name in {change.file for change in defect.changes}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    for change in defect.changes:
        plant(tmp_path, change)
        if change.file.endswith(".py"):
            ast.parse((tmp_path / change.file).read_text("utf-8"))
    for test in defect.tests:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text("utf-8")


def test_a_defect_that_no_longer_fits_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1\nx = 1\n", "utf-8")
    change = DEFECTS[0].changes[0]._replace(file="code.py", before="x = 1")
    with pytest.raises(ValueError, match="2 times"):
        plant(tmp_path, change)
