import io
from itertools import pairwise

import pytest
from rich.console import Console

from lossrun.analysis.comparison.compare import compare
from lossrun.records import ledger, recorded
from lossrun.report.comparison.compare import print_comparison
from lossrun.report.comparison.compare_tables import pick
from lossrun.report.comparison.leaderboard import leaderboard

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


def test_the_best_of_each_column_bears_a_mark(two):
    lines = [line.split() for line in shown(two, TERM="dumb").partition("Validation data")[2].splitlines()]
    # Epoch 4 is the best by val_loss: 1.0 - 0.04 and 0.9 - 0.04.
    assert lines[5:7] == [["A:", "loss=mse", "0.9600"], ["B:", "loss=huber", "0.8600", "*"]]


def test_refusals_notes_and_verdicts_are_said(two):
    text = shown(two, 10_000, terminal=False)
    assert (
        "no clear difference between A (loss=mse) and B (loss=huber) by test_rmse: 0.5000 for A, 0.5000 for B; "
        "one shared seed is not enough to decide: train both with `seeds: 6`\n"
    ) in text
    assert "note: train_loss and val_loss are not ranked: mse and huber(delta=1.0) are different losses" in text


def test_curves_are_shown_when_asked_for_and_else_it_is_said_how(two):
    file = io.StringIO()
    print_comparison(two, Console(file=file, width=10_000), curves=False, hint="--curves shows more")
    assert "note: --curves shows more" in file.getvalue()
    assert "Epoch by epoch" not in file.getvalue()
    assert "Epoch by epoch" in shown(two)
    assert "--curves" not in shown(two)


def test_a_leaderboard_says_which_means_are_over_the_seeds_that_are_left(make_run):
    """A run may lead because its other seeds diverged."""
    runs = [
        make_run(f"houses-{n}", rows=falling(1.0 + n / 10), config={"seeds": [0, 1, 2], "learning_rate": 0.1 + n / 10})
        for n in range(5)
    ]
    ledger.append(runs[0].path / "ledger.jsonl", "diverged", seed=2, step=1)
    runs[0] = recorded.load(runs[0].path)
    table = leaderboard(compare(runs, "val_rmse", at=2), "±")
    assert table.columns[-1].cells == ("3 (1 diverged)", "3", "3", "3", "3")


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
    assert " *" not in text.partition("Epoch by epoch")[0]
    assert not {"better", "difference", "identical", "equivalent"} & set(text.split())


def test_a_terminal_without_unicode_gets_ascii(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"seeds": [0, 1]}) for name in "ab"]
    assert shown(compare(runs), encoding="ascii").isascii()


