"""Resume equals never stopped: the promise that everything else in training serves."""

from pathlib import Path
from typing import Any

import pytest

from lossrun.errors import CheckpointError, DataError, UsageError
from lossrun.records import checkpoints, ledger
from tests.conftest import made_elsewhere
from tests.training.conftest import REGRESSION, Laboratory, assert_same_bits, newest, rows

# Trying settings takes longer than these runs; `test_trial.py` resumes a run for which some are tried.
pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

# 4 epochs of 24 steps: 96 steps with everything that has a state of its own.
EVERYTHING: dict[str, Any] = {
    "dataset": {"name": "synthetic_classification", "kind": "moons", "samples": 240, "test": 0, "validation": 50},
    "model": {"name": "mlp", "hidden": [8, 8], "dropout": 0.3, "batch_norm": True},
    "loss": {"name": "binary_cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced"},
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": {"name": "cosine", "warmup_epochs": 1},
    "epochs": 4,
    "batch_size": 8,
    "checkpoint": {"every": "7 steps", "keep": 2},
}
STEPS, PARTS = 96, 8


@pytest.mark.parametrize("first", range(PARTS))  # in parts, which several processes share
def test_stopped_at_every_step_and_resumed_is_bit_equal(laboratory: Laboratory, first: int) -> None:
    """Each part stops one run at every eighth step. What any of its resumes had lost, the end would lack."""
    whole = laboratory.start(EVERYTHING)
    assert newest(whole).metadata["step"] == STEPS
    stopped = laboratory.start(EVERYTHING, stop_at=first)
    for steps in range(first + PARTS, STEPS + 1, PARTS):
        assert newest(stopped).metadata["step"] == steps - PARTS
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 3},
        {"seeds": 2, "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
        {"optimizer": "rmsprop", "schedule": {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5}},
        {"optimizer": "adagrad", "seeds": [4, 2], "schedule": {"name": "reduce_on_plateau", "patience": 0}},
        {"optimizer": "adamw", "early_stopping": {"patience": 1}, "seeds": 3, "learning_rate": 0.3},
        {"precision": "float64", "shuffle": False, "drop_last": True, "batch_size": 50},
        {"batch_size": "full", "epochs": 6},
        {"dataset": {**EVERYTHING["dataset"], "split_seed": "seed"}, "seeds": 2},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_stopped_again_and_again_is_bit_equal(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**EVERYTHING, **changes}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=1)
    for steps in (1, 2, 5, 25, 54):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)
    events = [event["event"] for event in ledger.read(stopped.ledger_path)]
    assert events[0] == "started"
    assert events[-1] == "finished"


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.9}])
def test_with_large_matrices_as_well(laboratory: Laboratory, optimizer: Any) -> None:
    """They have kernels of their own, and under plain descent an update of their own."""
    config = {
        **EVERYTHING,
        "dataset": {"name": "synthetic_regression", "features": 300, "samples": 400},
        "model": {"name": "mlp", "hidden": [300]},
        "loss": "mse",
        "optimizer": optimizer,
        "learning_rate": 0.001,
        "batch_size": 48,
    }
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=1)
    for steps in (2, 5, 7, 11):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert newest(whole).metadata["step"] > 20
    assert_same_bits(whole, stopped)


def test_one_of_several_seeds_equals_the_lone_run(laboratory: Laboratory) -> None:
    """Seed by seed, a replica is the same run as its seed alone, dropout included: each seed has its own streams."""
    config = {**EVERYTHING, "step": "eager"}
    together = laboratory.start({**config, "seeds": [5, 3]})
    for seed in (5, 3):
        alone = laboratory.start({**config, "seeds": [seed]})
        assert rows(alone) == [row for row in rows(together) if row["seed"] == seed]


def test_history_after_the_checkpoint_is_cut_and_no_row_is_doubled(laboratory: Laboratory) -> None:
    config = {**EVERYTHING, "checkpoint": {"every": "2 epochs"}}
    whole = laboratory.start(config)
    killed = laboratory.start(config, stop_at=80)
    # As if the process had died after the third epoch's rows were written, with only the second epoch's checkpoint.
    checkpoints.candidates(killed.checkpoints)[0].unlink()
    assert [row["epoch"] for row in rows(killed)] == [1, 2, 3]
    told: list[str] = []
    laboratory.resume(killed, note=told.append)
    assert [row["epoch"] for row in rows(killed)] == [1, 2, 3, 4]
    assert "history after step 48 removed" in told[0]
    assert_same_bits(whole, killed)


