"""A sweep that was killed in the middle of a stack (`tests/records/stopped_sweep`, by lossrun 0.2.0 with torch 2.13)
goes on. It has 2 learning rates in one stack, 2 seeds, 3 epochs of 3 steps, and was killed after step 5.
"""

import json
import shutil
from pathlib import Path
from unittest import mock

import pytest

from lossrun.errors import RunError
from lossrun.records import history
from lossrun.records.sweep_directory import SweepDirectory, read_plan
from lossrun.sweeping.course import run_sweep
from tests.crash import inline_pool
from tests.crash.sealed import in_plan

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent.parent / "records" / "stopped_sweep"
# val_loss of tune-0002-0.1 by epoch and seed, of the same sweep when nobody stopped it.
EXPECTED = [0.50466, 4.57264, 2.21285, 0.29289, 2.83902, 0.52183]


def test_a_stopped_sweep_goes_on_to_the_results_of_one_that_was_not(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "sweep")
    sweep = SweepDirectory(tmp_path / "sweep")
    for cell in read_plan(sweep):
        (sweep.run(cell) / "checkpoints").mkdir(exist_ok=True)  # git keeps no empty folders
    with inline_pool.installed():
        endings = run_sweep(sweep, data_dir=tmp_path)
    assert {name: ended.ending for name, ended in endings.items()} == dict.fromkeys(
        ("tune-0001-0.01", "tune-0002-0.1", "final-0001-0.1"), "finished"
    )
    rows = history.read(sweep.path / "tune-0002-0.1" / "history.jsonl").rows
    assert rows.column("val_loss") == pytest.approx(EXPECTED, rel=1e-4)


@pytest.mark.parametrize(
    ("key", "value"),
    [(("seeds",), list(range(10**4))), (("model", "hidden"), [10**4, 10**4]), (("dataset", "samples"), 10**9)],
)
def test_a_plan_that_asks_for_more_than_the_cells_were_begun_with_is_refused(
    tmp_path: Path, key: tuple[str, ...], value: object
) -> None:
    shutil.copytree(GOLDEN, tmp_path / "sweep")
    in_plan(0, ("config", *key), json.dumps(value))(tmp_path / "sweep")
    with (
        inline_pool.installed(),
        mock.patch("lossrun.data.load", side_effect=AssertionError("data are read")),
        pytest.raises(RunError, match=f"was not begun with the config in the sweep's plan: {'.'.join(key)}"),
    ):
        run_sweep(SweepDirectory(tmp_path / "sweep"), data_dir=tmp_path)
