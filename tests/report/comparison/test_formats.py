import csv
import io
import json
import math
import re

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.arguments import Format
from lossrun.report.comparison.formats import DOCUMENTS, plain_data, to_csv, to_json, written
from lossrun.report.comparison.latex import escaped, latex
from lossrun.report.comparison.markdown import markdown
from lossrun.report.layout.text_table import Column, TextTable

THIRD = 1 / 3


@pytest.fixture
def comparison(make_run):
    def rows(epoch, seed):
        return {"train_loss": math.inf, "val_loss": THIRD / epoch, "val_rmse": THIRD / epoch + seed}

    return compare([make_run(name, rows=rows, config={"seeds": [0, 1], "epochs": 30}) for name in "ab"])


def refuse(constant: str) -> None:
    pytest.fail(f"{constant} is not strict JSON")


def test_every_format_of_the_command_line_can_be_written():
    assert set(Format) == {"table", "json", "csv", *DOCUMENTS}


def test_json_is_strict_and_keeps_every_digit(comparison):
    read = json.loads(to_json(comparison), parse_constant=refuse)
    rmse = next(y for y in read["metrics"] if y["name"] == "val_rmse")
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
    tables = [block for block in written(comparison, "md").split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    # The first line is the header, the second the rule; 20 of the 30 epochs.
    assert len(tables[-1].splitlines()) == 2 + 20
    assert all("---" in line if number == 1 else "---" not in line for number, line in enumerate(tables[0].split("\n")))
    assert tables[-1].startswith("| epoch | train_loss A | train_loss B |")
    assert all(line == line.rstrip() and "  " not in line for line in written(comparison, "md").splitlines())


def test_markdown_marks_the_best_by_bold_type_and_escapes_markup(make_run):
    def rows(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_rmse": 0.5 if epoch == 4 else 1.0}

    def worse(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_rmse": 0.75}

    odd = {"name": "csv", "path": "a|b_*.csv"}
    text = written(compare([make_run("a", rows=rows), make_run("b", rows=worse, config={"dataset": odd})]), "md")
    assert "| run | val_rmse [targets] lower | val_loss lower |" in text
    assert "| **0.5000** | 0.2500 |\n" in text
    assert "| 0.7500 | 0.2500 |\n" in text
    assert "a\\|b\\_\\*.csv" in text
    assert "**bold**: best value\n" in text


def test_latex_is_balanced_escaped_and_marks_the_best_by_bold_type(make_run):
    def rows(rmse):
        return lambda epoch, seed: {"val_loss": 1.0 / epoch, "val_rmse": rmse - 1e-8 * seed}

    odd = {"name": "csv", "path": "a&b_50%{x}.csv"}
    runs = [make_run("a", rows=rows(0.5)), make_run("b", rows=rows(0.75), config={"dataset": odd})]
    text = written(compare(runs), "latex", curves=False)
    assert r"a\&b\_50\%\{x\}.csv" in text
    assert r"val\_rmse [targets] & lower & \textbf{0.5000} & 0.7500 \\" in text
    for environment in ("table", "tabular", "itemize"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") > 0
    for table in text.split(r"\begin{tabular}{")[1:]:
        spec, _, rest = table.partition("}")
        lines = [line for line in rest.partition(r"\end{tabular}")[0].splitlines() if line.endswith(r"\\")]
        assert {line.replace(r"\&", "").count("&") for line in lines} == {len(spec) - 1}


def test_latex_has_a_minus_before_numbers_and_a_hyphen_elsewhere():
    assert escaped("B - A = -0.5, -0.6 to -0.4") == "B - A = $-$0.5, $-$0.6 to $-$0.4"
    assert escaped("1.2e-7 20261121-014500-a ~^\\") == (
        r"1.2e-7 20261121-014500-a \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_latex_begins_no_option_after_a_row_or_an_item():
    """After `\\\\`, a rule or `\\item`, LaTeX reads `[` as the beginning of an option, and `*` as a variant."""
    for text in ("[300,100]", "*"):
        table = TextTable("a map", Column("", (text, text), right=False), (Column("mse", ("1", "2")),))
        text_of_page = latex([table, [text]])
        assert not re.search(r"(\\\\|\\[a-z]+)\s*[\[*]", text_of_page)
        assert text_of_page.count(f"{{{text[0]}}}{text[1:]}") == 3


def test_a_sentence_with_a_dash_belongs_to_the_one_above_it():
    sentences = ["A is better", "- half-width: 1"]
    assert markdown([sentences]) == "- A is better\n  - half-width: 1\n"
    assert "\n\\item A is better\n\\item[--] half-width: 1\n" in latex([sentences])


def test_tidy_rows_are_the_same_in_every_format(comparison):
    lines = list(csv.DictReader(io.StringIO(written(comparison, "csv", curves=False, per_seed=True))))
    assert list(lines[0]) == ["run", "seed", "metric", "value", "label"]
    records = json.loads(written(comparison, "json", curves=False, per_seed=True), parse_constant=refuse)
    assert [(r["run"], str(r["seed"]), r["metric"]) for r in records] == [
        (line["run"], line["seed"], line["metric"]) for line in lines
    ]
    values = {(r["run"], r["seed"]): r["value"] for r in records if r["metric"] == "val_rmse"}
    assert values == {(run.name, seed): THIRD / 30 + seed for run in comparison.runs for seed in (0, 1)}
    for format_ in ("md", "latex"):
        assert written(comparison, format_, curves=False, per_seed=True).count("1.01111") == 2


def test_json_holds_the_verdicts(make_run):
    def rows(start):
        return lambda epoch, seed: {"val_loss": 1.0 / epoch, "val_rmse": start + seed * start / 10}

    runs = [make_run(n, rows=rows(s), config={"seeds": [0, 1, 2]}, finish=True) for n, s in (("a", 2.0), ("b", 1.0))]
    read = json.loads(to_json(compare(runs, "val_rmse")), parse_constant=refuse)
    (verdict,) = read["verdicts"]
    # Differences -1, -1.1, -1.2.
    assert verdict["difference"]["mean"] == pytest.approx(-1.1)
    assert verdict["word"] == "probably better"


def test_csv_has_the_epoch_and_the_target_that_were_asked_for(make_run):
    def rows(epoch, seed):
        return {"val_loss": 1.0 / epoch, "val_rmse": 1.0 / epoch + seed}

    runs = [make_run(name, rows=rows, config={"seeds": [0, 1]}) for name in "ab"]
    lines = list(csv.DictReader(io.StringIO(to_csv(compare(runs, at=2, target="val_rmse=0.5")))))
    given = [line for line in lines if line["at"] == "given" and line["metric"] == "val_rmse"]
    assert [(line["seed"], line["epoch"], line["value"]) for line in given] == [
        ("0", "2", "0.5"),
        ("1", "2", "1.5"),
    ] * 2
    target = {(x["run"], x["seed"], x["metric"]): (x["epoch"], x["value"]) for x in lines if x["at"] == "target"}
    for run in runs:
        assert target[run.name, "0", "epochs_to_target"] == ("2", "2")
        assert target[run.name, "0", "seconds_to_target"] == ("2", "1.0")  # half a second an epoch
        assert (run.name, "1", "epochs_to_target") not in target
        # By hand: (1/2 + 1/2 + 1/3 + 1/8) / 3, and 1 more for seed 1, that never gets there.
        assert float(target[run.name, "1", "mean_height"][1]) == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 8) / 3 + 1)


def test_metrics_of_classes_in_every_format_and_nan_where_there_is_no_auc(make_run):
    def rows(epoch, seed):
        found = {"val_accuracy": 0.5, "val_f1": 0.25, "val_precision": 0.125, "val_recall": 0.75}
        return {"val_loss": 1 / epoch, **found, "val_auc": math.nan, "val_average_precision": 0.625}

    compared = compare([make_run(name, rows=rows, environment={"task": "binary"}) for name in "ab"])
    read = json.loads(to_json(compared), parse_constant=refuse)
    means = {y["name"]: y["at_best"]["values"][0]["mean"] for y in read["metrics"]}
    assert means["val_auc"] == "nan"
    assert (means["val_f1"], means["val_average_precision"]) == (0.25, 0.625)
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(compared))) if line["at"] == "best"]
    assert {line["value"] for line in lines if line["metric"] == "val_auc"} == {"nan"}
    assert {line["value"] for line in lines if line["metric"] == "val_recall"} == {"0.75"}
    assert r"val\_average\_precision & higher & 0.6250 & 0.6250" in written(compared, "latex")
    assert r"val\_auc & higher & nan & nan" in written(compared, "latex")
    assert "val_auc higher" in written(compared, "md")


def test_plain_data_hold_every_epoch_of_a_curve(make_run):
    def rows(epoch, seed):
        return {"val_loss": float(epoch)}

    comparison = compare([make_run("a", rows=rows), make_run("b", rows=rows, epochs_done=1)])
    shown = next(curve for curve in plain_data(comparison)["curves"] if curve["name"] == "val_loss")
    one = {"per_seed": {0: 1.0}, "mean": 1.0, "deviation": None}
    assert list(shown["rows"]) == [1, 2, 3, 4]
    assert shown["rows"][1] == [one, one]
    assert shown["rows"][2][1] is None