def test_no_color_and_dumb_terminals_get_no_colour(two):
    assert "\x1b[3" not in shown(two, NO_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in shown(two, TERM="dumb")


def test_long_runs_show_some_epochs_and_say_where_the_others_are(make_run):
    runs = [make_run(name, rows=falling(1.0), config={"epochs": 50}) for name in "ab"]
    assert "20 of 50 epochs are shown; --format csv has all" in shown(compare(runs))


def test_picked_epochs_hold_first_last_and_best_evenly():
    picked = pick(range(1, 101), 20, {37})
    assert len(picked) == len(set(picked)) == 20
    assert picked == sorted(picked)
    assert {1, 37, 100} <= set(picked)
    # 97 other epochs in 17 equal strides of 5.7; the best one may halve a stride.
    assert max(after - before for before, after in pairwise(picked)) <= 7
    assert pick([1, 2, 3], 20, set()) == [1, 2, 3]
    assert len(pick(range(1, 101), 20, set(range(1, 60)))) == 20


def test_the_moment_is_said_and_may_be_another(make_run):
    def best_at_first(epoch, seed):
        return {"val_loss": float(epoch), "val_rmse": 1.0 / epoch}

    same = shown(compare([make_run(name, rows=falling(1.0)) for name in "ab"]))
    assert "Test data at each run's best epoch, which is its last\x1b" in same
    runs = [make_run("c", rows=falling(1.0)), make_run("d", rows=best_at_first)]
    for at, title, value in (("best", "each run's best epoch", "1.000"), ("last", "each run's last epoch", "0.2500")):
        text = shown(compare(runs, at=at), 10_000, terminal=False)
        assert f"Validation data at {title}\n" in text
        assert value in text.partition("Validation data")[2]
    text = shown(compare(runs, at=2), 10_000, terminal=False)
    assert "Validation data at epoch 2\n" in text
    assert "Test data" not in text


def test_a_matrix_has_runs_as_rows_where_there_is_room_and_metrics_elsewhere(make_run):
    def rows(epoch, seed):
        return {"val_loss": 1.0 / epoch, **dict.fromkeys(("val_mse", "val_mae", "val_huber", "val_log_cosh"), 0.5)}

    two = compare([make_run("a", rows=rows), make_run("b", rows=rows, config={"loss": HUBER})])

    def lines(width):
        text = shown(two, width, TERM="dumb").partition("Epoch by epoch")[0]
        return [line.split() for line in text.partition("Validation data")[2].splitlines()]

    assert ["A:", "loss=mse", *["0.5000"] * 4] in lines(160)
    assert ["A", *["0.5000"] * 4] in lines(75)
    assert ["metric", "better", "A:", "loss=mse", "B:", "loss=huber"] in lines(65)
    assert ["metric", "better", "A", "B"] in lines(55)
    assert ["val_huber", "[targets", "squared]", "lower", "0.5000", "0.5000"] in lines(55)


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

    assert "[targets squared]" in shown(compare([make_run(name, rows=rows) for name in "ab"]))
    classes = [make_run(name, rows=rows, environment={"task": "multiclass"}) for name in "cd"]
    assert "[targets" not in shown(compare(classes))


def test_a_run_of_seeds_that_diverged_says_how_many_and_bears_no_mark(make_run):
    runs = [make_run(name, rows=falling(start), config={"seeds": [0, 1, 2]}) for name, start in (("a", 1), ("b", 0.5))]
    ledger.append(runs[1].path / "ledger.jsonl", "diverged", seed=1, step=99)
    ledger.append(runs[1].path / "ledger.jsonl", "finished", seeds={})
    text = shown(compare([runs[0], recorded.load(runs[1].path)]), 10_000, terminal=False)
    assert "3 (1 diverged)" in text
    assert "1 of 3 seeds of B diverged" in text
    row = next(line for line in text.partition("Validation data")[2].splitlines() if line.startswith("B"))
    assert "*" not in row


def test_many_verdicts_are_a_table(make_run):
    runs = [
        make_run(str(n), rows=falling(1.0 + n / 10), config={"seeds": [0, 1, 2], "learning_rate": n}) for n in range(6)
    ]
    text = shown(compare(runs), 10_000, terminal=False)
    assert "Every run compared with A at each run's best epoch" in text
    assert "by test_rmse, compared with A: B, C, D, E, F are identical\n" in text
    # Test values are 0.5, 1.5 and 2.5 in all runs: differences of 0, and every seed is a tie.
    line = next(
        line for line in text.splitlines() if line.startswith("F") and "test_mae" in line and "identical" in line
    )
    assert line.split()[1:] == [
        "test_mae",
        "0.000",
        "0.000",
        "to",
        "0.000",
        "1.5/3",
        "1.0",
        "identical",
        "-",
    ]


def test_how_soon_a_target_is_reached_is_a_table(make_run):
    runs = [make_run(name, rows=falling(start)) for name, start in (("a", 1.0), ("b", 0.97))]
    text = shown(compare(runs, target="val_rmse=0.95"), 10_000, terminal=False)
    table = text.partition("Until val_rmse is at most 0.95")[2].splitlines()
    # 0.97 - 0.02 is 0.95 in epoch 2, of half a second each; 1.0 - 0.04 never is.
    # Heights fall by 0.01 an epoch from 0.99 and 0.96 over 4 epochs: means 0.975 and 0.945.
    assert [line.split() for line in table[3:5]] == [
        ["A", "-", "-", "1", "of", "1", "0.9750"],
        ["B", "2.00", "1.00", "0", "of", "1", "0.9450"],
    ]


def test_many_runs_open_with_a_leaderboard(make_run):
    runs = [
        make_run(f"houses-{n}", rows=falling(1.0 + n / 10), config={"seeds": [0, 1, 2], "learning_rate": 0.1 + n / 10})
        for n in range(9)
    ]
    comparison = compare(runs)

    def lines(**options):
        file = io.StringIO()
        console = Console(file=file, width=80, height=50, force_terminal=True, _environ={"TERM": "dumb"})
        print_comparison(comparison, console, curves=False, **options)
        return file.getvalue().splitlines()

    few, everything = lines(everything=False), lines()
    for shown_lines in (few, everything):
        assert shown_lines[0].startswith("Leaderboard by test_rmse at each run's best epoch")
    assert len(few) <= 60
    assert max(map(len, few)) <= 80
    for run in comparison.runs:
        assert any(run.name in line for line in few)
        assert any(run.label in line for line in few)
    assert not any("Validation data" in line for line in few)
    assert any("Validation data" in line for line in everything)
    assert any("--all" in line for line in few)


@pytest.mark.parametrize("runs", [2, 4])
def test_a_few_runs_need_no_leaderboard(make_run, runs):
    comparison = compare([make_run(str(n), rows=falling(1.0 + n)) for n in range(runs)])
    file = io.StringIO()
    print_comparison(comparison, Console(file=file, width=80), curves=False, everything=False)
    assert "Leaderboard" not in file.getvalue()
    assert "Validation data" in file.getvalue()
