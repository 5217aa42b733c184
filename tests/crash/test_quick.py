"""The quick part: some cases of every attack. `python -m tests.crash` tries all of them."""

from pathlib import Path

import pytest

from tests.crash.rows import ROWS, Row


@pytest.mark.parametrize("row", [row for row in ROWS if row.quick], ids=lambda row: row.name)
def test_nothing_is_lost_and_nothing_believed(row: Row, tmp_path: Path) -> None:
    outcomes = list(row.outcomes(tmp_path, row.quick, seed=0))
    assert [f"{outcome.case}: {outcome.problem}" for outcome in outcomes if outcome.problem] == []
    assert outcomes
