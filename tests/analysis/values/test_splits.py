"""Runs whose seeds have splits of their own: what may be compared, over what, and in which words."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.values.splits import splits
from lossrun.report.comparison.basis import basis
from lossrun.report.comparison.compare import blocks
from lossrun.report.comparison.formats import to_json
from lossrun.report.comparison.verdicts import sentences, verdicts_table

WORSE = (1.00, 1.10, 0.95, 1.05, 1.02, 0.98, 1.01, 1.04)
BETTER = (0.50, 0.58, 0.47, 0.56, 0.50, 0.49, 0.55, 0.52)
CLOSE = (1.04, 1.09, 1.00, 1.02, 1.04, 1.02, 1.02, 1.07)
DATASET = {"name": "synthetic_regression", "test": 0.2, "validation": 0.1}
SIZES = {"train": 72, "validation": 8, "test": 20}


def digests(seeds, *, whole=()):
    """What run.json has of the parts: of each seed's samples, except for the parts in `whole`."""
    parts = {}
    for part in ("train", "validation", "test"):
        each = [("0" if part in whole else f"{seed + 1:x}") * 16 for seed in seeds]
        parts[part] = "+".join(each)
    return parts


@pytest.fixture
def made(make_run):
    """A run with these values of val_rmse (no test data), by seed; `split_seed: seed` unless told otherwise."""

    def run(name, values, *, rate=0.1, seeds=None, split_seed="seed", data=None, samples=SIZES, **dataset):
        seeds = list(range(len(values))) if seeds is None else list(seeds)
        by_seed = dict(zip(seeds, values, strict=True))
        data = data or (digests(seeds) if split_seed == "seed" else dict.fromkeys(("train", "validation"), "f" * 64))
        return make_run(
            name,
            rows=lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": by_seed[seed]},
            config={
                "seeds": seeds,
                "learning_rate": rate,
                "dataset": {**DATASET, "split_seed": split_seed, **dataset},
            },
            environment={"data": data, **({"samples": samples} if samples else {})},
        )

    return run


def half_width(values, ratio):
    deviation = np.std(values, ddof=1)
    return stats.t.ppf(0.975, len(values) - 1) * deviation * math.sqrt(1 / len(values) + ratio)


@pytest.mark.parametrize(("metric", "ratio"), [("val_rmse", 8 / 72), ("test_rmse", 20 / 72)])
def test_the_interval_is_wider_by_the_part_that_the_metric_is_computed_on(made, metric, ratio):
    a, b = made("a", WORSE), made("b", CLOSE, rate=0.2)
    difference = compare([a, b], metric).verdicts[0].difference
    assert (difference.count, difference.over) == (8, "splits")
    assert difference.ratio == pytest.approx(ratio)
    if metric == "val_rmse":
        half = half_width([y - x for x, y in zip(WORSE, CLOSE, strict=True)], ratio)
        assert difference.interval == pytest.approx((difference.mean - half, difference.mean + half), rel=1e-9)


def test_one_split_for_all_seeds_has_students_interval(made):
    a, b = made("a", WORSE, split_seed=0), made("b", CLOSE, rate=0.2, split_seed=0)
    comparison = compare([a, b], "val_rmse")
    difference = comparison.verdicts[0].difference
    half = half_width([y - x for x, y in zip(WORSE, CLOSE, strict=True)], 0)
    assert difference.interval == pytest.approx((difference.mean - half, difference.mean + half), rel=1e-9)
    assert (difference.over, difference.ratio, comparison.own_splits) == ("seeds", 0.0, False)
    assert "over seeds, on this split and these held-out data" in basis(comparison)[0]


def test_no_sentence_speaks_of_this_split_where_there_are_several(made):
    comparison = compare([made("a", WORSE), made("b", BETTER, rate=0.2)], "val_rmse")
    text = json.dumps([block if isinstance(block, list) else [block.title, block.note] for block in
                       blocks(comparison, curves=True)])  # fmt: skip
    assert "this split" not in text
    assert "new data from the same source, if chance in the test items outweighs chance in the" in text
    assert "1/8 + 0.11 (Nadeau and Bengio 2003)" in text
    assert "better on 8 of 8 splits" in text
    assert "over seeds on different splits" in text
    assert comparison.own_splits


