import json
import math

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.catalog.metrics import METRICS
from lossrun.errors import UsageError
from lossrun.records import ledger, recorded
from lossrun.shell import run_command

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def falling(start: float):
    """val_rmse falls by 0.1 an epoch from `start`, val_loss is lowest in epoch 3; seeds lie 0.01 apart."""

    def rows(epoch: int, seed: int) -> dict[str, float]:
        rmse = start - 0.1 * epoch + 0.01 * seed
        return {"train_loss": start / epoch, "val_loss": abs(epoch - 3) + start, "val_rmse": rmse, "val_r2": 1 - rmse}

    return rows


TWO = (("a", 1.0, {"name": "mse"}), ("b", 0.9, HUBER))


def metric(comparison, name):
    return next(y for y in comparison.metrics if y.name == name)


def test_metrics_are_read_at_each_runs_own_best_epoch_and_at_the_last(make_run):
    comparison = compare([make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), config={"loss": HUBER})])
    rmse = metric(comparison, "val_rmse")
    # Epoch 3: 1.0 - 0.3 and 0.9 - 0.3; epoch 4, the last: 0.1 less.
    assert [value.mean for value in rmse.at_best.values] == pytest.approx([0.7, 0.6])
    assert [value.mean for value in rmse.at_last.values] == pytest.approx([0.6, 0.5])
    assert rmse.at_best.best == rmse.at_last.best == (1,)
    assert (rmse.goal, rmse.primary) == ("min", True)
    r2 = metric(comparison, "val_r2")
    assert (r2.goal, r2.primary, r2.at_best.best) == ("max", False, (1,))
    assert [run.best_epochs for run in comparison.runs] == [{0: 3}, {0: 3}]


def test_test_metrics_come_along_and_equal_values_have_no_best(make_run):
    comparison = compare([make_run(name, rows=falling(1.0)) for name in "ab"])
    rmse = metric(comparison, "test_rmse")
    assert [value.mean for value in rmse.at_best.values] == [0.5, 0.5]
    assert rmse.at_best.best == ()


def test_several_seeds_are_averaged_and_each_is_kept(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"seeds": [0, 1, 2]}) for name in "ab"]
    value = metric(compare(runs), "val_rmse").at_best.values[0]
    assert value.mean == pytest.approx(0.71)
    assert value.deviation == pytest.approx(0.01)
    assert value.per_seed == pytest.approx({0: 0.70, 1: 0.71, 2: 0.72})


def test_different_losses_are_not_ranked_by_their_own_values(make_run):
    comparison = compare([make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), config={"loss": HUBER})])
    assert comparison.refusals == (
        "train_loss and val_loss are not ranked: mse and huber(delta=1.0) are different losses, "
        "so their values have different meanings; compare a metric such as val_rmse",
    )
    assert {curve.name: curve.ranked for curve in comparison.curves} == {
        "train_loss": False,
        "val_loss": False,
        "val_rmse": True,
    }
    assert not {"val_loss", "train_loss", "test_loss"} & {y.name for y in comparison.metrics}


def test_the_same_loss_with_another_parameter_is_another_loss(make_run):
    runs = [make_run(f"d{d}", rows=falling(1.0), config={"loss": {**HUBER, "delta": d}}) for d in (1.0, 2.0)]
    assert "huber(delta=1.0) and huber(delta=2.0)" in compare(runs).refusals[0]


def test_the_form_of_the_outputs_does_not_make_another_loss(make_run):
    loss = {"name": "binary_cross_entropy", "reduction": "mean"}
    runs = [
        make_run(form, rows=falling(1.0), config={"loss": {**loss, "inputs": form}})
        for form in ("logits", "probabilities")
    ]
    assert compare(runs).refusals == ()


def test_equal_losses_are_ranked(make_run):
    comparison = compare(
        [make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), config={"learning_rate": 1})]
    )
    assert comparison.refusals == ()
    assert metric(comparison, "val_loss").at_best.best == (1,)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_other_held_out_data_make_runs_incomparable(make_run, part):
    data = {"train": "a", "validation": "b", "test": "c"}
    runs = [
        make_run("a", rows=falling(1.0), environment={"data": data}),
        make_run("b", rows=falling(0.9), environment={"data": {**data, part: "x"}}),
    ]
    comparison = compare(runs)
    assert not comparison.comparable
    assert part in comparison.reasons[0]
    for y in comparison.metrics:
        assert y.at_best.best == ()


