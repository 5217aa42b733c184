"""Runs over different seeds: every number next to a verdict is over the verdict's seeds, or says which others."""

import csv
import io
import re
from dataclasses import replace

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.report_data import report_data
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.report.comparison.compare import blocks
from lossrun.report.comparison.formats import to_csv, written
from lossrun.report.comparison.matrix import matrices
from lossrun.report.html.page import to_html


@pytest.fixture
def made(make_run):
    """A run whose val_rmse is that of its seed and epoch: 10 per seed, so that means tell which seeds they are of."""

    def run(name, seeds, rate, **options):
        return make_run(
            name,
            rows=lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": 10 * seed + rate + 0.01 * seed * rate},
            config={"seeds": list(seeds), "learning_rate": rate},
            **options,
        )

    return run


SHARES = {
    "more in the second": ((0, 1, 2), (0, 1, 2, 3, 4)),
    "more in the first": ((0, 1, 2, 3, 4), (0, 1, 2)),
    "some of each": ((0, 1, 2, 3), (2, 3, 4, 5)),
    "another order": ((3, 2, 1, 0), (0, 1, 2, 7)),
    "one": ((0, 1, 2), (2, 3)),
    "the same": ((0, 1, 2), (0, 1, 2)),
}


@pytest.mark.parametrize("case", SHARES)
def test_every_mean_is_over_the_seeds_of_the_verdict(made, case):
    first, second = SHARES[case]
    shared = set(first) & set(second)
    runs = [made("a", first, 0.1), made("b", second, 0.2)]
    comparison = compare(runs, "val_rmse", target="val_loss=0.5")
    assert set(comparison.verdicts[0].difference.per_seed) == shared
    for metric in comparison.metrics:
        for measured in (metric.measured, metric.at_best, metric.at_last):
            assert all(set(value.per_seed) == shared for value in measured.values if value)
    for curve in comparison.curves:
        assert all(set(value.per_seed) == shared for row in curve.rows.values() for value in row)
    for found, run, asked in zip(comparison.target.runs, comparison.runs, (first, second), strict=True):
        assert set(found.epochs.per_seed) == set(found.area.per_seed) == shared
        assert set(run.seeds) == set(run.best_epochs) == set(run.last_epochs) == shared
        assert set(run.left_out) == set(asked) - shared
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert {int(row["seed"]) for row in rows} == shared
    course = report_data(runs, comparison).course
    assert all(set(value.per_seed) == shared for curve in course for row in curve.rows.values() for value in row)


@pytest.mark.parametrize("case", [name for name in SHARES if name != "the same"])
def test_seeds_that_are_left_out_are_named_in_every_format(made, case):
    first, second = SHARES[case]
    comparison = compare([made("a", first, 0.1), made("b", second, 0.2)], "val_rmse")
    told = [note for note in comparison.notes if "left out" in note]
    assert len(told) == sum(bool(run.left_out) for run in comparison.runs)
    legend = blocks(comparison, curves=False)[0]
    cells = next(column.cells for column in legend.columns if column.header == "seeds")
    for run, cell in zip(comparison.runs, cells, strict=True):
        assert (f"{len(run.left_out)} left out" in cell) == bool(run.left_out)
    for format_ in ("md", "latex", "json"):
        text = written(comparison, format_, curves=False, per_seed=False)
        assert all(note.partition(":")[2].strip() in text for note in told)


def test_the_page_names_them_too(made):
    runs = [made("a", (0, 1, 2), 0.1), made("b", (0, 1, 2, 5), 0.2)]
    text = to_html(report_data(runs, compare(runs, "val_rmse")))
    assert "seed 5 is left out of every number, because A does not have it" in text


