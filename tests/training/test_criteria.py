"""State that belongs to a metric is not compared with another one.

At a learning rate of 1e-30 no epoch is better than the one before. A metric that is watched from an epoch on has that
epoch's value as its best, so early stopping with patience p ends the run p epochs later. An epoch has 6 steps.
"""

import shutil
from typing import Any

import pytest

from lossrun.analysis.comparison.remarks import remarks
from lossrun.config import Change, Override
from lossrun.errors import UsageError
from lossrun.records import checkpoints, history, recorded
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from tests.training.conftest import MOONS, REGRESSION, Laboratory, assert_same_bits, newest, rows

pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

STILL = {**REGRESSION, "learning_rate": 1e-30, "epochs": 30}
VAL_LOSS = {"metric": "val_loss", "patience": 3}
# The second: the epoch's last step is done, and its results are still to come.
IN_EPOCH_3, AT_THE_END_OF_EPOCH_3 = 15, 18


def last_epoch(run: RunDirectory) -> int:
    return max(row["epoch"] for row in rows(run))


def forget(run: RunDirectory, *keys: str) -> None:
    """Make the checkpoints those of a version that knew nothing of these keys."""
    paths = checkpoints.candidates(run.checkpoints)
    found = [checkpoints.read(path) for path in paths]
    for path in paths:
        path.unlink()
    for one in reversed(found):
        facts = {key: value for key, value in one.metadata.items() if key not in (*keys, "tensors")}
        facts["format_version"] = 1
        facts["replicas"] = [{k: v for k, v in each.items() if k not in keys} for each in facts["replicas"]]
        checkpoints.save(run.checkpoints, facts["step"], Checkpoint(one.tensors, facts), keep=99)


# What is overridden, the last epoch, and what is said.
CRITERIA: list[tuple[list[str], int, str]] = [
    (["early_stopping.patience=5"], 6, ""),
    (["early_stopping=null", "early_stopping.patience=3"], 4, ""),
    (["early_stopping.metric=val_loss"], 4, ""),
    (["early_stopping={metric: val_mae, patience: 4}"], 7, "val_mae"),
    (["early_stopping.metric=val_r2"], 6, "val_r2 (higher is better)"),
    (["early_stopping.mode=min", "early_stopping.metric=val_r2", "lint=warn"], 6, "val_r2 (lower is better)"),
    (
        ["early_stopping.mode=max", "lint=warn"],
        6,
        "val_loss (higher is better) and no longer val_loss (lower is better)",
    ),
    (["early_stopping.min_delta=0.5"], 6, "val_loss (lower is better, min_delta 0.5) and no longer val_loss (lower"),
]
# The same criterion and another one, with each checkpoint at each place; the other overrides with one of them each.
ANYWHERE: list[tuple[list[str], int, str]] = [
    ([], 4, ""),
    (["early_stopping.metric=val_mae"], 6, "val_mae (lower is better) and no longer val_loss (lower is better)"),
]
PLACES = [(stop_at, old) for stop_at in (IN_EPOCH_3, AT_THE_END_OF_EPOCH_3) for old in (False, True)]


@pytest.mark.parametrize(
    ("overrides", "ends", "told", "stop_at", "old"),
    [
        *((*criterion, *place) for criterion in ANYWHERE for place in PLACES),
        *((*criterion, *PLACES[number % len(PLACES)]) for number, criterion in enumerate(CRITERIA)),
    ],
)
def test_early_stopping_counts_for_its_own_metric(
    laboratory: Laboratory, overrides: list[str], ends: int, told: str, stop_at: int, old: bool
) -> None:
    run = laboratory.start({**STILL, "early_stopping": VAL_LOSS}, stop_at=stop_at)
    if old:
        forget(run, "criteria", "thaws", "epoch_seconds")
    notes: list[str] = []
    laboratory.resume(run, *overrides, note=notes.append)
    assert last_epoch(run) == ends
    assert (told in notes[0]) if told else not notes


def test_switched_off_and_on_again_it_starts_anew(laboratory: Laboratory) -> None:
    run = laboratory.start({**STILL, "early_stopping": VAL_LOSS}, stop_at=IN_EPOCH_3)
    notes: list[str] = []
    laboratory.resume(run, "early_stopping=null", stop_at=45, note=notes.append)
    assert last_epoch(run) == 7
    laboratory.resume(run, "early_stopping={metric: val_loss, patience: 3}", note=notes.append)
    assert last_epoch(run) == 8 + 3
    assert notes == ["early stopping: starts now, watching val_loss (lower is better)"]


