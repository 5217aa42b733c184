import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from lossrun.analysis import runs
from lossrun.records import ledger, recorded
from lossrun.records.leftovers import Leftover, Leftovers
from lossrun.report.runs import (
    format_age,
    listing_as_csv,
    listing_as_json,
    print_facts,
    print_leftovers,
    print_listing,
)


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
    ledger.append(run.path / "ledger.jsonl", "resumed", step=12, changes={"epochs": [4, 6]})
    for seed in (0, 1):  # within one second, as a rule
        ledger.append(run.path / "ledger.jsonl", "diverged", seed=seed)
    text = shown(print_facts, runs.facts(recorded.load(run.path)), 10_000, terminal=False)
    assert "4 of 6, 2.00 s" in text
    assert "best val_loss  epoch 4\n" in text
    assert "extended after it had finished" in text
    assert "step 12, epochs: 4 -> 6" in text
    assert "b" * 64 in text
    assert "seed 0\n" in text
    assert "seed 1\n" in text
    line, curve = [line for line in text.splitlines() if line.startswith("val_rmse")]
    assert line.split() == ["val_rmse", "lower", "0.1250", "0.1250"]
    # 0.5 / epoch, from the first of four epochs to the last.
    assert (curve.split()[:2], curve.split()[-1]) == (["val_rmse", "0.5000"], "0.1250")
    assert len(curve.split()[2]) == 4


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_format_age(seconds, text):
    assert format_age(seconds) == text


def test_what_a_listing_is_sorted_by_is_on_a_narrow_screen_too(make_run):
    made = [make_run(f"houses-mlp-mse-{i}", rows=rows, config={"batch_size": 32 * i}) for i in (1, 2)]
    listed = runs.listing([run.path for run in made])
    by_batch = shown(print_listing, runs.Listing(listed.rows, (), "batch_size"), 60)
    assert all(len(line) <= 60 for line in by_batch.splitlines())
    assert "batch_size 32\n" in by_batch
    assert "batch_size 64\n" in by_batch
    by_loss = shown(print_listing, runs.Listing(listed.rows, (), "val_loss"), 10_000, terminal=False)
    assert by_loss.splitlines()[0].endswith("age  val_loss")
    assert by_loss.splitlines()[2].endswith("0.2500")
    # What a column shows already needs no other.
    by_best = shown(print_listing, runs.Listing(listed.rows, (), "val_rmse"), 10_000, terminal=False)
    assert by_best.splitlines()[0].endswith("age")


def test_a_listing_as_csv_keeps_every_digit_and_quotes_what_needs_it(make_run):
    huber = {"name": "huber", "delta": 1 / 3, "reduction": "mean"}
    run = make_run(rows=lambda epoch, seed: {"val_loss": 1 / 3, "val_rmse": 1e-17 / epoch}, config={"loss": huber})
    header, line = csv.reader(listing_as_csv(runs.listing([run.path])).splitlines())
    record = dict(zip(header, line, strict=True))
    assert record["loss"] == f"huber(delta={1 / 3})"
    assert (record["val_loss"], record["val_rmse"]) == (repr(1 / 3), "1e-17")


def test_a_listing_as_json_is_strict(make_run):
    run = make_run(rows=lambda epoch, seed: {"val_loss": 1.0, "val_rmse": float("nan")})
    (record,) = json.loads(listing_as_json(runs.listing([run.path])), parse_constant=pytest.fail)
    assert record["at_best"]["val_rmse"]["mean"] == "nan"


def test_what_goes_is_shown_with_its_size(tmp_path):
    found = (
        Leftover(tmp_path / "20261121-014500-a", (), 1_500_000, "finished", 1),
        Leftover(tmp_path / "20261121-014501-b", (), 500, "no step was ever finished", 1),
    )
    text = shown(print_leftovers, Leftovers(found, ("c is left alone: damaged",)))
    assert re.search(r"^20261121-014500-a +finished +1\.5 MB$", text, re.MULTILINE)
    assert "together 1.5 MB" in text
    assert "warning: c is left alone: damaged" in text
    assert shown(print_leftovers, Leftovers(())) == ""


def test_what_goes_is_told_in_lines_where_a_table_would_be_a_pillar():
    name = "20261121-014500-" + "long-" * 10 + "name"
    found = Leftovers((Leftover(Path("runs") / name, (), 2048, "3 checkpoints before the last", 0),))
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    print_leftovers(found, console)
    lines = console.file.getvalue().splitlines()
    assert " ".join(lines[:-1]) == f"{name}: 3 checkpoints before the last; 2.05 kB"
    assert lines[-1] == "together 2.05 kB"