def test_other_training_data_are_a_difference_and_leave_train_loss_unranked(make_run):
    data = {"train": "x" * 64, "validation": "b" * 64, "test": "c" * 64}
    comparison = compare(
        [make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), environment={"data": data})]
    )
    assert comparison.comparable
    assert [(d.key, d.values) for d in comparison.differences] == [("training data (SHA-256)", ("a" * 12, "x" * 12))]
    assert metric(comparison, "val_loss").at_best.best == (1,)
    assert "train_loss" not in {y.name for y in comparison.metrics}


def test_different_tasks_are_not_comparable(make_run):
    runs = [make_run(task, rows=falling(1.0), environment={"task": task}) for task in ("regression", "binary")]
    comparison = compare(runs)
    assert not comparison.comparable
    assert "regression" in comparison.reasons[0]
    assert "binary" in comparison.reasons[0]


def test_other_environments_are_warned_of(make_run):
    runs = [
        make_run("a", rows=falling(1.0)),
        make_run("b", rows=falling(1.0), environment={"torch": "2.12.0", "threads": 8}),
    ]
    assert [warning.split(":")[0] for warning in compare(runs).warnings] == ["torch differs", "threads differs"]


def test_runs_of_different_lengths_keep_all_their_epochs(make_run):
    runs = [make_run("a", rows=falling(1.0)), make_run("b", rows=falling(1.0), config={"epochs": 2})]
    curve = next(curve for curve in compare(runs).curves if curve.name == "val_rmse")
    assert [sum(value is not None for value in values) for values in curve.rows.values()] == [2, 2, 1, 1]


def test_what_is_not_plain_about_a_run_is_said(make_run):
    plain = make_run("a", rows=falling(1.0))
    cut = make_run("b", rows=falling(1.0), epochs_done=2, finish=False)
    ledger.append(plain.path / "ledger.jsonl", "resumed", step=12, changes={"epochs": [4, 6]})
    ledger.append(plain.path / "ledger.jsonl", "diverged", seed=0, epoch=5)
    first, second = compare([recorded.load(plain.path), cut]).runs
    assert first.status == "diverged"
    assert any("seed 0 diverged in epoch 5" in remark for remark in first.remarks)
    assert any("trained further after its results were known" in remark for remark in first.remarks)
    assert second.remarks == (f"interrupted after 2 of 4 epochs; `{run_command('resume', cut.path)}` continues it",)


def test_a_diverged_run_is_shown_and_never_best(make_run):
    runs = [make_run("a", rows=lambda *_: {"train_loss": math.nan, "val_loss": math.nan, "val_rmse": math.nan})]
    runs += [make_run(name, rows=falling(start)) for name, start in (("b", 1.0), ("c", 0.9))]
    rmse = metric(compare(runs), "val_rmse")
    assert rmse.at_best.values[0] is None
    assert math.isnan(rmse.at_last.values[0].mean)
    assert rmse.at_last.best == (2,)


def test_a_run_without_a_single_epoch_hides_nothing_of_the_others(make_run):
    empty = make_run("b", rows=falling(1.0), epochs_done=0, finish=False)
    comparison = compare([make_run("a", rows=falling(1.0)), empty])
    assert metric(comparison, "val_rmse").at_best.values[1] is None
    assert comparison.runs[1].best_epochs == {}
    assert comparison.verdicts == ()
    assert comparison.notes[-1].startswith("no verdict: no deciding metric")
    three = compare([make_run("c", rows=falling(1.0)), empty, make_run("d", rows=falling(0.9))])
    assert [(v.run, v.because[0]) for v in three.verdicts if v.metric == "test_rmse"] == [
        (1, "B is not finished (0 of 4 epochs)"),
        (2, "one shared seed is not enough to decide: train both with `seeds: 6`"),
    ]
    assert compare([empty, make_run("e", rows=falling(1.0), epochs_done=0, finish=False)]).metrics == ()


@pytest.mark.parametrize("metric", ["r2", "val_r2", "r_squared"])
def test_the_metric_asked_for_decides(make_run, metric):
    comparison = compare([make_run(name, rows=falling(1.0)) for name in "ab"], metric)
    assert [y.name for y in comparison.metrics if y.primary] == ["val_r2"]
    assert comparison.metrics[0].name == "val_r2"


