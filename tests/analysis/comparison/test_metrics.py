"""Runs that were not all scored by the same metrics: a margin loss has no probabilities, an older version fewer
losses."""

import math
from collections.abc import Callable, Mapping

import pytest

from lossrun.analysis.comparison.compare import ComparedMetric, ComparedRuns, compare
from lossrun.analysis.comparison.differences import component_text
from lossrun.errors import UsageError

HINGE = {"name": "hinge", "reduction": "mean"}
BINARY = {"task": "binary"}


def scored(**values: float) -> Callable[[int, int], Mapping[str, float]]:
    """A history in which val_loss falls and the columns of `values` stay."""
    return lambda epoch, seed: {"train_loss": 1 / epoch, "val_loss": 1 / epoch, **values}


def named(comparison: ComparedRuns) -> dict[str, ComparedMetric]:
    return {metric.name: metric for metric in comparison.metrics}


@pytest.fixture
def mixed(make_run) -> ComparedRuns:
    """A run with probabilities, and one of margins."""
    likelihood = scored(val_mse=0.1, val_binary_cross_entropy=0.3, val_hinge=0.2, val_accuracy=0.9)
    margins = scored(val_hinge=0.1, val_squared_hinge=0.4, val_accuracy=0.8)
    return compare(
        [
            make_run("a", rows=likelihood, environment=BINARY),
            make_run("b", rows=margins, environment=BINARY, config={"loss": HINGE}),
        ]
    )


def test_what_only_some_runs_have_is_shown_with_nothing_for_the_others(mixed: ComparedRuns) -> None:
    metrics = named(mixed)
    values = {
        name: [value.mean if value else None for value in metrics[name].at_best.values]
        for name in ("val_mse", "val_hinge", "val_squared_hinge", "val_accuracy")
    }
    assert values == {
        "val_mse": [0.1, None],
        "val_hinge": [0.2, 0.1],
        "val_squared_hinge": [None, 0.4],
        "val_accuracy": [0.9, 0.8],
    }
    assert metrics["val_mse"].at_best.best == ()


def test_the_deciding_ones_come_first_then_the_catalogues_order_part_beside_part(mixed: ComparedRuns) -> None:
    # The ledger of such a run holds test_rmse and test_mae.
    assert list(named(mixed)) == [
        *("val_accuracy", "val_mse", "test_mae", "val_binary_cross_entropy", "val_hinge", "val_squared_hinge"),
        "test_rmse",
    ]
    assert [name for name, metric in named(mixed).items() if not metric.descriptive] == ["val_accuracy"]


def test_the_configured_loss_where_it_is_shared_does_not_only_describe(make_run) -> None:
    runs = [make_run(name, rows=scored(val_rmse=0.1, val_huber=0.2)) for name in "ab"]
    metrics = named(compare(runs))
    descriptive = {name: metric.descriptive for name, metric in metrics.items()}
    assert list(descriptive)[:6] == ["test_rmse", "test_mae", "val_rmse", "train_loss", "val_loss", "test_loss"]
    assert [name for name, describes in descriptive.items() if describes] == ["val_huber"]


def test_a_run_of_an_older_version_still_compares(make_run) -> None:
    old = make_run("old", rows=scored(val_mse=0.2, val_rmse=0.4))
    new = make_run("new", rows=scored(val_mse=0.1, val_log_cosh=0.05, val_rmse=0.3))
    metrics = named(compare([old, new]))
    assert [value and value.mean for value in metrics["val_log_cosh"].at_last.values] == [None, 0.05]
    assert metrics["val_rmse"].at_best.best == (1,)


def test_what_not_all_runs_have_cannot_decide(make_run) -> None:
    runs = [make_run("a", rows=scored(val_rmse=0.4)), make_run("b", rows=scored(val_rmse=0.3, val_log_cosh=0.1))]
    with pytest.raises(UsageError, match="they share: loss, rmse, mae"):
        compare(runs, "log_cosh")


def test_a_part_of_the_data_that_a_run_was_not_scored_on_is_left_out(make_run) -> None:
    runs = [make_run("a", rows=scored(val_rmse=0.4)), make_run("b", rows=scored(val_rmse=0.3), finish=False)]
    assert not [name for name in named(compare(runs)) if name.startswith("test_")]


def test_runs_of_different_tasks_show_what_both_have(make_run) -> None:
    runs = [
        make_run("a", rows=scored(val_mse=0.1, val_rmse=0.4)),
        make_run("b", rows=scored(val_mse=0.2, val_accuracy=0.5), environment=BINARY, config={"loss": HINGE}),
    ]
    assert "val_mse" in named(compare(runs))
    assert not {"val_accuracy", "val_rmse"} & named(compare(runs)).keys()


def test_the_rounding_of_a_mean_over_seeds_is_no_difference(make_run) -> None:
    # Sums of two that are exact in any order: the means are 0.25 and the next number above it.
    next_number = math.nextafter(0.25, 1)
    accuracies = {"a": (0.125, 0.375), "b": (next_number, next_number)}
    seeds = {"seeds": [0, 1]}
    runs = [
        make_run(
            name,
            rows=lambda epoch, seed, shares=shares: {"val_loss": 1 / epoch, "val_accuracy": shares[seed]},
            environment=BINARY,
            config=seeds,
        )
        for name, shares in accuracies.items()
    ]
    accuracy = named(compare(runs))["val_accuracy"].at_best
    first, second = (value.mean for value in accuracy.values if value)
    assert first != second, "the test needs means that differ in the last digit"
    assert accuracy.best == ()


def test_what_keeps_a_loss_from_dividing_by_nothing_is_told_only_where_it_was_changed() -> None:
    assert component_text("loss", {"name": "mape", "eps": 1e-7, "reduction": "mean"}) == "mape"
    assert component_text("loss", {"name": "mape", "eps": 0.5, "reduction": "mean"}) == "mape(eps=0.5)"
    assert component_text("loss", {"name": "huber", "delta": 1.0, "reduction": "mean"}) == "huber(delta=1.0)"
