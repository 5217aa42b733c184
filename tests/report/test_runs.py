import io

import pytest
from rich.console import Console

from lossrun.analysis import runs
from lossrun.records import ledger, recorded
from lossrun.report.runs import format_age, print_facts, print_listing


def rows(epoch, seed):
    return {"train_loss": 1.0, "val_loss": 1.0 / epoch, "val_rmse": 0.5 / epoch + 0.001 * seed}


def shown(draw, subject, width: int = 80, *, terminal: bool = True) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    draw(subject, Console(file=file, width=width, height=50, force_terminal=terminal, _environ={"TERM": "dumb"}))
    file.seek(0)
    return file.read()


def test_a_listing_fits_80_columns_and_loses_nothing(make_run):
    made = [make_run(f"houses-mlp-mse-{i}", rows=rows, config={"seeds": [0, 1]}) for i in range(2)]
    text = shown(print_listing, runs.listing([run.path for run in made]))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(run.name in text for run in made)
    assert "val_rmse 0.1255 ± 0.00071" in text  # 0.125 and 0.126


def test_a_damaged_run_is_warned_of(make_run):
    run = make_run(rows=rows)
    (run.path / "history.jsonl").write_text("nonsense\n")
    assert "warning: " in shown(print_listing, runs.listing([run.path]), 10_000, terminal=False)


def test_no_runs_says_how_to_make_one():
    assert "lossrun train" in shown(print_listing, runs.listing([]))


def test_show_says_everything_about_a_run(make_run):
    run = make_run(rows=rows)
    ledger.append(run.path / "ledger.jsonl", "resumed", from_step=12, changes={"epochs": [4, 6]})
    for seed in (0, 1):  # within one second, as a rule
        ledger.append(run.path / "ledger.jsonl", "diverged", seed=seed)
    text = shown(print_facts, runs.facts(recorded.load(run.path)), 10_000, terminal=False)
    assert "4 of 6, 2.00 s" in text
    assert "best val_loss  epoch 4\n" in text
    assert "extended after it had finished" in text
    assert "from_step 12, epochs: 4 -> 6" in text
    assert "b" * 64 in text
    assert "seed 0\n" in text
    assert "seed 1\n" in text
    (line,) = [line for line in text.splitlines() if line.startswith("val_rmse")]
    assert line.split() == ["val_rmse", "lower", "0.1250", "0.1250"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_format_age(seconds, text):
    assert format_age(seconds) == text
