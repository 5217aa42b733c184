"""The seconds of one seed, over every way in which a run may train its seeds."""

import csv
import io
import json
from dataclasses import replace

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.learning_curves import learning_curves
from lossrun.analysis.run_facts import facts
from lossrun.analysis.runs import listing
from lossrun.analysis.selection import value
from lossrun.analysis.values.seconds import at_once, clock, seed_seconds
from lossrun.records import ledger, recorded
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.run_directory import RunDirectory
from lossrun.report.comparison.compare import blocks
from lossrun.report.comparison.formats import to_csv
from lossrun.report.run_json import run_as_json
from tests.conftest import write_run

EPOCHS = 4  # of half a second each, for all seeds together


def falling(epoch, seed):
    return {"val_loss": 1.0 / epoch}


# Seeds, groups, what an epoch costs one seed, how many share that, and in words.
CASES = {
    "one seed": (1, [1], 0.5, 1, ""),
    "one seed of an older version": (1, None, 0.5, 1, ""),
    "in turn": (5, [1] * 5, 0.1, 1, "5 seeds in turn"),
    "at once": (5, [5], 0.5, 5, "5 seeds at once"),
    "in groups": (5, [3, 2], 0.25, 3, "5 seeds, up to 3 at once"),
    "in groups of two": (6, [2, 2, 2], 0.5 / 3, 2, "6 seeds, up to 2 at once"),
    "not recorded": (5, None, 0.5, None, "5 seeds"),
    "damaged": (5, [2, 2], 0.5, None, "5 seeds"),
}


@pytest.fixture(params=CASES)
def case(request, make_run):
    seeds, chunks, *expected = CASES[request.param]
    environment = {} if chunks is None else {"chunks": chunks}
    run = make_run(rows=falling, config={"seeds": list(range(seeds))}, environment=environment)
    return run, make_run("other", rows=falling, config={"seeds": [0], "learning_rate": 0.2}), *expected


def test_an_epoch_costs_one_seed_the_time_of_its_group(case):
    run, _, each, together, words = case
    assert seed_seconds([run]) == {seed: pytest.approx(dict.fromkeys(range(1, EPOCHS + 1), each)) for seed in run.seeds}
    assert at_once([run]) == together
    assert clock(run).arrangement == words


def test_a_target_is_reached_in_the_seconds_of_one_seed_and_shared_ones_have_a_label(case):
    run, other, each, together, _ = case
    comparison = compare([run, other], target="val_loss=0.5")
    found = comparison.target.runs[0]
    assert found.seconds.mean == pytest.approx(2 * each)
    assert found.at_once == together
    (table,) = [block for block in blocks(comparison, curves=False) if getattr(block, "title", "").startswith("Until")]
    cell = next(column for column in table.columns if column.header == "seconds").cells[0]
    label = "" if together == 1 else " (all " if together is None else f" ({together} seeds at once)"
    assert label in cell
    assert ("(" in cell) == bool(label)
    assert ("seconds: for one seed" in table.note) == (len(run.seeds) > 1)


def test_csv_says_how_many_seeds_share_the_seconds(case):
    run, other, each, together, _ = case
    rows = list(csv.DictReader(io.StringIO(to_csv(compare([run, other], target="val_loss=0.5")))))
    of_run = {row["metric"]: row["value"] for row in rows if row["run"] == run.name and row["at"] == "target"}
    assert float(of_run["seconds_to_target"]) == pytest.approx(2 * each)
    assert of_run["seeds_at_once"] == ("" if together is None else str(together))


def test_curves_over_seconds_are_those_of_one_seed(case):
    run, other, each, together, _ = case
    curves = learning_curves([run, other], x_axis="seconds")
    assert curves.panels[0].curves[0].xs == pytest.approx([each * epoch for epoch in range(1, EPOCHS + 1)])
    assert curves.panels[0].curves[1].xs == pytest.approx([0.5 * epoch for epoch in range(1, EPOCHS + 1)])
    said = [note for note in curves.notes if "seconds are" in note]
    assert len(said) == (len(run.seeds) > 1)
    assert all(("share" in note) == (together != 1) for note in said)


def test_the_seconds_of_an_epoch_can_be_drawn(case):
    run, _, each, *_ = case
    (panel,) = learning_curves([run], ["seconds"]).panels
    assert panel.curves[0].means == pytest.approx([each] * EPOCHS)


def test_show_says_for_how_many_seeds_the_time_was_and_ls_sorts_by_that_of_one(case):
    run, _, each, _, words = case
    assert facts(run).seconds == EPOCHS * 0.5
    assert facts(run).arrangement == words
    assert json.loads(run_as_json(facts(run)))["seconds_are_of"] == (words or "1 seed")
    (row,) = listing([run.path]).rows
    assert value(row, "seconds") == pytest.approx(each)
    assert value(row, "train_seconds") == pytest.approx(each * 0.4 / 0.5)


def test_a_group_whose_seeds_have_stopped_takes_no_time(make_run):
    run = make_run(rows=falling, config={"seeds": [0, 1, 2, 3]}, environment={"chunks": [2, 2]})
    rows = [row for row in run.history.rows if row["epoch"] < 3 or row["seed"] != 3]
    rows = [row for row in rows if row["epoch"] < 4 or row["seed"] < 2]
    took = seed_seconds([replace(run, history=History(Rows(rows)))])
    # Two groups; then still two, of which one has a single seed; then one.
    assert took[0] == {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.5}
    assert took[3] == {1: 0.25, 2: 0.25}


@pytest.mark.parametrize(("since", "first"), [(1, [0.1, 0.1]), (3, [0.5, 0.5])])
def test_a_resumed_run_has_the_groups_of_its_resumption_from_there_on(tmp_path, since, first):
    directory = write_run(
        tmp_path, rows=falling, config={"seeds": [0, 1, 2, 3, 4]}, environment={"chunks": [5]}, finish=False
    )
    event = {"epoch": since, "step": 0, "changes": {}, "environment": {"chunks": [1] * 5}}
    ledger.append(directory.ledger_path, "resumed", **event)
    run = recorded.load(directory.path)
    assert list(seed_seconds([run])[0].values()) == pytest.approx([*first, 0.1, 0.1])
    assert at_once([run]) == (1 if since == 1 else 5)
    assert clock(run).arrangement == ("5 seeds in turn" if since == 1 else "5 seeds, up to 5 at once")


def test_runs_that_count_as_one_have_their_own_groups_each(make_run):
    alike = {"epochs": EPOCHS}
    a = make_run("a", rows=falling, config={**alike, "seeds": [0, 1]}, environment={"chunks": [1, 1]})
    b = make_run("b", rows=falling, config={**alike, "seeds": [2]}, environment={"chunks": [1]})
    other = make_run("c", rows=falling, config={**alike, "seeds": [0, 1, 2], "learning_rate": 0.2})
    target = compare([a, b, other], target="val_loss=1").target
    assert target.runs[0].seconds.per_seed == {0: 0.25, 1: 0.25, 2: 0.5}
    assert target.runs[0].at_once == 1


def test_a_run_without_an_epoch_has_no_seconds(tmp_path):
    directory = write_run(tmp_path, rows=falling, config={"seeds": [0, 1]}, epochs_done=0, finish=False)
    run = recorded.load(RunDirectory(directory.path).path)
    assert seed_seconds([run]) == {}
    assert listing([run.path]).rows[0].at_best == {}
