from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import SourcedConfig, from_mapping
from lossrun.errors import ConfigError, UsageError
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep

RATES = {"learning_rate": [0.01, 0.1]}
CLASSES = {
    "dataset": {"name": "synthetic_classification", "samples": 60, "classes": 3},
    "loss": "cross_entropy",
}


@pytest.mark.parametrize(
    ("base", "asked", "expected"),
    [
        ({}, None, "val_rmse"),
        ({}, "val_mae", "val_mae"),
        ({}, "val_mean_absolute_error", "val_mae"),
        ({}, "val_loss", "val_loss"),
        (CLASSES, None, "val_accuracy"),
        (CLASSES, "val_f1", "val_macro_f1"),
    ],
)
def test_the_metric_that_tunes_is_known_before_anything_is_trained(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, base: dict[str, Any], asked: str | None, expected: str
) -> None:
    reading = with_block({**RATES, "tune": {"metric": asked or "auto"}}, **base)
    assert plan_sweep(read_sweep(reading), tmp_path, tmp_path).facts["metric"] == expected


@pytest.mark.parametrize(
    ("base", "block", "message"),
    [
        ({}, {**RATES, "tune": "val_rmsee"}, "did you mean val_rmse"),
        ({}, {**RATES, "tune": "val_accuracy"}, "there is no val_accuracy for a regression task"),
        (CLASSES, {**RATES, "tune": "val_rmse"}, "there is no val_rmse for a multiclass task"),
        (
            CLASSES,
            {**RATES, "loss": ["cross_entropy", "multi_margin"], "tune": "val_cross_entropy"},
            "does not provide",
        ),
        (
            {"loss": "huber"},
            {"loss.delta": {"range": [0.5, 2], "points": 3}, "tune": "val_loss"},
            "val_loss means something else for each loss.delta",
        ),
        ({}, {**RATES, "loss": ["mse", "mae"], "tune": "val_loss"}, "val_loss means something else for each loss"),
        (
            {"dataset": {"name": "synthetic_regression", "samples": 60, "validation": 0}},
            RATES,
            "set dataset.validation above 0",
        ),
        (
            {},
            {**RATES, "dataset": ["synthetic_regression", "synthetic_classification"]},
            "different metrics, val_rmse and val_accuracy",
        ),
    ],
)
def test_a_metric_that_cannot_choose_is_refused(
    with_block: Callable[..., SourcedConfig],
    tmp_path: Path,
    base: dict[str, Any],
    block: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_sweep(read_sweep(with_block(block, **base)), tmp_path, tmp_path)


def test_an_alternative_that_does_not_fit_the_data_is_told_where_it_is_written(
    written: Callable[[str], SourcedConfig], tmp_path: Path
) -> None:
    for block, place in (
        ("sweep: {loss: [mse, cross_entropy]}", "c.yaml:7:21: loss"),
        ("sweep: {dataset.validation: [0.2, 0], learning_rate: [0.1, 0.2]}", "c.yaml:7:35: dataset.validation"),
    ):
        with pytest.raises(ConfigError, match=place):
            plan_sweep(read_sweep(written(block)), tmp_path, tmp_path)
    with pytest.raises(ConfigError) as refused:
        plan_sweep(read_sweep(written(""), ["loss=mse,cross_entropy"]), tmp_path, tmp_path)
    assert refused.value.problems[0].startswith("--over loss=cross_entropy: loss: cross_entropy is for multiclass")


@pytest.mark.parametrize(
    ("block", "growth"),
    [
        ({"learning_rate": [0.1, 0.2]}, 1.0),
        # 9 values, then 3, then 1 of each pair.
        ({"learning_rate": {"log_range": [1e-3, 1], "points": 9}, "halving": 3}, 13 / 9),
    ],
)
def test_what_is_planned_later_is_counted(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, block: dict[str, Any], growth: float
) -> None:
    planned = plan_sweep(read_sweep(with_block({"loss": ["mse", "mae"], **block}, epochs=9)), tmp_path, tmp_path)
    assert planned.growth == pytest.approx(growth)


@pytest.mark.parametrize("block", [{"folds": [2, 3]}, {"splits": [2, None]}], ids=str)
def test_splits_are_no_alternatives_where_each_is_tuned_by_itself(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, block: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="outside the sweep block"):
        plan_sweep(read_sweep(with_block({**RATES, **block}, seeds=6)), tmp_path, tmp_path)


def test_directories_tell_large_numbers_from_small_ones(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    reading = with_block({"learning_rate": [1e20, 1e-20], "tune": False}, lint="warn")
    names = [cell.directory for cell in plan_sweep(read_sweep(reading), tmp_path, tmp_path).cells]
    assert names == ["final-0001-1e20", "final-0002-1e-20"]


@pytest.mark.parametrize(
    "block",
    [
        {"loss": ["mse", "mae"], "learning_rate": {"log_range": [1e-3, 1], "points": 4}},
        {"optimizer.momentum": {"range": [0.0, 0.9], "points": 3}, "loss": ["mse", {"name": "huber", "delta": 2.0}]},
        {"learning_rate": {"log_range": [1e-3, 1]}, "samples": 3, "seed": 5},
        {"learning_rate": [0.1, 0.2], "tune": False},
    ],
)
def test_the_config_that_a_sweep_keeps_makes_the_same_sweep_again(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, block: dict[str, Any]
) -> None:
    planned = plan_sweep(read_sweep(with_block(block), ["loss=mae,mse"]), tmp_path, tmp_path)
    again = plan_sweep(read_sweep(from_mapping(planned.config, tmp_path)), tmp_path, tmp_path)
    assert again == planned


@pytest.mark.parametrize(
    ("block", "seeds", "trainings"),
    [
        ({"batch_size": list(range(1, 1_001)), "tune": False}, 1_000, 1_000 * 1_000),
        # The tuning seeds of each cell and repetition, and the final seeds of each pair.
        ({**RATES, "loss": ["mse", "mae"], "tune": {"seeds": 1_000, "repeats": 50}}, 50, 4 * 1_000 * 50 + 2 * 50),
        ({**RATES, "batch_size": list(range(1, 51))}, 2_000, 50 * 2 * 2 + 50 * 2_000),
    ],
)
def test_too_many_trainings_are_refused_before_any_cell_is_made(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, block: dict[str, Any], seeds: int, trainings: int
) -> None:
    with pytest.raises(ConfigError, match=f"are {trainings:,} trainings; at most 100,000"):
        plan_sweep(read_sweep(with_block(block, seeds=seeds)), tmp_path, tmp_path)