def test_with_an_official_test_set_only_the_training_data_are_drawn(made):
    data = [digests(range(8), whole=("validation",)) for _ in range(2)]
    a, b = made("a", WORSE, data=data[0]), made("b", BETTER, rate=0.2, data=data[1])
    comparison = compare([a, b], "val_rmse")
    said = basis(comparison)
    assert "only for these held-out data and training sets, not for other data" in said[0]
    # The splits are draws from the same samples: Student's interval, whatever the size of the held-out part.
    difference = comparison.verdicts[0].difference
    half = half_width([y - x for x, y in zip(WORSE, BETTER, strict=True)], 0)
    assert (difference.over, difference.ratio) == ("splits", 0.0)
    assert difference.half_width(0.05) == pytest.approx(half)
    assert not any("Nadeau" in text for text in said)


def test_p_value_equivalence_and_seeds_to_settle_go_by_the_same_variance(made):
    own = [made(name, values, rate=rate) for name, values, rate in (("a", WORSE, 0.1), ("b", CLOSE, 0.2))]
    one = [made(n, v, rate=r, split_seed=0) for n, v, r in (("c", WORSE, 0.1), ("d", CLOSE, 0.2))]
    wider, narrower = (compare(runs, "val_rmse").verdicts[0] for runs in (own, one))
    assert wider.corrected_p_value > narrower.corrected_p_value
    values = [y - x for x, y in zip(WORSE, CLOSE, strict=True)]
    # Between the bounds of the two variances, each mean + t(0.95) error.
    bounds = [
        np.mean(values) + stats.t.ppf(0.95, 7) * np.std(values, ddof=1) * math.sqrt(1 / 8 + r) for r in (0, 1 / 9)
    ]
    margin = float(np.mean(bounds))
    assert compare(one, "val_rmse", margin=margin).verdicts[0].word == "equivalent"
    assert compare(own, "val_rmse", margin=margin).verdicts[0].word != "equivalent"


def test_where_no_number_of_splits_settles_it_more_data_are_asked_for(made):
    slight = [value + 0.001 * (-1) ** seed * 30 + 0.004 for seed, value in enumerate(WORSE)]
    comparison = compare([made("a", WORSE), made("b", slight, rate=0.2)], "val_rmse")
    (verdict,) = comparison.verdicts
    assert (verdict.word, verdict.needs_more_data, verdict.seeds, verdict.hopeless) == (
        "no clear difference",
        True,
        None,
        False,
    )
    assert "more splits of these data will not help: more data are needed" in sentences(comparison)[0]
    # On one split, more seeds do.
    other = compare([made("c", WORSE, split_seed=0), made("d", slight, rate=0.2, split_seed=0)], "val_rmse")
    assert other.verdicts[0].seeds is not None
    many = [made(str(n), slight, rate=0.2 + n / 100) for n in range(9)]
    table = verdicts_table(compare([made("e", WORSE), *many], "val_rmse"))
    assert set(table.columns[-1].cells) == {"more data"}


def test_runs_over_different_seeds_are_compared_on_their_common_splits(made):
    a, b = made("a", WORSE), made("b", BETTER[:6], rate=0.2)
    comparison = compare([a, b], "val_rmse")
    assert comparison.comparable
    assert comparison.verdicts[0].difference.count == 6
    assert not [difference for difference in comparison.differences if "training data" in difference.key]
    shuffled = made("c", BETTER[:6][::-1], rate=0.2, seeds=range(5, -1, -1))
    assert compare([a, shuffled], "val_rmse").verdicts[0].difference.per_seed == pytest.approx(
        comparison.verdicts[0].difference.per_seed
    )


def test_the_same_seed_on_other_data_is_not_comparable(made):
    a, b = made("a", WORSE), made("b", BETTER, rate=0.2, data=digests(range(1, 9)))
    comparison = compare([a, b], "val_rmse")
    assert [reason for reason in comparison.reasons if reason.startswith("the splits differ")]
    assert comparison.verdicts == ()


def test_splits_of_seeds_against_one_split_for_all_are_refused_with_one_message(made):
    a, b = made("a", WORSE), made("b", BETTER, rate=0.2, split_seed=0)
    for runs in ([a, b], [b, a]):
        comparison = compare(runs, "val_rmse")
        (reason,) = comparison.reasons
        assert "several splits and" in reason
        assert "one split for all seeds" in reason
        assert comparison.verdicts == ()
        assert all(not metric.measured.best for metric in comparison.metrics)


