from datetime import UTC, datetime, timedelta

import pytest

from lossrun.analysis import runs
from lossrun.records import history, ledger, recorded

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def rows(epoch, seed):
    return {"train_loss": 1.0, "val_loss": abs(epoch - 2), "val_rmse": 1.0 / epoch + seed}


def test_a_row_sums_a_run_up(make_run):
    run = make_run("a", rows=rows, config={"seeds": [0, 2]}, epochs_done=3, finish=False)
    started = datetime.fromisoformat(run.ledger[0]["time"])
    (row,) = runs.listing([run.path], started + timedelta(minutes=1)).rows
    assert (row.name, row.status, row.epochs_done, row.epochs_asked, row.seeds) == (run.name, "interrupted", 3, 4, 2)
    assert (row.loss, row.optimizer, row.learning_rate, row.age) == ("mse", "sgd", 0.1, 60)
    # Epoch 2 is best: 0.5 for seed 0, 2.5 for seed 2.
    assert (row.metric, row.value.mean) == ("val_rmse", 1.5)


def test_a_damaged_run_does_not_hide_the_others(make_run):
    good, bad = make_run("a", rows=rows), make_run("b", rows=rows)
    (bad.path / "history.jsonl").write_text("nonsense\n")
    listing = runs.listing([good.path, bad.path])
    assert [row.name for row in listing.rows] == [good.name]
    assert bad.name in listing.problems[0]


def test_a_run_that_has_not_begun_has_no_value(make_run):
    (row,) = runs.listing([make_run(rows=rows, epochs_done=0, finish=False).path]).rows
    assert (row.metric, row.value) == (None, None)


def test_a_run_without_validation_is_summed_up_by_what_chose_its_best_epoch(make_run):
    best = {"metric": "train_loss", "mode": "min"}
    run = make_run(rows=lambda epoch, seed: {"train_loss": 1.0 / epoch}, config={"best": best})
    (row,) = runs.listing([run.path]).rows
    assert (row.metric, row.value.mean) == ("train_loss", 0.25)


def test_the_recorded_task_says_which_metric_comes_first(make_run):
    run = make_run(rows=lambda epoch, seed: {"val_loss": 1.0, "val_accuracy": 0.5}, environment={"task": "binary"})
    (row,) = runs.listing([run.path]).rows
    assert (row.metric, row.value.mean) == ("val_accuracy", 0.5)


def test_of_a_long_history_the_listing_says_the_same_from_few_rows(make_run, monkeypatch):
    """The rows are those of `rows` above: every epoch's differs, so a wrong one would show."""
    run = make_run(rows=rows, config={"seeds": [0, 2], "epochs": 40})
    best = {str(seed): {"best_epoch": 2, "test_at_best": {"test_rmse": 0.5}} for seed in (0, 2)}
    mark = history.Written(run.path / "history.jsonl").mark.facts()
    ledger.append(run.path / "ledger.jsonl", "finished", epoch=40, seeds=best, history=mark)
    with monkeypatch.context() as thorough:
        thorough.setattr(runs, "load_summary", recorded.load)
        (whole,) = runs.listing([run.path], NOW).rows
    monkeypatch.setattr(history, "read", None)  # to read all of it would fail
    (short,) = runs.listing([run.path], NOW).rows
    assert short == whole
    assert short.epochs_done == 40
    assert short.at_best[2]["test_rmse"] == 0.5


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="a ledger that does not know the best epochs"),
        pytest.param([("resumed", {"changes": {"epochs": [40, 50]}})], id="gone on with"),
        pytest.param([("finished", {"seeds": {"0": {"best_epoch": 39}, "2": {"best_epoch": 99}}})], id="no such epoch"),
        pytest.param(
            [
                ("resumed", {"changes": {"best.metric": ["val_loss", "val_rmse"]}}),
                ("finished", {"seeds": {"0": {"best_epoch": 2}, "2": {"best_epoch": 2}}}),
            ],
            id="another idea of best",
        ),
    ],
)
def test_where_few_rows_will_not_do_the_long_history_is_read(make_run, monkeypatch, events):
    run = make_run(rows=rows, config={"seeds": [0, 2], "epochs": 40})
    for event, facts in events:
        ledger.append(run.path / "ledger.jsonl", event, **facts)
    found = runs.listing([run.path], NOW)
    monkeypatch.setattr(runs, "load_summary", recorded.load)
    assert found == runs.listing([run.path], NOW)


def test_a_damaged_long_history_is_told_of(make_run, monkeypatch):
    run = make_run(rows=rows)
    ledger.append(run.path / "ledger.jsonl", "finished", seeds={"0": {"best_epoch": 2}})
    path = run.path / "history.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"epoch": 2, ', b'{"epoch": 2, ,'))
    assert "history.jsonl, line 2" in runs.listing([run.path]).problems[0]
