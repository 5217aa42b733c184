import math

import pytest

from lossrun.analysis.values import readings
from lossrun.records import ledger, recorded


def rows(*losses: float):
    return lambda epoch, seed: {"train_loss": 9.0, "val_loss": losses[epoch - 1] + seed}


def test_a_spread_is_mean_and_sample_deviation():
    # 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, over n - 1 = 2: deviation sqrt(13).
    spread = readings.spread({0: 2.0, 1: 4.0, 2: 9.0})
    assert spread.mean == 5
    assert spread.deviation == pytest.approx(math.sqrt(13))
    assert spread.per_seed == {0: 2.0, 1: 4.0, 2: 9.0}


def test_one_seed_has_no_deviation_and_equal_ones_have_exactly_none():
    assert readings.spread({3: 0.1}).deviation is None
    assert readings.spread(dict.fromkeys(range(3), 0.1)) == readings.Spread(dict.fromkeys(range(3), 0.1), 0.1, 0.0)
    assert readings.spread({}) is None


@pytest.mark.parametrize("values", [(math.nan, 1.0), (math.inf, 1.0), (math.inf, -math.inf), (1e308, -1e308)])
def test_a_spread_of_a_diverged_seed_is_not_finite_but_no_error(values):
    spread = readings.spread(dict(enumerate(values)))
    assert not math.isfinite(spread.deviation)


def test_the_best_epoch_is_the_first_of_the_lowest_per_seed(make_run):
    run = make_run(rows=rows(3.0, 1.0, 1.0, 2.0), config={"seeds": [0, 5]})
    assert {seed: row["epoch"] for seed, row in readings.best_rows(run).items()} == {0: 2, 5: 2}


def test_seeds_stand_in_the_historys_order_though_another_was_finite_first(make_run):
    first = {0: math.nan, 1: 2.0}
    run = make_run(
        rows=lambda epoch, seed: {"val_loss": first[seed] if epoch == 1 else 1.0 + epoch}, config={"seeds": [0, 1]}
    )
    assert {seed: row["epoch"] for seed, row in readings.best_rows(run).items()} == {0: 2, 1: 1}
    assert list(readings.best_rows(run)) == list(readings.last_rows(run)) == [0, 1]
    assert [row["epoch"] for row in readings.last_rows(run).values()] == [4, 4]


def test_the_best_epoch_follows_the_configs_metric_and_mode(make_run):
    config = {"best": {"metric": "val_loss", "mode": "max"}}
    assert readings.best_rows(make_run(rows=rows(3.0, 1.0, 1.0, 2.0), config=config))[0]["epoch"] == 1


def test_epochs_that_are_not_finite_are_never_best(make_run):
    run = make_run(rows=rows(math.nan, 2.0, -math.inf, 3.0))
    assert readings.best_rows(run)[0]["epoch"] == 2
    assert readings.best_rows(make_run("nothing", rows=rows(*[math.nan] * 4))) == {}


def test_test_metrics_come_from_the_finished_event(make_run):
    run = make_run(rows=rows(4, 3, 2, 1), config={"seeds": [0, 1]})
    assert readings.column(readings.test_rows(run, "test_at_last"), "test_rmse").per_seed == {0: 0.75, 1: 1.75}
    assert readings.test_rows(make_run("b", rows=rows(4, 3, 2, 1), finish=False), "test_at_best") == {}


def test_the_task_is_recorded_configured_or_declared(make_run):
    line = rows(4, 3, 2, 1)
    assert readings.task(make_run("a", rows=line, environment={"task": "binary"})) == "binary"
    unstated = {"task": None}
    stated = {"dataset": {"name": "csv", "task": "multilabel"}}
    assert readings.task(make_run("b", rows=line, environment=unstated, config=stated)) == "multilabel"
    assert (
        readings.task(make_run("c", rows=line, environment=unstated, config={"dataset": {"name": "mnist"}}))
        == "multiclass"
    )
    plugin = {"dataset": {"name": "my:data"}}
    assert readings.task(make_run("d", rows=line, environment=unstated, config=plugin)) is None


def test_seeds_that_diverged_are_those_that_were_not_taken_up_again(make_run):
    run = make_run(rows=rows(4, 3, 2, 1), config={"seeds": [0, 1, 2]}, finish=False)
    path = run.path / "ledger.jsonl"
    assert readings.diverged_seeds(run) == ()
    ledger.append(path, "diverged", seed=2, epoch=1, step=3)
    ledger.append(path, "diverged", seed=1, epoch=2, step=6)
    assert readings.diverged_seeds(recorded.load(run.path)) == (1, 2)
    # From the checkpoint at step 5 seed 1 goes on; seed 2 was frozen before.
    ledger.append(path, "resumed", step=5, changes={})
    assert readings.diverged_seeds(recorded.load(run.path)) == (2,)
    ledger.append(path, "finished", seeds={"0": {"diverged_epoch": None}, "1": {}, "2": {"diverged_epoch": 1}})
    assert readings.diverged_seeds(recorded.load(run.path)) == (2,)


def test_rows_at_an_epoch_are_of_the_seeds_that_have_it(make_run):
    run = make_run(rows=rows(4, 3, 2, 1), config={"seeds": [0, 1]})
    assert {seed: row["val_loss"] for seed, row in readings.rows_at(run, 2).items()} == {0: 3, 1: 4}
    assert readings.rows_at(run, 9) == {}
