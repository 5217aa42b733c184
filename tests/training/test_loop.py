"""What a run does besides ending at the right bits: rows, best, stopping, divergence, signals."""

import errno
import json
import math
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping
from lossrun.errors import ConfigError, DivergedError, LockedError, RunError, StoppedError, UsageError
from lossrun.experiment import load_experiment
from lossrun.records import checkpoints, history, ledger, predictions, recorded
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.process.stopping import Request
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.resumable import resuming
from lossrun.training.starting.resume import resume_at
from lossrun.training.starting.start import begin
from tests.crash.forks import Started, forks
from tests.training.conftest import REGRESSION, Laboratory, newest, rows

SMALL: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 3},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "epochs": 5,
    "batch_size": 16,
}


def test_a_line_is_found_through_four_points(laboratory: Laboratory) -> None:
    """y = 2 x + 1 through (1, 3), (2, 5), (3, 7), (4, 9): the least-squares solution, exact by construction."""
    run = laboratory.start(
        {
            **SMALL,
            "dataset": {"name": "inline", "inputs": [1, 2, 3, 4], "targets": [3, 5, 7, 9]},
            "model": {"name": "linear", "init": {"name": "normal", "std": 1.0, "bias_std": 1.0}},
            "epochs": 1000,
            "batch_size": "full",
            "checkpoint": "1000 epochs",
        }
    )
    weights = newest(run).tensors
    assert weights["model.body.output.weight"].item() == pytest.approx(2, abs=1e-4)
    assert weights["model.body.output.bias"].item() == pytest.approx(1, abs=1e-4)


def test_train_loss_is_the_sample_weighted_mean_of_the_batches(laboratory: Laboratory) -> None:
    """Against a plain loop written here, in float64 to leave rounding out: 43 samples in batches of 16, 16 and 11."""
    config = {**SMALL, "precision": "float64", "epochs": 1, "shuffle": False}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    replica = prepare(examined).replicas[0]
    inputs, targets = replica.parts.train.inputs, replica.parts.train.targets
    optimizer = torch.optim.SGD(replica.network.parameters(), lr=0.05)
    total = 0.0
    for start in range(0, len(inputs), 16):
        x, y = inputs[start : start + 16], targets[start : start + 16]
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(replica.network(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    run = laboratory.start(config)
    assert len(inputs) % 16 == 11
    assert rows(run)[0]["train_loss"] == pytest.approx(total / len(inputs), rel=1e-12)


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 16 * 1), ("half_sum", 16 / 2), ("half_sample_mean", 1 / 2)])
def test_a_reduction_is_a_mean_at_another_rate(laboratory: Laboratory, reduction: str, factor: float) -> None:
    """With one output and full batches of 16, a sum over the batch is 16 means; the recorded loss is a mean all the
    same."""
    config = {
        **SMALL,
        "precision": "float64",
        "dataset": {**SMALL["dataset"], "samples": 32, "validation": 0, "test": 0},
    }
    mean = laboratory.start({**config, "learning_rate": 0.01 * factor})
    other = laboratory.start({**config, "learning_rate": 0.01, "loss": {"name": "mse", "reduction": reduction}})
    for one, same in zip(rows(mean), rows(other), strict=True):
        assert same["train_loss"] == pytest.approx(one["train_loss"], rel=1e-9)


def test_the_same_seed_gives_the_same_start_and_batches_whatever_the_loss(laboratory: Laboratory) -> None:
    def replica(**changes: Any) -> Any:
        return prepare(
            load_experiment(from_mapping({**SMALL, **changes}, laboratory.folder), laboratory.folder)
        ).replicas[0]

    one = replica()
    for changes in ({"loss": "huber"}, {"optimizer": "adam"}, {"seeds": [0, 1]}):
        other = replica(**changes)
        for name, tensor in one.network.state_dict().items():
            assert torch.equal(tensor, other.network.state_dict()[name])
    assert not torch.equal(one.network.body.output.weight, replica(seed=1).network.body.output.weight)


