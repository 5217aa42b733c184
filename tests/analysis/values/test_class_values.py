"""The metrics of each class: from the end of a run to the screen, to JSON and to the page."""

import json
import math

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.report_data import report_data
from lossrun.analysis.run_facts import facts
from lossrun.analysis.values.class_values import class_values, of_seeds
from lossrun.analysis.values.readings import spread
from lossrun.records import ledger, recorded
from lossrun.report.comparison.by_class import class_table
from lossrun.report.html.page import to_html
from lossrun.report.run_json import run_as_json
from tests.conftest import write_run

FIRST = {
    "samples": [20, 1],
    "f1": [0.9, 0.0],
    "precision": [0.8, 0.0],
    "recall": [1.0, 0.0],
    "auc": [0.75, math.nan],
    "average_precision": [0.7, math.nan],
}
SECOND = {**FIRST, "f1": [0.7, 0.5]}


@pytest.fixture
def classified(tmp_path):
    """A finished run of two seeds and two classes."""

    def made(name, *, classes=("cat", "<dog>"), rate=0.1, extra=()):
        run = write_run(
            tmp_path / "runs",
            name,
            rows=lambda epoch, seed: {"val_loss": 1 / epoch, "val_accuracy": 0.9},
            config={"seeds": [0, 1], "learning_rate": rate},
            environment={"task": "multiclass", "classes": list(classes)},
            finish=False,
        )
        ends = {
            "0": {"classes_at_best": {"part": "test", **FIRST}},
            "1": {"classes_at_best": {"part": "test", **SECOND}},
        }
        ledger.append(run.ledger_path, "finished", epoch=4, seeds=ends, seconds=1.0)
        for event in extra:
            ledger.append(run.ledger_path, **event)
        return recorded.load(run.path)

    return made


def test_each_class_has_its_values_over_the_seeds(classified):
    found = class_values(classified("a"))
    assert found is not None
    assert (found.part, found.classes) == ("test", ("cat", "<dog>"))
    assert found.values["f1"] == (spread({0: 0.9, 1: 0.7}), spread({0: 0.0, 1: 0.5}))
    assert found.values["samples"][0] == spread({0: 20, 1: 20})


def test_classes_without_names_have_their_numbers(classified):
    assert class_values(classified("a", classes=())).classes == ("0", "1")
    assert class_values(classified("b", classes=("one", "two", "three"))).classes == ("0", "1")


def test_a_run_that_went_on_or_has_none_shows_none(classified, make_run):
    assert class_values(classified("a", extra=[{"event": "resumed", "step": 12, "epoch": 5}])) is None
    assert class_values(make_run(rows=lambda epoch, seed: {"val_loss": 1.0})) is None
    assert of_seeds({0: {}}, "test", ()) is None


def test_the_table_has_a_dash_where_a_class_has_no_ranks(classified):
    table = class_table(class_values(classified("a")), "±", "")
    cells = {column.header: column.cells for column in table.columns}
    assert table.key.cells == ("cat", "<dog>")
    assert cells["samples"] == ("20", "1")
    assert cells["auc"][1] == cells["average_precision"][1] == "-"
    assert cells["f1"] == ("0.8000 ± 0.14", "0.2500 ± 0.35")


def test_show_has_them_as_a_table_and_as_json(classified):
    found = facts(classified("a"))
    by_class = json.loads(run_as_json(found))["by_class"]
    assert by_class["cat"]["f1"] == {
        "mean": 0.8,
        "deviation": pytest.approx(0.02**0.5),
        "per_seed": {"0": 0.9, "1": 0.7},
    }
    assert by_class["<dog>"]["auc"]["mean"] == "nan"


def test_the_page_has_them_for_each_run_and_no_markup_of_theirs(classified):
    runs = [classified("a"), classified("b", rate=0.2)]
    text = to_html(report_data(runs, compare(runs)))
    assert text.count("Class by class") >= 1
    assert "&lt;dog&gt;" in text
    assert "<dog>" not in text
