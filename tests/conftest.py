"""What every room's tests share: a cache of their own, and the real MNIST where a test needs it."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from lossrun.records import history, ledger, recorded
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory, create

# On a busy machine an example may take any time, and that says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

CONFIG: dict[str, Any] = {
    "name": None,
    "tags": [],
    "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100},
    "model": {"name": "mlp", "hidden": [100], "output": "none"},
    "loss": {"name": "mse", "reduction": "mean"},
    "optimizer": {"name": "sgd", "momentum": 0.0, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0},
    "learning_rate": 0.1,
    "epochs": 4,
    "seeds": [0],
    "best": {"metric": "val_loss", "mode": "min"},
    "compare_on": None,
}
ENVIRONMENT: dict[str, Any] = {
    "lossrun": "0.1.0",
    "torch": "2.13.0",
    "device": "cpu",
    "threads": 2,
    "git_commit": None,
    "task": "regression",
    "data": {"train": "a" * 64, "validation": "b" * 64, "test": "c" * 64},
}


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The data folder that holds mnist/. A missing one fails the test: skipping would look like passing."""
    named = os.environ.get("LOSSRUN_DATA_DIR")
    if not named or not (Path(named) / "mnist").is_dir():
        pytest.fail("set LOSSRUN_DATA_DIR to a folder that holds mnist/ with the four official files")
    return Path(named)


def write_run(
    runs_dir: Path,
    name: str = "run",
    *,
    rows: Callable[[int, int], Mapping[str, Any]],
    config: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    epochs_done: int | None = None,
    finish: bool = True,
) -> RunDirectory:
    """A run whose history holds `rows(epoch, seed)`; `config`, `environment`: whole keys that differ from the usual."""
    settings = CONFIG | {"name": name} | dict(config or {})
    when = datetime(2026, 11, 21, 1, 45, tzinfo=UTC) + timedelta(seconds=len(list(runs_dir.glob("*"))))
    run = create(runs_dir, name, config=settings, environment=ENVIRONMENT | dict(environment or {}), when=when)
    ledger.append(run.ledger_path, "started")
    done = settings["epochs"] if epochs_done is None else epochs_done
    usual = {"learning_rate": 0.1, "grad_norm": 1.0, "seconds": 0.5, "train_seconds": 0.4}
    for epoch in range(1, done + 1):
        history.append(
            run.history_path,
            [
                {"epoch": epoch, "step": 3 * epoch, "seed": seed, **rows(epoch, seed), **usual}
                for seed in settings["seeds"]
            ],
        )
    if finish:
        seeds = {
            str(seed): {
                "test_at_best": {"test_loss": 1.0, "test_rmse": 0.5 + seed, "test_mae": 0.25},
                "test_at_last": {"test_loss": 2.0, "test_rmse": 0.75 + seed, "test_mae": 0.5},
                "stopped_epoch": None,
            }
            for seed in settings["seeds"]
        }
        ledger.append(run.ledger_path, "finished", epoch=done, seeds=seeds, seconds=done * 0.5)
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RecordedRun]:
    """`write_run` into a directory of the test's own, read back."""
    return lambda name="run", **options: recorded.load(write_run(tmp_path / "runs", name, **options).path)
