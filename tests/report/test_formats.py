import csv
import io
import json
import math

import pytest

from lossrun.analysis.compare import compare
from lossrun.report.formats import to_csv, to_json, to_markdown

THIRD = 1 / 3


@pytest.fixture
def comparison(make_run):
    def rows(epoch, seed):
        return {"train_loss": math.inf, "val_loss": THIRD / epoch, "val_rmse": THIRD / epoch + seed}

    return compare([make_run(name, rows=rows, config={"seeds": [0, 1], "epochs": 30}) for name in "ab"])


def refuse(constant: str) -> None:
    pytest.fail(f"{constant} is not strict JSON")


def test_json_is_strict_and_keeps_every_digit(comparison):
    read = json.loads(to_json(comparison), parse_constant=refuse)
    rmse = next(y for y in read["yardsticks"] if y["name"] == "val_rmse")
    assert rmse["at_last"]["values"][0]["per_seed"] == {"0": THIRD / 30, "1": THIRD / 30 + 1}
    assert next(c for c in read["curves"] if c["name"] == "train_loss")["rows"]["1"][0]["mean"] == "inf"


def test_csv_has_every_epoch_of_every_seed_in_full(comparison):
    lines = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    values = {
        int(line["epoch"]): float(line["value"])
        for line in lines
        if (line["run"], line["seed"], line["metric"], line["at"])
        == (comparison.runs[1].name, "0", "val_rmse", "epoch")
    }
    assert values == {epoch: THIRD / epoch for epoch in range(1, 31)}
    best = [line for line in lines if line["at"] == "best" and line["metric"] == "val_rmse"]
    assert [(line["seed"], line["epoch"]) for line in best] == [("0", "30"), ("1", "30")] * 2


def test_markdown_tables_are_of_even_width_and_compact(comparison):
    tables = [block for block in to_markdown(comparison).split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    # The first line is the header, the second the rule; 20 of the 30 epochs.
    assert len(tables[-1].splitlines()) == 2 + 20
    assert all("---" in line if number == 1 else "---" not in line for number, line in enumerate(tables[0].split("\n")))
    assert tables[-1].startswith("| epoch | train_loss A | train_loss B |")
    assert all(line == line.rstrip() and "  " not in line for line in to_markdown(comparison).splitlines())


def test_markdown_marks_the_best_by_bold_type_and_escapes_markup(make_run):
    def rows(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_rmse": 0.5 if epoch == 4 else 1.0}

    def worse(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_rmse": 0.75}

    odd = {"name": "csv", "path": "a|b_*.csv"}
    text = to_markdown(compare([make_run("a", rows=rows), make_run("b", rows=worse, config={"dataset": odd})]))
    assert "| val_rmse [targets] | lower | **0.5000** | 0.7500 | +0.2500 |" in text
    assert "a\\|b\\_\\*.csv" in text
    assert "**bold**: best by the yardstick that decides" in text
