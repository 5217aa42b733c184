import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.values.groups import grouped
from lossrun.records import ledger, recorded


def rows(epoch, seed):
    return {"train_loss": 1.0 / epoch, "val_loss": 1.0 / epoch, "val_rmse": 0.5 + seed}


def test_runs_that_are_equal_but_for_their_seeds_are_one(make_run):
    runs = [make_run(f"r{seed}", rows=rows, config={"seeds": [seed], "tags": [str(seed)]}) for seed in range(3)]
    (group,) = grouped(runs)
    assert group.run.seeds == (0, 1, 2)
    assert len(group.members) == 3
    other = make_run("other", rows=rows, config={"seeds": [0, 1, 2], "learning_rate": 1.0})
    comparison = compare([runs[0], other, *runs[1:]])
    assert [run.members for run in comparison.runs] == [tuple(run.name for run in runs), (other.name,)]
    (first, second) = (run.best_epochs for run in comparison.runs)
    assert first == second == {0: 4, 1: 4, 2: 4}
    values = next(y for y in comparison.metrics if y.name == "test_rmse").at_best.values
    # Test values as tests write them: 0.5 + seed.
    assert values[0].per_seed == values[1].per_seed == {0: 0.5, 1: 1.5, 2: 2.5}
    assert list(comparison.curves[0].rows[1][0].per_seed) == [0, 1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"seeds": [1], "epochs": 5}},
        {"config": {"seeds": [1], "batch_size": 7}},
        {"config": {"seeds": [1]}, "epochs_done": 2, "finish": False},
        {"config": {"seeds": [1]}, "environment": {"data": {"train": "x", "validation": "b" * 64, "test": "c" * 64}}},
        {"config": {"seeds": [1]}, "environment": {"code": {"mine": {"mine": "aaaa"}}}},
        {"config": {"seeds": [0]}},
    ],
)
def test_runs_that_differ_in_more_or_repeat_a_seed_stay_apart(make_run, changes):
    assert len(grouped([make_run("a", rows=rows), make_run("b", rows=rows, **changes)])) == 2


def test_a_run_that_was_changed_on_its_way_stays_alone(make_run):
    plain, changed = make_run("a", rows=rows), make_run("b", rows=rows, config={"seeds": [1]})
    ledger.append(changed.path / "ledger.jsonl", "resumed", step=3, changes={"learning_rate": [0.2, 0.1]})
    ledger.append(changed.path / "ledger.jsonl", "finished", seeds={})
    assert len(grouped([plain, recorded.load(changed.path)])) == 2


def test_one_group_alone_is_shown_as_what_it_is(make_run):
    comparison = compare([make_run(str(seed), rows=rows, config={"seeds": [seed]}) for seed in range(2)])
    assert comparison.verdicts == ()
    assert len(comparison.runs) == 1
    assert comparison.runs[0].label
    assert comparison.notes[0].startswith("the runs differ only in their seeds")


def test_a_key_that_an_older_version_did_not_have_is_not_set(make_run):
    """A newer version writes `splits: null`."""
    old = make_run("old", rows=rows, config={"seeds": [0]})
    new = make_run("new", rows=rows, config={"seeds": [1], "splits": None})
    assert len(grouped([old, new])) == 1
    other = make_run("other", rows=rows, config={"seeds": [0], "splits": None, "learning_rate": 1.0})
    assert [one.key for one in compare([old, other]).differences] == ["learning_rate"]
