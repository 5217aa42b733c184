"""Comparing a sweep in which no two runs can be compared: what is missing, and what to do."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.records.sweep_directory import SweepDirectory, read_plan
from tests.cli.conftest import Run
from tests.written_sweeps import written_sweep

TUNED = {((loss,), rate): [0.5, 0.6] for loss in ("mse", "mae") for rate in (0.1, 0.2)}
FINAL = {("mse",): [0.3, 0.3], ("mae",): [0.4, 0.4]}


def one_has_ended(folder: Path) -> SweepDirectory:
    return without(written_sweep(folder, TUNED, FINAL), finals=1)


def none_has_ended(folder: Path) -> SweepDirectory:
    return without(written_sweep(folder, TUNED, FINAL), finals=2)


def without(sweep: SweepDirectory, finals: int) -> SweepDirectory:
    for cell in read_plan(sweep)[-finals:]:
        shutil.rmtree(sweep.run(cell))
    return sweep


def all_were_lost(folder: Path) -> SweepDirectory:
    return written_sweep(folder, {key: [math.nan, math.nan] for key in TUNED}, {})


def each_has_its_data(folder: Path) -> SweepDirectory:
    return written_sweep(folder, {}, FINAL, own_data=True)


def one_was_planned(folder: Path) -> SweepDirectory:
    return written_sweep(folder, TUNED, {("mse",): [0.3, 0.3]})


@pytest.mark.parametrize("option", [("--format", "json"), ("--html", "page.html")])
@pytest.mark.parametrize(
    ("make", "said", "continues"),
    [
        (one_has_ended, "only one final run has ended; `lossrun show", True),
        (none_has_ended, "no final run has ended", True),
        (all_were_lost, "no run ended with a score that can be compared", False),
        (each_has_its_data, "each of its 2 final runs has data of its own", False),
        (one_was_planned, "only one final run has ended; `lossrun show", False),
    ],
)
def test_a_sweep_without_two_comparable_runs_says_why(
    lossrun: Run,
    tmp_path: Path,
    option: tuple[str, str],
    make: Callable[[Path], SweepDirectory],
    said: str,
    continues: bool,
) -> None:
    sweep = make(tmp_path / "runs")
    refused = lossrun("compare", "last", *option)
    assert refused.code == 2
    assert not refused.out
    assert said in refused.err
    assert (f"`lossrun resume {sweep.path.name}`" in refused.err) == continues
    assert f"`lossrun compare {sweep.path.name}`" in refused.err
    assert lossrun("compare", "last").code == 0