def test_compare_on_decides_where_all_configs_agree(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"compare_on": "r2"}) for name in "ab"]
    assert [y.name for y in compare(runs).metrics if y.primary] == ["val_r2"]


def test_a_metric_that_the_runs_do_not_share_is_refused(make_run):
    runs = [make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), config={"loss": HUBER})]
    with pytest.raises(UsageError, match="they share: rmse, r2, mae"):
        compare(runs, "accuracy")
    with pytest.raises(UsageError, match="different losses"):
        compare(runs, "val_loss")


def test_one_run_or_the_same_twice_is_refused(make_run):
    run = make_run(rows=falling(1.0))
    with pytest.raises(UsageError, match="two runs"):
        compare([run])
    with pytest.raises(UsageError, match="given twice"):
        compare([run, run])


OWN = {"name": "mine:focal", "gamma": 2.0, "reduction": "mean"}


def with_source(make_run, name, code, loss=OWN, **options):
    return make_run(name, rows=falling(1.0), config={"loss": loss}, environment={"code": code}, **options)


def test_one_name_with_different_source_is_told_and_its_loss_not_ranked(make_run):
    codes = [{"mine": {"mine": "aaaa", "shapes": digest}} for digest in ("bbbb", "cccc")]
    comparison = compare([with_source(make_run, name, code) for name, code in zip("ab", codes, strict=True)])
    assert comparison.warnings == ("mine:focal ran with different source code of shapes (A: bbbb, B: cccc)",)
    assert comparison.refusals == (
        "train_loss and val_loss are not ranked: mine:focal ran with different source code, "
        "so its values may have different meanings",
    )
    assert "val_loss" not in {y.name for y in comparison.metrics}


def test_components_of_one_file_are_told_together(make_run):
    codes = [{"mine": {"mine": digest}} for digest in ("aaaa", "bbbb")]
    others = {"model": {"name": "mine:net", "output": "none"}, "optimizer": {"name": "mine:sgd"}}
    runs = [
        make_run(name, rows=falling(1.0), config={"loss": OWN, **others}, environment={"code": code})
        for name, code in zip("ab", codes, strict=True)
    ]
    expected = "mine:focal, mine:net and mine:sgd ran with different source code of mine (A: aaaa, B: bbbb)"
    assert compare(runs).warnings == (expected,)


def test_the_same_source_is_not_mentioned_whatever_else_the_runs_import(make_run):
    codes = [{"mine": {"mine": "aaaa"}}, {"mine": {"mine": "aaaa"}, "nets": {"nets": "bbbb"}}]
    comparison = compare([with_source(make_run, name, code) for name, code in zip("ab", codes, strict=True)])
    assert comparison.warnings == comparison.refusals == ()


def test_another_component_of_the_users_own_is_a_difference_of_the_config_not_of_source(make_run):
    runs = [
        with_source(make_run, "a", {"mine": {"mine": "aaaa"}}),
        with_source(make_run, "b", {"mine": {"mine": "bbbb"}}, loss={**OWN, "name": "mine:other"}),
    ]
    comparison = compare(runs)
    assert comparison.warnings == ()
    assert comparison.refusals[0].endswith("their values have different meanings; compare a metric such as val_rmse")


@pytest.mark.parametrize("code", [None, "other aaaa", "mine unknown", {"mine": {"mine": None}}, {}])
def test_a_source_that_was_not_recorded_is_told(make_run, code):
    comparison = compare(
        [with_source(make_run, "a", {"mine": {"mine": "aaaa"}}), with_source(make_run, "b", code)],
    )
    assert comparison.warnings == ("mine:focal ran with source code that B did not record",)
    assert comparison.refusals == ()


@pytest.mark.parametrize(("digest", "told"), [("aaaa", False), ("ffff", True)])
def test_the_text_that_older_versions_recorded_is_read(make_run, digest, told):
    """It was `module digest, module digest`, without what the modules import."""
    new = {"mine": {"mine": digest, "shapes": "bbbb"}, "nets": {"nets": "cccc"}}
    runs = [with_source(make_run, "a", "mine aaaa, nets cccc"), with_source(make_run, "b", new)]
    expected = (f"mine:focal ran with different source code of mine (A: aaaa, B: {digest})",) if told else ()
    assert compare(runs).warnings == expected