def test_of_three_runs_each_is_cut_to_what_it_shares_with_the_first_and_the_rest_is_said(made):
    runs = [made("a", range(6), 0.1), made("b", range(6), 0.2), made("c", (0, 1, 9), 0.3)]
    comparison = compare(runs, "val_rmse")
    (rmse,) = [y for y in comparison.metrics if y.name == "val_rmse"]
    assert [sorted(value.per_seed) for value in rmse.measured.values] == [list(range(6)), list(range(6)), [0, 1]]
    assert rmse.measured.best == ()
    assert [sorted(verdict.difference.per_seed) for verdict in comparison.verdicts] == [list(range(6)), [0, 1]]
    assert "C is compared with A on seeds 0 and 1, while the values of A are over seeds 0 to 5" in comparison.notes
    assert "C: seed 9 is left out of every number, because A does not have it" in comparison.notes


def test_runs_without_a_common_seed_keep_their_values_and_have_no_verdict(made):
    comparison = compare([made("a", (0, 1), 0.1), made("b", (2, 3), 0.2)], "val_rmse")
    assert comparison.verdicts[0].difference is None
    assert "B shares no seed with A, so the values of B are over different seeds" in comparison.notes
    assert not [note for note in comparison.notes if "leaving out seeds" in note]
    (rmse,) = [y for y in comparison.metrics if y.name == "val_rmse"]
    assert [sorted(value.per_seed) for value in rmse.measured.values] == [[0, 1], [2, 3]]
    assert rmse.measured.best == ()


def test_test_values_are_cut_too_and_a_finished_run_stays_whole(made):
    # Test values are 0.5 + the seed, in all runs.
    comparison = compare([made("a", (0, 1), 0.1), made("b", (0, 1, 2, 3), 0.2)])
    (rmse,) = [y for y in comparison.metrics if y.name == "test_rmse"]
    assert [value.mean for value in rmse.measured.values] == [1.0, 1.0]
    assert not [reason for verdict in comparison.verdicts for reason in verdict.because if "history" in reason]


def test_a_divergence_among_the_seeds_that_are_left_out_still_counts(made, tmp_path):
    from lossrun.records import ledger, recorded

    a, b = made("a", range(8), 0.1), made("b", range(9), 0.01)
    ledger.append(b.path / "ledger.jsonl", "diverged", seed=8, step=1)
    ledger.append(b.path / "ledger.jsonl", "finished", seeds={}, epoch=4)
    comparison = compare([a, recorded.load(b.path)], "val_rmse")
    assert comparison.verdicts[0].because == ("1 of 9 seeds of B diverged",)
    assert comparison.verdicts[0].word == "no clear difference"


@pytest.mark.parametrize(
    ("epoch", "told"),
    [
        (2, []),
        (3, ["B: seed 0 has no epoch 3, so the values of B are over seeds 1 and 2"]),
        (4, ["B: seeds 0 and 2 have no epoch 4, so the values of B are over seed 1"]),
        (5, ["B: seeds 0 to 2 have no epoch 5"]),
    ],
)
def test_an_epoch_that_some_seeds_have_not_reached_is_told_of(make_run, epoch, told):
    ends, config = {0: 2, 1: 4, 2: 3}, {"seeds": [0, 1, 2], "epochs": 5}
    whole, run = (
        make_run(name, rows=lambda number, seed: {"val_loss": 1 / number, "val_rmse": seed}, config=config)
        for name in ("a", "b")
    )
    kept = Rows(row for row in run.history.rows if row["epoch"] <= ends[row["seed"]])
    comparison = compare([whole, replace(run, history=History(kept, False))], "val_rmse", at=epoch)
    assert [note for note in comparison.notes if "no epoch" in note] == told
    reached = sum(end >= epoch for end in ends.values())
    over = {f"{reached} of 3"} if 0 < reached < 3 else set()
    for upright in (True, False):
        tables = matrices(comparison, ("A", "B"), "±", upright=upright)
        assert {found for table in tables for found in re.findall("B: means over (.*) seeds", table.note)} == over
        assert not any("A over" in table.note for table in tables)
