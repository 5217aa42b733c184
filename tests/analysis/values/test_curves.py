import math

import pytest

from lossrun.analysis.values.curves import CurveRows, EpochIndex
from lossrun.analysis.values.readings import spread
from lossrun.records import history, recorded


def rows(epoch: int, seed: int) -> dict[str, float]:
    """val_loss falls; val_rmse is there in even epochs alone."""
    return {"train_loss": 9.0, "val_loss": 1.0 / epoch + seed, **({"val_rmse": 2.0} if epoch % 2 == 0 else {})}


def curve(name: str, *runs: recorded.RecordedRun) -> CurveRows:
    return CurveRows(name, [EpochIndex(run) for run in runs])


def test_each_epoch_has_a_spread_per_run(make_run):
    long, short = make_run("a", rows=rows, config={"seeds": [0, 2]}), make_run("b", rows=rows, epochs_done=2)
    assert dict(curve("val_loss", long, short)) == {
        1: (spread({0: 1.0, 2: 3.0}), spread({0: 1.0})),
        2: (spread({0: 0.5, 2: 2.5}), spread({0: 0.5})),
        3: (spread({0: 1 / 3, 2: 1 / 3 + 2}), None),
        4: (spread({0: 0.25, 2: 2.25}), None),
    }


def test_epochs_without_the_column_are_not_in_it(make_run):
    found = curve("val_rmse", make_run(rows=rows))
    assert (list(found), len(found)) == ([2, 4], 2)
    assert found.get(1) is None
    assert found.get(5) is None
    assert 1 not in found
    with pytest.raises(KeyError):
        found[3]
    assert not curve("val_accuracy", make_run("b", rows=rows))


def test_the_order_of_the_rows_in_the_file_does_not_matter(make_run):
    plain = make_run(rows=rows, config={"seeds": [0, 1]})
    before = dict(curve("val_loss", plain))
    mixed = [row for seed in (0, 1) for row in reversed(plain.history.rows) if row["seed"] == seed]
    plain.path.joinpath("history.jsonl").unlink()
    history.append(plain.path / "history.jsonl", mixed)
    found = curve("val_loss", recorded.load(plain.path))
    assert list(found.items()) == list(before.items())


def test_a_spread_is_worked_out_once(make_run):
    found = curve("val_loss", make_run(rows=rows))
    assert found[2] is found[2]


def test_values_that_are_not_finite_are_part_of_a_curve(make_run):
    found = curve("val_loss", make_run(rows=lambda epoch, seed: {"val_loss": math.inf}))
    assert found[1] == (spread({0: math.inf}),)
