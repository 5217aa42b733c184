"""Which metrics a regression is scored by: the same for all runs on the same data, and none that says nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossrun

# Findings of runs as short as these.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PLAIN: dict[str, Any] = {
    "model": {"name": "mlp", "hidden": [4]},
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": 1,
    "lint": {"too_few_steps": "off"},
}


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    rooms = draw.uniform(1, 8, size=(60, 2))
    euros = np.round(50_000 + 60_000 * rooms.sum(axis=1) + draw.normal(0, 20_000, size=60))
    np.savez("prices.npz", x=rooms, y=euros)
    standardize = {"inputs": True, "targets": True}
    return {"name": "npz", "path": "prices.npz", "target": "y", "task": "regression", "standardize": standardize}


def columns(run: lossrun.Run) -> set[str]:
    return {name for row in run.history.rows for name in row if name.startswith("val_")}


# Of amounts of euros: no threshold of 1 euro, no Poisson distribution. Percentages and logarithms say something.
OF_PRICES = {"val_loss", "val_mse", "val_mae", "val_rmse", "val_r2", "val_mape", "val_msle"}


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "mse"},
        {"loss": "huber"},
        {"loss": "log_cosh", "seeds": 2},
        {"loss": "quantile", "early_stopping": {"metric": "val_mae", "patience": 3}},
        {"loss": "mape", "standardize": False},
        {"loss": "mse", "split_seed": "seed", "seeds": 3},
        {"loss": "mse", "corrupt": {"outliers": 0.1}},
    ],
    ids=str,
)
def test_all_runs_on_the_same_prices_have_the_same_columns(prices: dict[str, Any], changes: dict[str, Any]) -> None:
    own = {key: changes.pop(key) for key in ("standardize", "split_seed", "corrupt") if key in changes}
    run = lossrun.train({**PLAIN, "dataset": {**prices, **own}, **changes, "lint": "warn"})
    assert columns(run) == OF_PRICES
    assert run.finished
    for facts in run.finished["seeds"].values():
        assert {f"val_{name.partition('_')[2]}" for name in facts["test_at_best"]} == OF_PRICES


@pytest.mark.parametrize(
    "watching",
    [
        {"best": {"metric": "val_huber"}},
        {"early_stopping": {"metric": "val_huber", "patience": 2}},
        {"schedule": {"name": "reduce_on_plateau", "metric": "val_huber"}},
        {"compare_on": "huber"},
    ],
    ids=str,
)
def test_what_a_config_watches_is_there(prices: dict[str, Any], watching: dict[str, Any]) -> None:
    run = lossrun.train({**PLAIN, "dataset": prices, "loss": "mse", **watching})
    assert columns(run) == {*OF_PRICES, "val_huber"}


def test_a_history_with_more_columns_is_read_and_continued(prices: dict[str, Any]) -> None:
    """As an earlier version wrote it: every row has a val_huber."""
    run = lossrun.train({**PLAIN, "dataset": prices, "loss": "mse", "epochs": 2})
    assert not any("val_huber" in row for row in run.history.rows)
    old = lossrun.train({**PLAIN, "dataset": prices, "loss": "mse", "epochs": 2, "compare_on": "huber"})
    assert all("val_huber" in row for row in old.history.rows)
    comparison = lossrun.compare(run, old)
    assert "rmse" in str(comparison)
    more = lossrun.resume(old, overrides={"epochs": 3, "compare_on": None})
    assert [("val_huber" in row) for row in more.history.rows] == [True, True, False]
    assert "rmse" in str(lossrun.compare(run, more))
    assert json.dumps([row["val_rmse"] for row in more.history.rows[:2]]) == json.dumps(
        [row["val_rmse"] for row in old.history.rows]
    )


def test_the_loss_of_a_run_keeps_its_value(prices: dict[str, Any]) -> None:
    run = lossrun.train({**PLAIN, "dataset": prices, "loss": {"name": "huber", "delta": 0.5}})
    (row,) = run.history.rows
    # Of standardized targets and initial weights: some tenths. In euros it would be 1e5.
    assert 0 < row["val_loss"] < 10


def test_counts_and_small_numbers_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    counts = [float(n % 7) for n in range(40)]
    dataset = {"name": "inline", "inputs": [[n / 40] for n in range(40)], "targets": counts, "validation": 10}
    run = lossrun.train({**PLAIN, "dataset": {**dataset, "task": "regression"}, "loss": "mse"})
    assert {"val_poisson_nll", "val_huber", "val_log_cosh", "val_msle"} <= columns(run)
    assert "val_mape" not in columns(run)
