import io
import math

import pytest
from rich.console import Console

from lossrun.report.epochs import EpochTable


def row(epoch, seed=0, *, loss=0.5, seconds=0.01, **more):
    return {
        "epoch": epoch,
        "seed": seed,
        "train_loss": loss,
        "val_loss": 0.25 + seed,
        "val_rmse": 0.1234567,
        "val_mae": 12.5,
        "learning_rate": 0.001,
        "grad_norm": 3.25,
        "seconds": seconds,
        **more,
    }


def printed(feed, *, width=80, terminal=True, epochs=4, seeds=1, task="regression", constant_rate=True) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    console = Console(file=file, width=width, height=50, force_terminal=terminal, _environ={"TERM": "dumb"})
    table = EpochTable(console, task=task, epochs=epochs, seeds=seeds, constant_rate=constant_rate)
    for epoch, rows, best in feed:
        table.add(epoch, rows, frozenset(best))
    file.seek(0)
    return file.read().splitlines()


def test_a_row_on_a_terminal():
    assert printed([(1, [row(1)], {0}), (2, [row(2, loss=1.5e-7)], ())]) == [
        "epoch  train_loss   val_loss   val_rmse    val_mae    time  best",
        "  1/4      0.5000     0.2500     0.1235      12.50    10ms  *",
        "  2/4    1.500e-7     0.2500     0.1235      12.50    10ms",
    ]


def test_a_pipe_gets_every_column_without_trailing_blanks():
    lines = printed([(1, [row(1)], {0})], width=10_000, terminal=False)
    assert lines[0].split() == [
        *("epoch", "train_loss", "val_loss", "val_rmse", "val_mae", "lr", "grad_norm", "time", "best")
    ]
    assert lines[1].split() == ["1/4", "0.5000", "0.2500", "0.1235", "12.50", "0.001000", "3.250", "10ms", "*"]
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("epochs", [4, 1000])
@pytest.mark.parametrize("seeds", [1, 3, 10])
@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("constant_rate", [True, False])
def test_rows_fit_80_columns_and_stand_below_their_headers(epochs, seeds, task, constant_rate):
    # The longest numbers there are: below zero, and small enough for zeros behind the point.
    def rows_of(epoch):
        return [row(epoch, seed, loss=-1.2345e-4 * (seed + 1), val_accuracy=0.5) for seed in range(seeds)]

    feed = [(epoch, rows_of(epoch), range(seeds)) for epoch in (1, epochs)]
    lines = printed(feed, epochs=epochs, seeds=seeds, task=task, constant_rate=constant_rate)
    assert max(map(len, lines)) <= 80
    header, *rows = lines[-3:]
    primary = "val_rmse" if task == "regression" else "val_accuracy"
    assert ["epoch", "train_loss", "val_loss", primary] == header.split()[:4]
    ends = [header.index(name) + len(name) for name in header.split()[:-1]]
    for line in rows:
        # Right-aligned: a character at each column's end, a blank behind it.
        assert all(line[end - 1] != " " and line[end : end + 1] in ("", " ") for end in ends), (header, line)


def test_several_seeds_show_mean_and_deviation_and_how_many_are_at_their_best():
    lines = printed([(1, [row(1, seed) for seed in range(3)], {0, 2})], seeds=3)
    assert lines[0] == "mean ± standard deviation over seeds; *2: best epoch so far of 2 seeds"
    # val_loss 0.25, 1.25, 2.25: mean 1.25, deviation 1.
    assert "1.250 ± 1.0" in lines[2]
    assert lines[2].endswith("  *2")


def test_seeds_that_diverged_are_shown_as_they_are():
    lines = printed([(1, [row(1, 0), row(1, 1, loss=math.inf), row(1, 2, loss=math.nan)], {0})], seeds=3, width=120)
    assert "nan ± nan" in lines[-1]


def test_a_long_run_shows_some_rows_on_a_terminal_and_all_in_a_pipe():
    feed = [(epoch, [row(epoch)], ()) for epoch in range(1, 1001)]
    lines = printed(feed, epochs=1000)
    assert lines[0] == "one epoch in 20 is shown; history.jsonl has all epochs"
    shown = [int(line.split("/")[0]) for line in lines[2:]]
    assert shown == [1, *range(20, 1001, 20)]
    assert len(printed(feed, epochs=1000, terminal=False)) == 1001
    assert len(printed(feed[:100], epochs=100)) == 101


def test_a_slow_epoch_is_shown_in_any_case():
    feed = [(epoch, [row(epoch, seconds=4.0)], ()) for epoch in range(1, 11)]
    # Ten seconds and more have passed with every third epoch.
    assert [line.split("/")[0].strip() for line in printed(feed, epochs=1000)[2:]] == ["1", "4", "7", "10"]


def test_a_run_without_validation_has_no_such_columns():
    bare = {name: value for name, value in row(1).items() if not name.startswith("val_")}
    assert printed([(1, [bare], {0})])[0].split() == ["epoch", "train_loss", "time", "best"]