def test_rows_and_best_weights(laboratory: Laboratory) -> None:
    run = laboratory.start({**SMALL, "seeds": 3, "best": {"metric": "val_mae"}})
    found = rows(run)
    assert [(row["epoch"], row["seed"]) for row in found] == [(e, s) for e in range(1, 6) for s in range(3)]
    columns = list(found[0])
    metrics = columns[5:-2]
    assert [*columns[:5], *columns[-2:]] == [
        "epoch",
        "step",
        "seed",
        "train_loss",
        "val_loss",
        "learning_rate",
        "grad_norm",
    ]
    assert {"val_mse", "val_mae", "val_huber", "val_log_cosh", "val_rmse", "val_r2"} <= set(metrics)
    assert all(name.startswith("val_") for name in metrics)
    assert found[-1]["step"] == 5 * math.ceil(43 / 16)
    (path,) = checkpoints.best_files(run.checkpoints)
    assert ledger.read(run.ledger_path)[-1]["best_weights"] == path.name
    saved = {facts["seed"]: facts for facts in checkpoints.metadata(path)["best"]}
    for seed in range(3):
        best = min((row for row in found if row["seed"] == seed), key=lambda row: row["val_mae"])
        facts = saved[seed]
        assert (facts["epoch"], facts["val_mae"]) == (best["epoch"], best["val_mae"])


def test_metrics_of_standardized_targets_are_in_original_units(laboratory: Laboratory) -> None:
    """Predictions kept on disk, against the raw targets: the ledger's rmse must be their distance."""
    run = laboratory.start(
        {**SMALL, "dataset": {**SMALL["dataset"], "standardize": {"inputs": True, "targets": True}}, "epochs": 20}
    )
    kept = predictions.read(run.predictions_path)
    rmse = float(np.sqrt(np.mean((kept.outputs[0] - kept.targets) ** 2)))
    finished = ledger.read(run.ledger_path)[-1]["seeds"]["0"]
    assert finished["test_at_best"]["test_rmse"] == pytest.approx(rmse, rel=1e-5)
    assert rmse < 1 < float(np.std(kept.targets))


def test_early_stopping_freezes_one_seed_and_not_the_others(laboratory: Laboratory) -> None:
    config = {**SMALL, "seeds": 4, "epochs": 60, "early_stopping": 3, "learning_rate": 0.1, "optimizer": "adam"}
    run = laboratory.start(config)
    lasts = {seed: [row["epoch"] for row in rows(run) if row["seed"] == seed][-1] for seed in range(4)}
    assert len(set(lasts.values())) > 1
    for seed, last in lasts.items():
        alone = laboratory.start({**config, "seeds": [seed]})
        assert rows(alone)[-1]["epoch"] == last
        assert recorded.load(run.path).finished["seeds"][str(seed)]["stopped_epoch"] == last  # type: ignore[index]


def test_divergence_keeps_the_last_good_checkpoint(laboratory: Laboratory) -> None:
    config = {**SMALL, "learning_rate": 1e6}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session, pytest.raises(DivergedError, match="resume"):
        list(train(session, lambda: None))
    run = session.run
    last = newest(run)
    assert all(np.isfinite(array).all() for name, array in last.tensors.items() if name.startswith("model."))
    assert recorded.load(run.path).status == "diverged"
    assert "nan" in run.history_path.read_text() or "inf" in run.history_path.read_text()
    laboratory.resume(run, "learning_rate=0.01")
    assert recorded.load(run.path).status == "finished"
    assert [row["epoch"] for row in rows(run)] == [1, 2, 3, 4, 5]


