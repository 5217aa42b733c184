"""Intervals over test items, from the predictions that runs keep."""

import math

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.comparison.compare import compare
from lossrun.errors import UsageError
from lossrun.records import ledger, predictions, recorded
from lossrun.report.comparison.basis import basis
from lossrun.report.comparison.verdicts import sentences

ITEMS, SEEDS = 60, 6
TARGETS = np.random.default_rng(0).normal(size=(ITEMS, 1))


# What each item adds to a metric of errors (N,), by the delta method.
SHARES = {
    "mae": lambda errors: np.abs(errors) - np.abs(errors).mean(),
    "rmse": lambda errors: (np.square(errors) - np.square(errors).mean()) / (2 * np.sqrt(np.square(errors).mean())),
    "r2": lambda errors: -(np.square(errors) - np.square(errors).mean()) / TARGETS.var(),
}


def share_of(metric, errors, weights):
    """Of items with these weights, each 0 or 1: one that does not count has no share, and the others a larger one."""
    if weights is None:
        return SHARES[metric](errors)
    found = np.zeros_like(errors)
    found[weights > 0] = SHARES[metric](errors[weights > 0]) * len(weights) / weights.sum()
    return found


def errors(number, seeds=SEEDS, items=ITEMS):
    """Of run A (number 0) and B (number 1), (seeds, items, 1)."""
    draw = np.random.default_rng(number + 1)
    return (1.0 - 0.5 * number) * draw.normal(size=(seeds, items, 1)) + 0.05 * draw.normal(size=(seeds, 1, 1))


@pytest.fixture
def pair(make_run):
    """Two runs that kept their predictions of the test data, and recorded rmse and mae of these."""

    def made(*, kept=(True, True), shares=("rmse", "mae", "r2"), shift=0, seeds=SEEDS, part="test", weights=None):
        runs = []
        for number in range(2):
            found = errors(number, seeds)
            config = {"seeds": list(range(seeds)), "learning_rate": 0.1 * (number + 1)}
            run = make_run(str(number), rows=lambda epoch, _: {"val_loss": 1 / epoch}, config=config, finish=False)
            ends = {
                str(seed): {
                    "test_at_best": {
                        "test_rmse": math.sqrt(np.square(one).mean()),
                        "test_mae": float(np.abs(one).mean()),
                        "test_r2": 1 - float(np.square(one).mean() / TARGETS.var()),
                    },
                    "test_at_last": {"test_rmse": 1.0, "test_mae": 1.0, "test_r2": 0.0},
                }
                for seed, one in enumerate(found)
            }
            ledger.append(run.path / "ledger.jsonl", "finished", epoch=4, seeds=ends, seconds=2.0)
            if kept[number]:
                predictions.save(
                    run.path / "predictions.npz",
                    ids=np.arange(ITEMS) + shift * number,
                    targets=TARGETS,
                    outputs={seed: TARGETS + one for seed, one in enumerate(found)},
                    part=part,
                    weights=weights,
                    shares={
                        metric: dict(enumerate(share_of(metric, one[..., 0], weights) for one in found))
                        for metric in shares
                    },
                )
            runs.append(recorded.load(run.path))
        return runs

    return made


def verdict(runs, metric="mae", **options):
    return compare(runs, metric, **options).verdicts[0]


def test_the_default_is_new_seeds_and_new_items_and_shows_both_parts(pair):
    runs = pair()
    found = verdict(runs).difference
    # Items are averaged over seeds first, seeds over items.
    table = np.abs(errors(1))[..., 0] - np.abs(errors(0))[..., 0]
    halves = [
        stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
        for means in (table.mean(axis=1), table.mean(axis=0))
    ]
    assert [(part.over, part.count) for part in found.parts] == [("seeds", SEEDS), ("items", ITEMS)]
    assert [part.half_width(0.05) for part in found.parts] == pytest.approx(halves)
    assert found.half_width(0.05) == pytest.approx(math.hypot(*halves))
    said = sentences(compare(runs, "mae"))
    assert said[1].startswith("- half-width: ")
    assert said[1].endswith(f"over {ITEMS} test items")
    assert "new seeds and new test items" in said[2]


def test_seeds_and_items_alone_are_asked_for(pair):
    runs = pair()
    both, seeds, items = (verdict(runs, over=over).difference for over in (None, "seeds", "items"))
    assert [part.over for part in seeds.parts] == ["seeds"]
    assert [part.over for part in items.parts] == ["items"]
    assert both.half_width(0.05) == pytest.approx(math.hypot(seeds.half_width(0.05), items.half_width(0.05)))
    told = [sentences(compare(runs, "mae", over=over))[0] for over in (None, "items")]
    assert ["(chance on a new seed: " in text for text in told] == [True, False]
    assert "over seeds, on this split and these held-out data" in basis(compare(runs, "mae", over="seeds"))[0]
    assert "new test items, for these trained models" in basis(compare(runs, "mae", over="items"))[0]


def test_rmse_varies_over_items_as_its_jackknife_says(pair):
    found = verdict(pair(), "rmse").difference
    squares = np.square([errors(0)[..., 0], errors(1)[..., 0]])
    left_out = []
    for item in range(ITEMS):
        kept = np.delete(squares, item, axis=2).mean(axis=2)
        left_out.append(np.sqrt(kept).mean(axis=1))
    each = np.array(left_out)[:, 1] - np.array(left_out)[:, 0]
    jackknife = math.sqrt((ITEMS - 1) ** 2 / ITEMS * each.var(ddof=1))
    assert found.items.standard_error == pytest.approx(jackknife, rel=0.03)