def test_source_that_changed_within_a_run_is_told(make_run):
    runs = [with_source(make_run, name, {"mine": {"mine": "aaaa"}}) for name in "ab"]
    ledger.append(
        runs[1].path / "ledger.jsonl", "resumed", step=3, changes={}, environment={"code": {"mine": {"mine": "bbbb"}}}
    )
    comparison = compare([runs[0], recorded.load(runs[1].path)])
    assert comparison.warnings == ("mine:focal ran with different source code of mine (A: aaaa, B: aaaa then bbbb)",)


SEEDS = {"seeds": list(range(6))}


def seeded(start: float):
    return lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": start - 0.1 * epoch + 0.01 * (seed % 3)}


def test_test_data_decide_where_there_are_and_else_validation_data(make_run):
    tested = compare([make_run(name, rows=falling(1.0)) for name in "ab"])
    assert [y.name for y in tested.metrics if y.decides] == ["test_rmse", "test_mae"]
    assert [verdict.metric for verdict in tested.verdicts] == ["test_rmse", "test_mae"]
    runs = [make_run("c", rows=falling(1.0)), make_run("d", rows=falling(1.0), finish=False)]
    assert [y.name for y in compare(runs).metrics if y.decides] == ["val_rmse"]
    assert [y.name for y in compare(runs, "val_r2").metrics if y.decides] == ["val_r2"]


def test_the_metric_asked_for_by_its_part_of_the_data_decides(make_run):
    runs = [make_run(name, rows=falling(1.0)) for name in "ab"]
    assert [v.metric for v in compare(runs, "val_rmse").verdicts] == ["val_rmse"]
    assert [v.metric for v in compare(runs, "rmse").verdicts] == ["test_rmse"]


def test_six_seeds_get_a_verdict(make_run):
    runs = [make_run(name, rows=seeded(start), config=SEEDS) for name, start in (("a", 1.0), ("b", 0.9))]
    (verdict,) = compare(runs, "val_rmse").verdicts
    assert (verdict.word, verdict.run, verdict.reference) == ("better", 1, 0)
    # The same difference on all six seeds: the sign test's 2^-5.
    assert verdict.difference.mean == pytest.approx(-0.1)
    assert verdict.corrected_p_value == 1 / 32
    assert compare(runs, "val_rmse", margin=0.2).verdicts[0].word == "equivalent"


def test_another_moment_is_read_and_judged(make_run):
    runs = [make_run(name, rows=seeded(start), config=SEEDS) for name, start in (("a", 1.0), ("b", 0.9))]
    for at, mean in ((1, 0.91), (2, 0.81), ("last", 0.61)):
        comparison = compare(runs, "val_rmse", at=at)
        assert metric(comparison, "val_rmse").measured.values[0].mean == pytest.approx(mean)
        assert comparison.verdicts[0].word == "better"
    with pytest.raises(UsageError, match="from 1 to 4"):
        compare(runs, at=5)


def test_unfinished_runs_are_judged_at_an_epoch_that_both_have_and_not_at_their_best(make_run):
    runs = [
        make_run("a", rows=seeded(1.0), config=SEEDS),
        make_run("b", rows=seeded(0.9), config=SEEDS, epochs_done=2, finish=False),
    ]
    (verdict,) = compare(runs).verdicts
    assert verdict.difference is None
    assert verdict.because == ("B is not finished (2 of 4 epochs)",)
    assert compare(runs, at=2).verdicts[0].word == "better"
    assert compare(runs, at=3).verdicts == ()


def test_runs_that_are_not_comparable_get_no_verdict(make_run):
    data = {"train": "a", "validation": "x", "test": "c"}
    runs = [
        make_run("a", rows=seeded(1.0), config=SEEDS),
        make_run("b", rows=seeded(0.9), config=SEEDS, environment={"data": data}),
    ]
    assert compare(runs).verdicts == ()


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_is_a_number_above_zero(make_run, margin):
    with pytest.raises(UsageError, match="above 0"):
        compare([make_run(name, rows=falling(1.0)) for name in "ab"], margin=margin)


