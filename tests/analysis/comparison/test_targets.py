import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.values.readings import spread
from lossrun.errors import UsageError

SEEDS = {"seeds": [0, 1]}
HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def rising(step: float):
    """val_accuracy rises by `step` an epoch from `step`, of seed 1 by half as much."""
    return lambda epoch, seed: {"val_loss": 1.0 / epoch, "val_accuracy": step * epoch / (1 + seed)}


@pytest.fixture
def two(make_run):
    return [make_run(name, rows=rising(step), config=SEEDS) for name, step in (("a", 0.2), ("b", 0.1))]


def test_epochs_and_seconds_are_those_of_the_seeds_that_get_there(two):
    target = compare(two, target="val_accuracy=0.4").target
    assert (target.metric, target.goal, target.value) == ("val_accuracy", "max", 0.4)
    # 0.2, 0.4 and 0.1, 0.2, 0.3, 0.4: epochs 2 and 4, of half a second each; then 0.4 in epoch 4, and never.
    assert target.runs[0].epochs == spread({0: 2, 1: 4})
    assert target.runs[0].seconds == spread({0: 1.0, 1: 2.0})
    assert target.runs[0].never == ()
    assert target.runs[1].epochs == spread({0: 4})
    assert target.runs[1].never == (1,)


def test_nobody_gets_to_a_target_out_of_reach(two):
    (first, _) = compare(two, target="accuracy=0.99").target.runs
    assert (first.epochs, first.seconds, first.never) == (None, None, (0, 1))


def test_a_run_without_the_column_does_not_merely_never_get_there(make_run, two):
    other = make_run("other", rows=lambda epoch, seed: {"val_loss": 1.0, "val_f1": 0.5}, config=SEEDS)
    with pytest.raises(UsageError, match="expected a metric that every run recorded in its history: val_loss"):
        compare([*two, other], target="val_accuracy=0.4")


def test_the_area_is_the_mean_height_over_the_epochs_that_all_have(make_run, two):
    short = make_run("short", rows=rising(0.4), config={**SEEDS, "epochs": 2})
    target = compare([*two, short], target="val_accuracy=0.4").target
    assert target.epochs == 2
    # Straight lines: the mean of their ends.
    assert target.runs[0].area.per_seed == pytest.approx({0: 0.3, 1: 0.15})
    assert target.runs[2].area.per_seed == pytest.approx({0: 0.6, 1: 0.3})


def test_a_loss_is_to_fall_and_a_seed_that_stopped_keeps_its_value(make_run):
    runs = [
        make_run(n, rows=lambda epoch, seed: {"val_loss": 5.0 - epoch}, epochs_done=e) for n, e in (("a", 4), ("b", 1))
    ]
    target = compare(runs, target="val_loss=4").target
    assert target.goal == "min"
    assert [run.epochs.mean for run in target.runs] == [1, 1]
    assert [run.area.mean for run in target.runs] == [4.0, 4.0]


@pytest.mark.parametrize("text", ["val_accuracy", "val_accuracy=", "val_accuracy=nan", "=0.5", "val_nothing=0.5"])
def test_what_is_no_target_is_refused(two, text):
    with pytest.raises(UsageError, match=r"--target|target .*expected"):
        compare(two, target=text)


def test_losses_of_different_meaning_have_no_common_target(make_run, two):
    other = make_run("c", rows=rising(0.2), config={**SEEDS, "loss": HUBER})
    with pytest.raises(UsageError, match="val_accuracy"):
        compare([two[0], other], target="val_loss=0.5")