def test_a_damaged_checkpoint_is_skipped_aloud(laboratory: Laboratory) -> None:
    whole = laboratory.start(EVERYTHING)
    damaged = laboratory.start(EVERYTHING, stop_at=40)
    path = checkpoints.candidates(damaged.checkpoints)[0]
    path.write_bytes(path.read_bytes()[:-1])
    skipped: list[tuple[Path, str]] = []
    laboratory.resume(damaged, skipped=lambda path, reason: skipped.append((path, reason)))
    assert [entry[0] for entry in skipped] == [path]
    assert "damaged" in skipped[0][1]
    assert_same_bits(whole, damaged)


def test_without_a_readable_checkpoint_there_is_no_silent_fresh_start(laboratory: Laboratory) -> None:
    run = laboratory.start(EVERYTHING, stop_at=10)
    for path in checkpoints.candidates(run.checkpoints):
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="no readable checkpoint in"):
        laboratory.resume(run)


def test_a_shorter_history_is_damage_and_an_older_checkpoint_is_used(laboratory: Laboratory) -> None:
    whole = laboratory.start(EVERYTHING)
    run = laboratory.start(EVERYTHING, stop_at=60)
    lines = run.history_path.read_bytes().splitlines(keepends=True)
    run.history_path.write_bytes(b"")
    skipped: list[str] = []
    with pytest.raises(CheckpointError, match=r"history\.jsonl is shorter"):
        laboratory.resume(run, skipped=lambda path, reason: skipped.append(reason))
    run.history_path.write_bytes(b"".join(lines))
    laboratory.resume(run)
    assert_same_bits(whole, run)


def test_best_weights_are_never_those_of_a_future_given_up(laboratory: Laboratory) -> None:
    """Checkpoints every 10 epochs, killed in epoch 16, taken up at epoch 10 with a rate that changes nothing: the best
    weights are those after 10 epochs, as a run of 10 epochs has them."""
    config = {**REGRESSION, "checkpoint": {"every": "10 epochs"}, "epochs": 20}
    ten = laboratory.start({**config, "epochs": 10})
    killed = laboratory.start(config, kill_at=16 * 6)
    assert [row["epoch"] for row in rows(killed)][-1] == 15
    laboratory.resume(killed, "learning_rate=1e-12", "epochs=22")
    expected, found = (ledger.read(run.ledger_path)[-1]["seeds"]["0"] for run in (ten, killed))
    assert expected["best_epoch"] == 10
    assert found["test_at_best"] == pytest.approx(expected["test_at_best"], rel=1e-6)
    assert [row["epoch"] for row in rows(killed)] == list(range(1, 23))


def test_a_constant_rate_run_extended_equals_the_longer_run(laboratory: Laboratory) -> None:
    config = {**EVERYTHING, "schedule": "constant"}
    longer = laboratory.start({**config, "epochs": 6})
    extended = laboratory.start(config)
    laboratory.resume(extended, "epochs=6")
    assert_same_bits(longer, extended)
    resumed = next(event for event in ledger.read(extended.ledger_path) if event["event"] == "resumed")
    assert resumed["changes"] == {"epochs": [4, 6]}


def test_a_changed_learning_rate_reaches_the_optimizer(laboratory: Laboratory) -> None:
    config = {**EVERYTHING, "schedule": "constant"}
    run = laboratory.start(config, stop_at=48)
    laboratory.resume(run, "learning_rate=0.005")
    assert [row["learning_rate"] for row in rows(run)] == [0.01, 0.01, 0.005, 0.005]


def test_a_jump_of_the_rate_is_announced(laboratory: Laboratory) -> None:
    run = laboratory.start({**EVERYTHING, "schedule": "constant"}, stop_at=30)
    told: list[str] = []
    laboratory.resume(run, "schedule={name: exponential, gamma: 0.5}", stop_at=40, note=told.append)
    assert told == ["the learning rate jumps from 0.01 to 0.005 at step 30"]
    laboratory.resume(run, "epochs=5", note=told.append)
    assert len(told) == 1


def test_a_run_does_not_go_back(laboratory: Laboratory) -> None:
    run = laboratory.start(EVERYTHING)
    with pytest.raises(UsageError, match="4 epochs are done"):
        laboratory.resume(run, "epochs=3")


