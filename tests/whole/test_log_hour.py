"""The log of a scripted hour is the one in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whole.log_hour import DOCUMENT, all_blocks, blocks

RENEW = "python -m tests.whole.log_hour renews it"


@pytest.mark.timeout(120)
async def test_the_documentation_has_what_the_log_says_in_a_scripted_hour(tmp_path: Path) -> None:
    documented = blocks(DOCUMENT.read_text())

    said = await all_blocks(tmp_path)

    assert said.keys() == documented.keys()
    for name, text in said.items():
        assert text.splitlines() == documented[name].splitlines(), RENEW