def test_items_that_do_not_count_are_left_out(pair):
    """An ignored class: its items have the weight 0, and the interval is that of the other items."""
    counting = np.arange(ITEMS) >= ITEMS // 3
    found = verdict(pair(weights=counting.astype(float))).difference.items
    table = (np.abs(errors(1))[..., 0] - np.abs(errors(0))[..., 0])[:, counting].mean(axis=0)
    assert found.count == counting.sum()
    assert found.standard_error == pytest.approx(table.std(ddof=1) / math.sqrt(counting.sum()), rel=1e-6)


def test_one_seed_decides_over_items(pair):
    runs = pair(seeds=1)
    assert verdict(runs).word == "no clear difference"
    assert verdict(runs, over="items").word == "better"


@pytest.mark.parametrize(
    ("options", "metric", "told"),
    [
        ({"kept": (True, False)}, "mae", "has no predictions.npz"),
        ({"kept": (False, True)}, "mae", "has no predictions.npz"),
        ({"shift": 1}, "mae", "are of different items"),
        ({"part": "validation"}, "mae", "kept predictions of its validation data only"),
        ({"shares": ("rmse", "mae")}, "r2", "A did not record what each test item adds to r2"),
    ],
)
def test_what_is_missing_is_said_once_and_seeds_remain(pair, options, metric, told):
    runs = pair(**options)
    found = verdict(runs, metric)
    assert told in found.without_items
    assert [part.over for part in found.difference.parts] == ["seeds"]
    assert sum(told in text for text in sentences(compare(runs, metric))) == 1
    with pytest.raises(UsageError, match=f"over items: .*{told}"):
        compare(runs, metric, over="items")


def test_at_another_epoch_there_are_no_predictions(pair):
    runs = pair()
    assert verdict(runs, at="last").without_items == "predictions are kept at the best epochs only"


def test_more_seeds_do_not_help_where_items_are_what_is_missing(pair):
    # Seeds hardly vary, and the difference is far below what 60 items can show.
    runs = pair()
    settled = compare(runs, "mae", plan=0.01).plans[0]
    assert (settled.needed.more_data, settled.needed.count) == (True, None)
    assert compare(runs, "mae", plan=2.0).plans[0].needed.count == 6
    with pytest.raises(UsageError, match="leave out one"):
        compare(runs, "mae", plan=0.01, over="items")


def test_runs_with_and_without_predictions_are_told_apart(pair, make_run):
    """Of three runs the last kept no predictions: the sentences say which interval is about what."""
    runs = pair()
    scores = {seed: {"test_rmse": 1.0, "test_mae": 0.5 + 0.1 * (seed % 3), "test_r2": 0.0} for seed in range(SEEDS)}
    ends = {str(seed): {"test_at_best": one, "test_at_last": one} for seed, one in scores.items()}
    rows = lambda epoch, _: {"val_loss": 1 / epoch}  # noqa: E731
    third = make_run("third", rows=rows, config={"seeds": list(range(SEEDS)), "learning_rate": 0.7}, finish=False)
    ledger.append(third.path / "ledger.jsonl", "finished", epoch=4, seeds=ends, seconds=2.0)
    said = basis(compare([*runs, recorded.load(third.path)], "mae"))
    assert said[0].startswith(
        "95 % intervals of test_mae for B are for the mean difference over new seeds and new test"
    )
    assert said[1].startswith("95 % intervals of test_mae for C are for the mean difference over seeds, on this split")


def test_items_that_differ_keep_the_interval_where_all_seeds_are_equal(make_run):
    """Two runs, each right on 40 of 50 items, not on the same ones: no difference, and a wide interval."""
    runs = []
    for number, right in enumerate((np.arange(50) < 40, np.arange(50) >= 10)):
        config = {"seeds": list(range(SEEDS)), "learning_rate": 0.1 * (number + 1)}
        run = make_run(str(number), rows=lambda epoch, _: {"val_loss": 1 / epoch}, config=config, finish=False)
        ends = {str(seed): {f"test_at_{when}": {"test_mae": 0.8} for when in ("best", "last")} for seed in range(SEEDS)}
        ledger.append(run.path / "ledger.jsonl", "finished", epoch=4, seeds=ends, seconds=2.0)
        predictions.save(
            run.path / "predictions.npz",
            ids=np.arange(50),
            targets=np.zeros((50, 1)),
            outputs=dict.fromkeys(range(SEEDS), np.zeros((50, 1))),
            part="test",
            shares={"mae": dict.fromkeys(range(SEEDS), right - 0.8)},
        )
        runs.append(recorded.load(run.path))
    said = sentences(compare(runs, "mae"))[0]
    assert said.startswith("no clear difference between A")
    # 20 of 50 items differ, by 1 either way: deviation 0.6389, and t(0.975) of 49 degrees is 2.0096.
    assert "B - A = 0.000, 95 % interval -0.1816 to +0.1816, identical on all 6 seeds, p = 1.0" in said