def test_parts_that_the_data_bring_along_are_one_split_whatever_the_seed(made):
    same = digests(range(8), whole=("train", "validation", "test"))
    a, b = made("a", WORSE, data=same), made("b", BETTER, rate=0.2, data=same)
    comparison = compare([a, b], "val_rmse")
    assert not comparison.own_splits
    assert comparison.verdicts[0].difference.over == "seeds"
    # And they are the same data as a run with a fixed split_seed has.
    whole = dict.fromkeys(same, "0" * 64)
    fixed = made("c", BETTER, rate=0.3, split_seed=0, data=whole)
    assert compare([a, fixed], "val_rmse").comparable


def test_runs_of_older_versions_have_sizes_by_their_config_or_no_interval(made):
    a, b = made("a", WORSE, samples=None), made("b", BETTER, rate=0.2, samples=None)
    # 0.1 of the rest held out, 0.9 of it trained on.
    assert compare([a, b], "val_rmse").verdicts[0].difference.ratio == pytest.approx(0.1 / 0.9)
    c, d = (made(n, v, rate=r, samples=None, validation=10) for n, v, r in (("c", WORSE, 0.1), ("d", BETTER, 0.2)))
    comparison = compare([c, d], "val_rmse")
    assert comparison.verdicts[0].difference.interval is None
    assert comparison.verdicts[0].word == "no clear difference"
    assert "sizes of the splits were not recorded" in sentences(comparison)[0]


def test_what_training_samples_themselves_show_has_no_interval(make_run):
    runs = [
        make_run(
            name,
            rows=lambda epoch, seed, values=values: {"train_loss": values[seed]},
            config={
                "seeds": list(range(8)),
                "learning_rate": rate,
                "dataset": {**DATASET, "validation": 0, "test": 0, "split_seed": "seed"},
                "best": {"metric": "train_loss", "mode": "min"},
            },
            environment={"data": {"train": digests(range(8))["train"]}, "samples": {"train": 72}},
            finish=False,
        )
        for name, values, rate in (("a", WORSE, 0.1), ("b", BETTER, 0.2))
    ]
    comparison = compare(runs, "train_loss", at=4)
    assert comparison.verdicts[0].difference.interval is None
    assert "training samples of different splits overlap" in sentences(comparison)[0]


def test_sizes_may_differ_from_seed_to_seed(made):
    sizes = {"train": [60, 80] * 4, "validation": [12, 8] * 4, "test": [20, 4] * 4}
    a, b = made("a", WORSE, samples=sizes), made("b", BETTER, rate=0.2, samples=SIZES)
    # The mean of 12/60 and 8/80, the larger one of the two runs.
    assert compare([a, b], "val_rmse").verdicts[0].difference.ratio == pytest.approx(0.15)


def test_seeds_trained_one_by_one_with_splits_of_their_own_count_as_one_run(made):
    runs = [made(f"a{seed}", WORSE[seed : seed + 1], seeds=[seed]) for seed in range(8)]
    other = made("b", BETTER, rate=0.2)
    comparison = compare([*runs, other], "val_rmse")
    assert len(comparison.runs) == 2
    assert comparison.verdicts[0].difference.count == 8
    assert comparison.verdicts[0].difference.over == "splits"
    # Of other sizes, they cannot be of the same data.
    odd = made("odd", WORSE[:1], seeds=[9], samples={**SIZES, "train": 73})
    assert len(compare([*runs, odd, other], "val_rmse").runs) == 3


def test_json_says_what_intervals_are_over(made):
    (verdict,) = json.loads(to_json(compare([made("a", WORSE), made("b", BETTER, rate=0.2)], "val_rmse")))["verdicts"]
    facts = verdict["difference"]
    assert (facts["over"], facts["count"], facts["ratio"]) == ("splits", 8, pytest.approx(8 / 72))
    assert verdict["needs_more_data"] is False


def test_a_run_that_recorded_nothing_of_its_data_has_the_splits_of_its_config(made):
    run = made("a", WORSE, data={"train": None}, samples=None)
    assert splits(run).own
    other = made("b", BETTER, rate=0.2, data={"train": None}, samples=None)
    assert compare([run, other], "val_rmse").verdicts[0].difference.count == 8