@pytest.mark.parametrize("saved", [True, False], ids=["saved in between", "killed at once"])
def test_a_metric_that_is_changed_twice_is_the_last_one(laboratory: Laboratory, saved: bool) -> None:
    """Also where the first change has reached no checkpoint, which then is of the metric before it."""
    run = laboratory.start({**STILL, "early_stopping": VAL_LOSS}, stop_at=8)
    kept = laboratory.folder / "kept"
    shutil.copytree(run.checkpoints, kept)
    laboratory.resume(run, "early_stopping.metric=val_mae", stop_at=IN_EPOCH_3)
    if not saved:
        shutil.rmtree(run.checkpoints)
        kept.rename(run.checkpoints)
        notes: list[str] = []
        laboratory.resume(run, stop_at=IN_EPOCH_3, note=notes.append)
        assert any(note.startswith("early stopping: watches val_mae") for note in notes)
    laboratory.resume(run, "early_stopping.metric=val_rmse")
    assert last_epoch(run) == 3 + 3


def test_a_finished_run_that_stopped_by_another_metric_goes_on(laboratory: Laboratory) -> None:
    run = laboratory.start({**STILL, "early_stopping": VAL_LOSS})
    assert last_epoch(run) == 4
    notes: list[str] = []
    laboratory.resume(run, "early_stopping.metric=val_mae", note=notes.append)
    assert last_epoch(run) == 5 + 3
    assert notes[0].endswith("start again; seed 0, which had stopped, trains again")


WANDERING: dict[str, Any] = {
    "dataset": MOONS,
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "binary_cross_entropy",
    "optimizer": "adamw",
    "learning_rate": 0.3,
    "epochs": 9,
    "batch_size": 16,
    "seeds": 4,
    "early_stopping": {"metric": "val_loss", "patience": 1},
}


@pytest.mark.parametrize("override", ["early_stopping.metric=val_accuracy", "early_stopping=null"])
@pytest.mark.parametrize("within", [False, True], ids=["between epochs", "within an epoch"])
def test_stopped_seeds_go_on_with_a_whole_epoch(laboratory: Laboratory, override: str, within: bool) -> None:
    whole = laboratory.start(WANDERING)
    stops = [facts["stopped_epoch"] or 9 for facts in newest(whole).metadata["replicas"]]
    first, last = min(stops), max(stops)
    assert first + 1 < last, "the test needs one seed that stops well before another"
    steps = newest(whole).metadata["step"] // last
    asleep = [seed for seed, stop in enumerate(stops) if stop == first]
    run, again = (laboratory.start(WANDERING, stop_at=first * steps + 2) for _ in range(2))
    if not within:
        for one in (run, again):
            checkpoints.candidates(one.checkpoints)[0].unlink()
            assert newest(one).metadata["step"] == first * steps
    notes: list[str] = []
    laboratory.resume(run, override, note=notes.append)
    begins = first + 1 + within
    assert f"{asleep[0]}" in notes[0]
    assert ("from epoch" in notes[0]) == within
    for seed in asleep:
        epochs = [row["epoch"] for row in rows(run) if row["seed"] == seed]
        assert epochs[: first + 1] == [*range(1, first + 1), begins]
    # Waiting for the epoch to end survives another interruption.
    laboratory.resume(again, override, stop_at=first * steps + 3)
    laboratory.resume(again)
    assert_same_bits(run, again)


PLATEAU = {"name": "reduce_on_plateau", "metric": "val_loss", "patience": 0, "factor": 0.5, "min_rate": 0.0}


