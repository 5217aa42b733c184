import io
from itertools import pairwise

import pytest
from rich.console import Console

from lossrun.analysis.compare import compare
from lossrun.report.compare import print_comparison
from lossrun.report.compare_tables import pick

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def falling(start: float):
    return lambda epoch, seed: {
        "train_loss": start / epoch,
        "val_loss": start / epoch + 0.001 * seed,
        "val_rmse": start - 0.01 * epoch + 0.001 * seed,
    }


def shown(comparison, width: int = 80, *, terminal: bool = True, encoding: str = "utf-8", **environ: str) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_comparison(comparison, Console(file=file, width=width, height=50, force_terminal=terminal, _environ=environ))
    file.seek(0)
    return file.read()


@pytest.fixture
def two(make_run):
    return compare([make_run("a", rows=falling(1.0)), make_run("b", rows=falling(0.9), config={"loss": HUBER})])


def test_the_best_of_the_deciding_yardstick_bears_a_mark(two):
    (line,) = [line for line in shown(two, TERM="dumb").splitlines() if line.startswith("val_rmse [")]
    # Epoch 4 is the best by val_loss: 1.0 - 0.04 and 0.9 - 0.04.
    assert line.split() == ["val_rmse", "[targets]", "lower", "0.9600", "0.8600", "*", "-0.1000"]


def test_refusals_notes_and_verdicts_are_said(two):
    text = shown(two, 10_000, terminal=False)
    assert "val_rmse is best for B (loss=huber): 0.8600 against 0.9600 for A\n" in text
    assert "note: train_loss and val_loss are not ranked: mse and huber(delta=1.0) are different losses" in text
    assert "note: a run of one seed: a difference may be chance" in text


@pytest.mark.parametrize("runs", [2, 5])
@pytest.mark.parametrize("width", [80, 160])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(make_run, runs, width):
    made = [
        make_run(f"houses-{i}", rows=falling(1.0 + i), config={"learning_rate": 0.1 + i, "seeds": [0, 1, 2]})
        for i in range(runs)
    ]
    comparison = compare(made)
    text = shown(comparison, width, TERM="dumb")
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    for run in comparison.runs:
        assert run.name in text
        assert run.label in text
    assert text.count("0.9610 ± 0.0010 *") >= 1  # epoch 4 of the first run, seeds 0.96, 0.961, 0.962


def test_runs_that_are_not_comparable_have_no_differences_and_no_marks(make_run):
    data = {"train": "a", "validation": "b"}
    runs = [
        make_run("a", rows=falling(1.0), environment={"data": data}),
        make_run("b", rows=falling(0.9), environment={"data": {**data, "validation": "x"}}),
    ]
    text = shown(compare(runs), 10_000, terminal=False)
    assert "warning: not comparable: the validation data differ" in text
    # Nothing differs in the configs: the runs have no labels but their letters.
    assert [line.split() for line in text.splitlines() if line.startswith("yardstick")] == [
        ["yardstick", "better", "A", "B"]
    ]
    assert "best for" not in text
    assert "decides" not in text


def test_a_terminal_without_unicode_gets_ascii(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"seeds": [0, 1]}) for name in "ab"]
    assert shown(compare(runs), encoding="ascii").isascii()


def test_no_color_and_dumb_terminals_get_no_colour(two):
    assert "\x1b[3" not in shown(two, NO_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in shown(two, TERM="dumb")


def test_long_runs_show_some_epochs_and_say_where_the_others_are(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"epochs": 50}) for name in "ab"]
    assert "20 of 50 epochs are shown, --format csv has all" in shown(compare(runs))


def test_picked_epochs_hold_first_last_and_best_evenly():
    picked = pick(range(1, 101), 20, {37})
    assert len(picked) == len(set(picked)) == 20
    assert picked == sorted(picked)
    assert {1, 37, 100} <= set(picked)
    # 97 other epochs in 17 equal strides of 5.7; the best one may halve a stride.
    assert max(after - before for before, after in pairwise(picked)) <= 7
    assert pick([1, 2, 3], 20, set()) == [1, 2, 3]
    assert len(pick(range(1, 101), 20, set(range(1, 60)))) == 20


def test_best_and_last_are_one_table_where_they_are_the_same_epoch(make_run):
    def best_at_first(epoch, seed):
        return {"val_loss": float(epoch), "val_rmse": 1.0 / epoch}

    assert shown(compare([make_run(name, rows=falling(1.0)) for name in "ab"])).count("Yardsticks at") == 1
    runs = [make_run("c", rows=falling(1.0)), make_run("d", rows=best_at_first)]
    text = shown(compare(runs), TERM="dumb")
    assert "Yardsticks at each run's best epoch\n" in text
    assert "Yardsticks at each run's last epoch\n" in text


def test_columns_are_headed_by_labels_where_they_fit_and_by_letters_elsewhere(two):
    def header(width):
        return next(line for line in shown(two, width).splitlines() if line.startswith("yardstick"))

    assert header(80).split() == ["yardstick", "better", "A:", "loss=mse", "B:", "loss=huber", "B", "-", "A"]
    assert header(55).split() == ["yardstick", "better", "A", "B", "B", "-", "A"]


def test_values_too_long_for_a_table_are_listed_whole_and_once(make_run):
    long = {"name": "csv", "path": "a/path/that/goes/on/and/on/houses-of-a-long-name.csv", "target": "price"}
    other = {"name": "npz", "path": "another/path/that/goes/on/and/on/houses.npz", "target": "price"}
    runs = [
        make_run(str(number), rows=falling(1.0), config={"dataset": dataset})
        for number, dataset in enumerate((long, other, long))
    ]
    text = shown(compare(runs))
    assert text.count(long["path"]) == text.count(other["path"]) == 1
    assert "\n  A, C  csv(" in text
    assert "\n  B     npz(" in text


def test_units_are_shown_for_regression_only(make_run):
    def rows(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_mse": 0.1}

    assert "val_mse [targets squared]" in shown(compare([make_run(name, rows=rows) for name in "ab"]))
    classes = [make_run(name, rows=rows, environment={"task": "multiclass"}) for name in "cd"]
    assert "[targets" not in shown(compare(classes))
