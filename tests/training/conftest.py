"""Small experiments, trained in this process."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import Override, from_mapping
from lossrun.errors import StoppedError
from lossrun.experiment import load_experiment
from lossrun.records import checkpoints, history
from lossrun.records.files.rows import Rows
from lossrun.records.run_directory import RunDirectory
from lossrun.training.loop import train
from lossrun.training.process.stopping import Request
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.resumable import resuming
from lossrun.training.starting.resume import resume_at
from lossrun.training.starting.start import begin
from lossrun.training.trial import SettingsTrial

REGRESSION: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 120, "features": 4},
    "model": {"name": "mlp", "hidden": [8], "activation": "tanh"},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.02,
    "epochs": 4,
    "batch_size": 16,
}
SPIRALS = {"name": "synthetic_classification", "kind": "spirals", "samples": 150}
MOONS = {"name": "synthetic_classification", "kind": "moons", "samples": 120}


class KilledError(BaseException):
    """Stands for SIGKILL: not an `Exception`, which training takes for a mistake in the code that raises it."""


class Laboratory:
    """Starts and resumes runs under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(
        self,
        config: dict[str, Any],
        stop_at: int | None = None,
        kill_at: int | None = None,
        reached: Callable[[int], object] = lambda step: None,
    ) -> RunDirectory:
        """`kill_at`: the step before which, or soon after which, the run dies without saving anything; `reached`:
        called before each step, or before several."""
        examined = load_experiment(from_mapping(config, self.folder), self.folder)
        with suppress(KilledError), begin(prepare(examined), self.folder / "runs") as session:
            self.drain(session, stop_at, kill_at, reached)
        return session.run

    def resume(
        self,
        run: RunDirectory,
        *overrides: Override,
        stop_at: int | None = None,
        skipped: Callable[[Path, str], None] = lambda path, reason: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        with resuming(run.path, overrides) as resumable:
            prepared = prepare(load_experiment(resumable.reading, self.folder), resumable)
            with resume_at(prepared, resumable, skipped, note) as session:
                self.drain(session, stop_at)

    def drain(
        self,
        session: Session,
        stop_at: int | None,
        kill_at: int | None = None,
        reached: Callable[[int], object] = lambda step: None,
    ) -> None:
        """Train to the end, or until `stop_at` updates have been done in all; more if several are done at a time."""

        def asked() -> Request | None:
            reached(session.position.step)
            if kill_at is not None and session.position.step >= kill_at:
                raise KilledError
            return Request.INTERRUPT if stop_at is not None and session.position.step >= stop_at else None

        try:
            for _ in train(session, asked):
                pass
        except StoppedError:
            assert stop_at is not None


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)


@pytest.fixture
def no_settings_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """For runs that are to stand still or to end early: nothing is trained to find out what they are told."""
    monkeypatch.setattr(SettingsTrial, "__call__", lambda trial, several, steps=0, *, held_out=False: {})


def newest(run: RunDirectory) -> checkpoints.Checkpoint:
    return checkpoints.read(checkpoints.candidates(run.checkpoints)[0])


def rows(run: RunDirectory) -> Rows:
    """The history without its wall times. What is no number equals itself in them."""
    timeless = []
    for row in history.read(run.history_path).rows:
        timeless.append({key: value for key, value in row.items() if key not in ("seconds", "train_seconds")})
    return Rows(timeless)


def assert_same_bits(one: RunDirectory, other: RunDirectory) -> None:
    """Weights, optimizer, schedule, stopping, sums and random state; metadata and history except for wall times."""
    a, b = newest(one), newest(other)
    assert a.tensors.keys() == b.tensors.keys()
    for name, tensor in a.tensors.items():
        assert tensor.dtype == b.tensors[name].dtype
        np.testing.assert_array_equal(tensor, b.tensors[name], err_msg=name, strict=True)
    wall = ("seconds", "epoch_seconds", "history_length", "history", "run")  # the history holds wall times
    assert {k: v for k, v in a.metadata.items() if k not in wall} == {
        k: v for k, v in b.metadata.items() if k not in wall
    }
    assert rows(one) == rows(other)
    for path in one.checkpoints.glob("best-*"):
        best, same = checkpoints.read(path), checkpoints.read(other.checkpoints / path.name)
        assert best.metadata == same.metadata
        for name, tensor in best.tensors.items():
            np.testing.assert_array_equal(tensor, same.tensors[name], err_msg=name, strict=True)