@pytest.mark.parametrize("old", [False, True], ids=["", "old checkpoint"])
@pytest.mark.parametrize(
    ("overrides", "halved"),
    [
        ([], [0, 0, 1, 2, 3, 4]),
        (["schedule.metric=val_mae"], [0, 0, 1, 1, 2, 3]),
        (["schedule.threshold=0.5"], [0, 0, 1, 1, 2, 3]),
        (["schedule.factor=0.25"], [0, 0, 1, 3, 5, 7]),
    ],
)
def test_a_plateau_counts_for_its_own_metric_and_stays_reduced(
    laboratory: Laboratory, overrides: list[str], halved: list[int], old: bool
) -> None:
    """The rate is halved after each epoch but the first one watched: it is the best by definition."""
    run = laboratory.start({**STILL, "schedule": PLATEAU, "epochs": 6}, stop_at=IN_EPOCH_3)
    if old:
        forget(run, "criteria")
    laboratory.resume(run, *overrides)
    assert [row["learning_rate"] for row in rows(run)] == [1e-30 * 0.5**times for times in halved]


def test_a_cooldown_belongs_to_the_reduction_not_to_the_metric(laboratory: Laboratory) -> None:
    run = laboratory.start({**STILL, "schedule": {**PLATEAU, "cooldown": 2}, "epochs": 7}, stop_at=IN_EPOCH_3)
    laboratory.resume(run, "schedule.metric=val_mae")
    # Reduced after epoch 2; 3 and 4 cool down, and 3 is the best of val_mae; 5 reduces again.
    assert [row["learning_rate"] for row in rows(run)] == [1e-30 * 0.5**times for times in [0, 0, 1, 1, 1, 2, 2]]


def test_another_schedule_and_back_starts_anew_and_each_jump_is_told(laboratory: Laboratory) -> None:
    run = laboratory.start({**STILL, "schedule": PLATEAU}, stop_at=IN_EPOCH_3)
    notes: list[str] = []
    laboratory.resume(run, "schedule=constant", stop_at=IN_EPOCH_3 + 6, note=notes.append)
    assert notes == ["the learning rate jumps from 5e-31 to 1e-30 at step 15"]
    laboratory.resume(run, f"schedule={PLATEAU!r}", "epochs=6", note=notes.append)
    assert len(notes) == 1
    assert [row["learning_rate"] for row in rows(run)] == [1e-30 * 0.5**times for times in [0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("overrides", "mode"),
    [
        (["early_stopping.metric=val_accuracy"], "max"),
        (["early_stopping.metric=val_accuracy", "early_stopping.mode=min", "lint=warn"], "min"),
        (["early_stopping.mode=min", "early_stopping.metric=val_accuracy", "lint=warn"], "min"),
        (["early_stopping={metric: val_accuracy}"], "max"),
        ([Change("early_stopping.metric", "val_accuracy", "overrides")], "max"),  # a mapping from Python
        (["early_stopping.patience=2"], "min"),
    ],
)
def test_the_direction_follows_the_metric(laboratory: Laboratory, overrides: list[Override], mode: str) -> None:
    run = laboratory.start({**WANDERING, "seeds": 1}, stop_at=2)
    laboratory.resume(run, *overrides, stop_at=3)
    assert newest(run).metadata["criteria"]["early_stopping"]["mode"] == mode


@pytest.mark.parametrize("override", ["best.metric=val_mae", "best.mode=max", "best=val_rmse"])
def test_what_chooses_the_best_epoch_cannot_change(laboratory: Laboratory, override: str) -> None:
    """The weights that another metric would have chosen are gone."""
    run = laboratory.start(STILL, stop_at=3)
    before = history.read(run.history_path)
    with pytest.raises(UsageError, match="best"):
        laboratory.resume(run, override, "lint=warn")
    assert history.read(run.history_path) == before


def test_a_change_is_taken_along_to_an_older_checkpoint(laboratory: Laboratory) -> None:
    """The checkpoints of steps 4 and 6 are lost, and with them the part that was trained at the old rate."""
    run = laboratory.start({**STILL, "checkpoint": {"keep": 9}}, stop_at=2)
    laboratory.resume(run, stop_at=4)
    laboratory.resume(run, "learning_rate=2e-30", stop_at=6)
    for path in checkpoints.candidates(run.checkpoints)[:2]:
        path.unlink()
    notes: list[str] = []
    laboratory.resume(run, "tags=[x]", note=notes.append)
    assert [note for note in notes if note.startswith("learning_rate: ")] == [
        "learning_rate: 2e-30 applies from step 2 on; it was 1e-30 until step 4, whose checkpoints are lost"
    ]
    told = [text for text in remarks(recorded.load(run.path)) if text.startswith("learning_rate")]
    assert told == ["learning_rate: 1e-30 until step 2, then 2e-30"]