def test_changes_that_leave_nothing_to_train_are_refused_and_not_recorded(laboratory: Laboratory) -> None:
    run = laboratory.start(EVERYTHING)
    before = run.ledger_path.read_bytes()
    with pytest.raises(UsageError, match=r"leave nothing to train(.|\n)*--set epochs=8"):
        laboratory.resume(run, "learning_rate=0.1")
    early = laboratory.start({**EVERYTHING, "epochs": 40, "early_stopping": 1, "learning_rate": 0.3})
    with pytest.raises(UsageError, match=r"To continue it:\n.*--set early_stopping=null"):
        laboratory.resume(early, "epochs=50")
    assert run.ledger_path.read_bytes() == before
    laboratory.resume(early, "early_stopping=null", stop_at=newest(early).metadata["step"] + 3)


def test_what_would_make_another_experiment_cannot_change(laboratory: Laboratory) -> None:
    run = laboratory.start(EVERYTHING, stop_at=3)
    for override in ("batch_size=16", "model.dropout=0", "loss=mse", "seeds=2", "optimizer=sgd"):
        with pytest.raises(UsageError, match="cannot change in an existing run; start a new run with --set"):
            laboratory.resume(run, override)


def test_changed_data_are_refused(laboratory: Laboratory, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,y\n" + "".join(f"{i},{i / 7}\n" for i in range(40)))
    config = {
        **EVERYTHING,
        "dataset": {"name": "csv", "path": "table.csv", "target": "y"},
        "loss": "mse",
        "model": "linear",
    }
    run = laboratory.start(config, stop_at=4)
    table.write_text(table.read_text().replace("39,", "38,"))
    with pytest.raises(DataError, match="data are not those"):
        laboratory.resume(run)


def test_a_changed_environment_is_told_once(laboratory: Laboratory) -> None:
    run = laboratory.start(EVERYTHING, stop_at=4)
    made_elsewhere(run, torch="1.0", threads=99)
    told: list[str] = []
    laboratory.resume(run, note=told.append)
    assert len(told) == 1
    assert "torch 1.0 -> " in told[0]
    assert "threads 99 -> " in told[0]


def test_momentum_begun_after_a_seed_stopped_is_kept_for_the_others(laboratory: Laboratory) -> None:
    """A stopped seed has no momentum buffer, the others do: the checkpoint holds theirs, whichever seed comes first."""
    config = {**EVERYTHING, "optimizer": "sgd", "seeds": 5, "epochs": 9, "early_stopping": {"patience": 1}}
    whole = laboratory.start(config)
    ended = [facts["stopped_epoch"] or 9 for facts in newest(whole).metadata["replicas"]]
    first = min(ended)
    assert first < max(ended), "the test needs one seed that stops before another"
    stopped = laboratory.start(config, stop_at=24 * first + 1)
    laboratory.resume(stopped, "optimizer.momentum=0.5", stop_at=24 * first + 5)
    buffers = [array for name, array in newest(stopped).tensors.items() if "momentum_buffer" in name]
    assert buffers
    for array in buffers:
        assert [bool(one.any()) for one in array] == [end > first for end in ended]


def test_the_first_steps_gradient_norm_is_in_a_checkpoint_of_that_step(laboratory: Laboratory) -> None:
    """The norm of a diverged run's message; each epoch has its own."""
    config = {**EVERYTHING, "checkpoint": {"every": "1 step", "keep": 99}, "epochs": 2}
    run = laboratory.start(config)
    norms = {
        found.metadata["step"]: float(found.tensors["epoch.first_gradient_norm"][0])
        for found in map(checkpoints.read, checkpoints.candidates(run.checkpoints))
    }
    assert norms[25] == norms[26] == norms[30] != norms[2]
    assert norms[1] == norms[2] == norms[20] > 0


def test_a_run_does_not_end_within_an_epoch(laboratory: Laboratory) -> None:
    """120 samples less validation and test: 6 steps an epoch; step 15 is in the third."""
    run = laboratory.start(REGRESSION, stop_at=15)
    before = {path.name: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"epoch 3 has begun.*at least --set epochs=3"):
        laboratory.resume(run, "epochs=2")
    after = {path.name: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert {name: data for name, data in after.items() if "lock" not in name} == {
        name: data for name, data in before.items() if "lock" not in name
    }
    laboratory.resume(run, "epochs=3")
    assert_same_bits(run, laboratory.start({**REGRESSION, "epochs": 3}))


def test_a_run_may_end_where_an_epoch_does(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION, stop_at=12)
    laboratory.resume(run, "epochs=2")
    assert max(row["epoch"] for row in rows(run)) == 2