@pytest.mark.parametrize(("name", "most"), [(one.name, one.at_most) for one in METRICS if one.at_most])
def test_per_cent_where_shares_are_meant_are_refused(make_run, name, most):
    """With a margin of 1 all accuracies would be equivalent, and no run would ever reach a target of 97."""
    rows = lambda epoch, seed: {"val_loss": 1 / epoch, f"val_{name}": 0.1 * seed}  # noqa: E731
    runs = [
        make_run(letter, rows=rows, config={"seeds": [0, 1, 2], "learning_rate": rate}, environment={"task": "binary"})
        for letter, rate in (("a", 0.1), ("b", 0.2))
    ]
    for options in ({"margin": most}, {"plan": 2 * most}, {"target": f"val_{name}=97"}):
        with pytest.raises(UsageError, match=f"{name} lies between 0 and {most}"):
            compare(runs, f"val_{name}", **options)
    assert compare(runs, f"val_{name}", margin=most / 2, target=f"val_{name}={most}").verdicts


def by_seed(values):
    """A history whose val_rmse is of the seed alone."""
    return lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": values[seed]}


def test_means_are_over_the_seeds_that_runs_share_and_the_others_are_named(make_run):
    # On their common seeds A is better on each; on its own B has easy ones besides.
    a = make_run("a", rows=by_seed([1.0, 1.1, 1.2]), config={"seeds": [0, 1, 2]})
    b = make_run("b", rows=by_seed([1.5, 1.6, 1.7, 0.01, 0.01]), config={"seeds": [0, 1, 2, 3, 4], "loss": HUBER})
    comparison = compare([a, b], "val_rmse")
    first, second = (value.mean for value in metric(comparison, "val_rmse").at_best.values)
    assert (first, second) == pytest.approx((1.1, 1.6))
    assert metric(comparison, "val_rmse").at_best.best == (0,)
    assert comparison.verdicts[0].difference.mean == pytest.approx(0.5)
    assert comparison.runs[1].left_out == (3, 4)
    assert comparison.notes[0] == ("B: seeds 3 and 4 are left out of every number, because A does not have them")


def test_what_early_stopping_left_at_an_epoch_proves_nothing(make_run, tmp_path):
    """Of B the bad seeds stopped before epoch 4: the six that are left are its best."""
    seeds = {"seeds": list(range(8))}
    a = make_run("a", rows=by_seed([1.0 + 0.01 * seed for seed in range(8)]), config=seeds)
    b = make_run("b", rows=by_seed([0.5 + 0.02 * seed for seed in range(8)]), config={**seeds, "loss": HUBER})
    path = b.path / "history.jsonl"
    kept = [line for line in path.read_text().splitlines(keepends=True) if not is_late(json.loads(line))]
    path.write_text("".join(kept))
    whole, chosen = (compare([a, recorded.load(b.path)], "val_rmse", at=at).verdicts[0] for at in (3, 4))
    assert whole.word == "better"
    assert (chosen.word, len(chosen.difference.per_seed), chosen.seeds) == ("no clear difference", 6, None)
    assert chosen.because == ("2 of 8 shared seeds have no value in one of the runs, so the other seeds cannot decide",)


def is_late(row):
    return row["seed"] >= 6 and row["epoch"] > 3


@pytest.mark.parametrize("keep", [3, 3.5])
def test_a_history_that_lost_its_end_is_not_subtracted(make_run, keep):
    """Cut between two lines, or within one: nothing of the last epoch is left, but the ledger speaks of it."""
    runs = [make_run(name, rows=falling(start), config={"loss": loss}) for name, start, loss in TWO]
    path = runs[1].path / "history.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + ("" if keep == 3 else lines[3][:20]))
    ledger.append(runs[1].path / "ledger.jsonl", "finished", epoch=4, seeds=runs[1].finished["seeds"], seconds=1.0)
    comparison = compare([runs[0], recorded.load(runs[1].path)])
    for verdict in comparison.verdicts:
        assert (verdict.word, verdict.difference) == ("no clear difference", None)
        assert verdict.because == ("B has lost part of its history",)
    # Its test values were taken at epochs that are gone.
    assert not any(y.name.startswith("test_") for y in comparison.metrics)
    assert "has lost part of its history since it finished: 3 of 4 epochs are left" in comparison.runs[1].remarks