def test_with_continue_the_other_seeds_go_on(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "fragile.py").write_text(
        "import torch\n"
        "def net(input_shape, output_size):\n"
        "    torch.rand(1)\n"
        "    layer = torch.nn.Linear(input_shape[0], output_size)\n"
        "    if torch.initial_seed() % 2:  # some seeds only\n"
        "        with torch.no_grad():\n"
        "            layer.weight.mul_(1e25)\n"
        "    return layer\n"
    )
    config = {**SMALL, "model": {"name": "fragile:net"}, "seeds": 6, "on_divergence": "continue", "epochs": 3}
    run = laboratory.start(config)
    load = recorded.load(run.path)
    seeds = load.finished["seeds"]  # type: ignore[index]
    diverged = {seed for seed, facts in seeds.items() if facts["diverged_epoch"]}
    assert 0 < len(diverged) < 6
    assert load.status == "finished"
    assert {row["seed"] for row in rows(run) if row["epoch"] == 3} == {int(s) for s in seeds if s not in diverged}


def test_nothing_is_left_behind_by_what_cannot_start(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(
        "import torch\n"
        "def net(input_shape, output_size):\n"
        "    return torch.nn.Linear(input_shape[0], output_size + 1)\n"
    )
    with pytest.raises(UsageError, match=r"gives \(11, 2\) for 11 samples; expected outputs of shape \(11, 1\)"):
        laboratory.start({**SMALL, "model": "wrong:net"})
    with pytest.raises(ConfigError, match="loss_task"):
        laboratory.start({**SMALL, "loss": "cross_entropy"})
    assert not (tmp_path / "runs").exists()


def test_a_run_in_use_is_locked(laboratory: Laboratory) -> None:
    run = laboratory.start(SMALL, stop_at=2)
    with writing(run.path), pytest.raises(LockedError):
        laboratory.resume(run)


@pytest.mark.skipif(sys.platform == "win32", reason="fcntl is POSIX's")
def test_a_run_that_cannot_be_locked_is_not_left_behind(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(RunError, match="lock: Input/output error"):
        laboratory.start(SMALL)
    assert not list((tmp_path / "runs").iterdir())


def test_a_run_is_locked_before_it_is_read(laboratory: Laboratory) -> None:
    """What another process changes after the reading would be unknown to the changes that go into the ledger."""
    run = laboratory.start(SMALL, stop_at=2)
    with resuming(run.path, ["learning_rate=0.01"]), pytest.raises(LockedError):
        laboratory.resume(run, "learning_rate=0.02")
    laboratory.resume(run, "learning_rate=0.03")
    assert [event.get("changes", {}) for event in ledger.read(run.ledger_path) if event["event"] == "resumed"] == [
        {"learning_rate": [SMALL["learning_rate"], 0.03]}
    ]


def test_a_finished_run_is_looked_at_without_a_lock(laboratory: Laboratory) -> None:
    run = laboratory.start(SMALL)
    with resuming(run.path) as resumable, writing(run.path):
        assert resumable.finished
        assert not resumable.changes


def test_checkpoints_come_in_the_rhythm_asked_for(laboratory: Laboratory) -> None:
    def steps(every: str) -> list[int]:
        run = laboratory.start({**SMALL, "checkpoint": {"every": every, "keep": 99}})
        return sorted(checkpoints.read(path).metadata["step"] for path in checkpoints.candidates(run.checkpoints))

    assert steps("1 epoch") == [0, 3, 6, 9, 12, 15]
    assert steps("2 epochs") == [0, 6, 12, 15]
    assert steps("4 steps") == [0, 4, 8, 12, 15]
    kept = laboratory.start({**SMALL, "checkpoint": {"every": "1 step", "keep": 2}})
    assert len(checkpoints.candidates(kept.checkpoints)) == 2


def test_events_are_rows_on_disk(laboratory: Laboratory) -> None:
    """Persist, then yield: when an event arrives, its row can be read."""
    examined = load_experiment(from_mapping(SMALL, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        for event in train(session, lambda: None):
            if isinstance(event, EpochRecord):
                on_disk = history.read(session.run.history_path).rows
                assert on_disk[-1]["epoch"] == event.epoch
                assert newest(session.run).metadata["epoch"] == event.epoch + 1


def wait_for(started: Started, what: Callable[[], bool]) -> None:
    """Wait for something that a command does before it ends."""
    while not what():
        assert not started.has_ended(), started.done().err
        time.sleep(0.01)


LONG = {**SMALL, "epochs": 100_000, "dataset": {**SMALL["dataset"], "samples": 400}}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_a_stopped_process_can_be_resumed(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(LONG))
    with forks() as server:
        started = server.start(("train", "config.yaml"), tmp_path)
        wait_for(started, lambda: started.lines() >= 4)  # the header and three epochs
        started.kill(number)
        done = started.done()
    assert done.code == code
    (path,) = (tmp_path / "runs").iterdir()
    run = recorded.load(path)
    if number == signal.SIGKILL:
        assert run.status == "interrupted"
    else:
        assert run.status == "stopped"
        assert "Traceback" not in done.err
        assert f"\n  lossrun resume {path.name}\n" in done.err
        assert "error:" not in done.err
    last = history.read(path / "history.jsonl").rows[-1]["epoch"]
    Laboratory(tmp_path).resume(RunDirectory(path), f"epochs={last + 3}")
    epochs = [row["epoch"] for row in history.read(path / "history.jsonl").rows]
    assert epochs == list(range(1, last + 4))


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 on this platform")
def test_sigusr1_saves_and_goes_on(tmp_path: Path) -> None:
    config = {**LONG, "checkpoint": "100000 epochs"}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    with forks() as server:
        started = server.start(("train", "config.yaml"), tmp_path)
        wait_for(started, lambda: started.lines() >= 4)
        (path,) = (tmp_path / "runs").iterdir()
        started.kill(signal.SIGUSR1)
        wait_for(started, lambda: len(checkpoints.candidates(path / "checkpoints")) == 2)
        assert not started.has_ended()
        started.kill()
        started.done()


class Clock:
    """A second for each step, and a thousand for each checkpoint written."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        patch.setattr(time, "perf_counter", lambda: self.now)
        save = checkpoints.save

        def slow(*arguments: Any, **options: Any) -> Path:
            self.now += 1000
            return save(*arguments, **options)

        patch.setattr(checkpoints, "save", slow)

    def run(self, session: Session, stop_at: int | None) -> None:
        def asked() -> Request | None:
            if session.position.step == stop_at:
                return Request.INTERRUPT
            self.now += 1
            return None

        with suppress(StoppedError):
            for _ in train(session, asked):
                pass


@pytest.mark.parametrize("stops", [[], [3], [1, 2, 4, 5], [0, 3, 6, 6, 8, 12]], ids=str)
@pytest.mark.parametrize("seeds", [1, 2])
def test_an_interrupted_epoch_counts_the_seconds_of_all_its_parts(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, stops: list[int], seeds: int
) -> None:
    """2 epochs of 6 steps. The loop asks for requests before each step and once after the last one: 7 seconds."""
    config = {**REGRESSION, "epochs": 2, "seeds": seeds, "checkpoint": "2 steps"}
    clock = Clock(monkeypatch)
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        assert session.steps_per_epoch == 6
        clock.run(session, stops[0] if stops else None)
    for stop in [*stops[1:], None] if stops else []:
        with resuming(session.run.path) as resumable:
            prepared = prepare(load_experiment(resumable.reading, laboratory.folder), resumable)
            with resume_at(prepared, resumable, lambda *_: None, lambda _: None) as session:
                clock.run(session, stop)
    rows = history.read(session.run.history_path).rows
    assert {(row["epoch"], row["seconds"], row["train_seconds"]) for row in rows} == {(1, 7.0, 7.0), (2, 7.0, 7.0)}
    assert ledger.read(session.run.ledger_path)[-1]["seconds"] == 14.0
