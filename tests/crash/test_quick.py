"""The quick part: some cases of every attack. `python -m tests.crash` tries all of them."""

import re
from pathlib import Path

import pytest

from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import SweepDirectory
from tests.crash.rows import ROWS, Row
from tests.crash.special_files import RUN_FILES, SWEEP_FILES


@pytest.mark.parametrize("row", [row for row in ROWS if row.quick], ids=lambda row: row.name)
def test_nothing_is_lost_and_nothing_believed(row: Row, tmp_path: Path) -> None:
    outcomes = list(row.outcomes(tmp_path, row.quick, seed=0))
    assert [f"{outcome.case}: {outcome.problem}" for outcome in outcomes if outcome.problem] == []
    assert outcomes


@pytest.mark.parametrize(
    ("kind", "attacked"), [(RunDirectory, RUN_FILES), (SweepDirectory, SWEEP_FILES)], ids=["a run", "a sweep"]
)
def test_every_file_is_attacked(kind: type, attacked: tuple[str, ...]) -> None:
    names = [name for name, member in vars(kind).items() if isinstance(member, property)]
    paths = [path for path in (getattr(kind(Path("here")), name) for name in names) if isinstance(path, Path)]
    assert paths
    assert {path.name for path in paths} <= set(attacked)


def test_the_figures_are_of_these_attacks() -> None:
    figures = (Path(__file__).parent / "README.md").read_text(encoding="utf-8").partition("## Figures")[2]
    assert re.findall(r"^\| `([\w-]+)` \|", figures, re.MULTILINE) == [row.name for row in ROWS]