def test_seeds_that_diverged_in_runs_of_their_own_are_not_forgotten(make_run):
    """Ten runs of a seed each, four of which diverged: the six that are left are a choice of the good ones."""
    baseline = make_run(
        "base", rows=by_seed([1.0 + 0.01 * seed for seed in range(10)]), config={"seeds": list(range(10))}
    )
    others = []
    for seed in range(10):
        diverged = seed >= 6
        run = make_run(
            f"lr-{seed}",
            rows=by_seed({seed: 0.5 + 0.02 * seed}),
            config={"seeds": [seed], "learning_rate": 0.3},
            finish=not diverged,
        )
        if diverged:
            ledger.append(run.path / "ledger.jsonl", "diverged", seed=seed, epoch=4, step=12)
        others.append(recorded.load(run.path))
    for chosen, word in ((others[:6], "better"), (others, "no clear difference")):
        verdict = compare([baseline, *chosen], "val_rmse").verdicts[0]
        assert verdict.word == word
    assert verdict.because == ("4 of 10 seeds of B diverged",)
    assert (verdict.seeds, verdict.hopeless) == (None, False)


def test_a_run_that_broke_off_leaves_the_others_their_test_data(make_run):
    runs = [make_run(name, rows=falling(start), config={"loss": loss}) for name, start, loss in TWO]
    third = make_run("c", rows=falling(0.8), config={"learning_rate": 0.5}, epochs_done=1, finish=False)
    for given in (runs, [*runs, third]):
        decided = {verdict.metric for verdict in compare(given).verdicts}
        assert decided == {"test_rmse", "test_mae"}


def test_test_values_of_before_a_run_went_on_are_not_those_of_its_best_epoch(make_run):
    runs = [make_run(name, rows=falling(start), config={"loss": loss}) for name, start, loss in TWO]
    path = runs[1].path / "ledger.jsonl"
    ledger.append(path, "resumed", step=12, changes={"epochs": [4, 8], "learning_rate": [0.1, 0.05]})
    comparison = compare([runs[0], recorded.load(runs[1].path)])
    (test,) = [y for y in comparison.metrics if y.name == "test_rmse"] or [None]
    assert test is None or test.at_best.values[1] is None
    assert "learning_rate: 0.1 until step 12, then 0.05" in comparison.runs[1].remarks


def test_no_mark_stands_beside_a_worse_mean(make_run):
    good = make_run("a", rows=by_seed([1.0, 1.0]), config={"seeds": [0, 1]})
    diverged = make_run("b", rows=by_seed([0.5, 0.5]), config={"seeds": [0, 1], "loss": HUBER})
    ledger.append(diverged.path / "ledger.jsonl", "diverged", seed=1, step=3)
    comparison = compare([good, recorded.load(diverged.path)], "val_rmse")
    assert metric(comparison, "val_rmse").at_best.best == ()


def test_a_run_that_was_taken_up_again_from_before_it_diverged_is_told_to_be_so(make_run):
    runs = [make_run(name, rows=falling(start), config={"loss": loss}) for name, start, loss in TWO]
    path = runs[1].path / "ledger.jsonl"
    finished = dict(runs[1].finished)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    ledger.append(path, "diverged", seed=0, epoch=2, step=6)
    (remark,) = [r for r in compare([runs[0], recorded.load(runs[1].path)]).runs[1].remarks if "diverged" in r]
    assert remark == "seed 0 diverged in epoch 2"
    ledger.append(path, "resumed", step=3, changes={"learning_rate": [0.1, 0.05]})
    ledger.append(path, finished.pop("event"), **{key: fact for key, fact in finished.items() if key != "time"})
    comparison = compare([runs[0], recorded.load(runs[1].path)])
    assert "seed 0 diverged in epoch 2; resumed from an earlier step" in comparison.runs[1].remarks
    assert comparison.runs[1].diverged == ()


def test_seeds_that_diverged_alike_are_one_remark(make_run):
    good = make_run("a", rows=by_seed([1.0] * 4), config={"seeds": [0, 1, 2, 3]})
    bad = make_run("b", rows=by_seed([0.5] * 4), config={"seeds": [0, 1, 2, 3], "loss": HUBER})
    for seed, epoch in ((0, 2), (1, 2), (2, 3)):
        ledger.append(bad.path / "ledger.jsonl", "diverged", seed=seed, epoch=epoch, step=6, diagnosis="nan")
    ledger.append(bad.path / "ledger.jsonl", "diverged", seed=3, epoch=2, step=6, diagnosis="exploded")
    remarks = [told for told in compare([good, recorded.load(bad.path)]).runs[1].remarks if "diverged" in told]
    assert [told.partition(":")[0] for told in remarks] == [
        "seeds 0 to 2 diverged in epochs 2 to 3",
        "seed 3 diverged in epoch 2",
    ]
