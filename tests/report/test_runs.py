import csv
import io
import json

import pytest
from rich.console import Console

from lossrun.analysis import runs
from lossrun.report.runs import (
    format_age,
    listing_as_csv,
    listing_as_json,
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


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_the_age_of_a_run_is_written_in_a_fitting_unit(seconds, text):
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
