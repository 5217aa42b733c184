import io
import json

import pytest
from rich.console import Console

from lossrun.catalog.declaration import Component
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import KeyGroup, Parameter
from lossrun.report.reference.listing import listing, overview, records

KINDS = ["loss", "optimizer", "model", "dataset", "metric", "schedule"]


def printed(kind, task=None, width=80, encoding="utf-8", show=listing, terminal=True) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    show(Console(file=file, width=width, height=50, force_terminal=terminal, _environ={"TERM": "dumb"}), kind, task)
    file.seek(0)
    return file.read()


@pytest.mark.parametrize("kind", KINDS)
def test_everything_declared_is_listed_within_80_columns(kind):
    text = printed(kind)
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for component in COMPONENTS[kind]:
        assert component.meaning in words
        assert all(alias.spelling in words for alias in component.aliases)
        for key in component.parameters:
            names = (
                [f"{key.name}.{inner.name}" for inner in key.parameters] if isinstance(key, KeyGroup) else [key.name]
            )
            assert all(name in words for name in names)
            if isinstance(key, Parameter):
                assert key.meaning in words
                assert key.expected in words


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("show", [listing, overview])
def test_a_listing_is_ascii(kind, show):
    assert printed(kind, encoding="ascii", show=show).isascii()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [80, 160])
def test_an_overview_names_everything_once_for_each_task_in_one_table(kind, width):
    text = printed(kind, width=width, show=overview)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "continued" not in text
    heads = [line.split()[0] for line in lines if line and line[0] != " "]
    for component in COMPONENTS[kind]:
        assert heads.count(component.name) == (len(component.tasks) if kind == "loss" else 1)
        if width == 160:  # wide enough for each in one line
            assert component.meaning.partition(";")[0].partition(":")[0] in text


def test_an_overview_is_short_and_begins_with_the_usual_loss():
    for task, usual in {
        "regression": "mse",
        "binary": "binary_cross_entropy",
        "multiclass": "cross_entropy",
        "multilabel": "binary_cross_entropy",
    }.items():
        lines = printed("loss", task, show=overview).splitlines()
        assert lines[3].split()[0] == usual
        assert f"lossrun explain {usual}" in lines[-2]
        assert len(lines) <= 40


def test_an_overview_says_what_one_chooses_by():
    rows = {line.split("  ")[0]: line for line in printed("loss", "multiclass", 160, show=overview).splitlines()}
    assert rows["cross_entropy"].split()[1:3] == ["logits", "-"]
    assert rows["mae"].split()[1:3] == ["softmax", "labels"]
    assert "none x 2" in printed("loss", "regression", show=overview)
    assert "1e-5 to 0.03" in printed("optimizer", show=overview)
    assert "60,000 + 10,000" in printed("dataset", show=overview)
    for heading in ("initializers", "layers"):
        assert heading in printed("model", show=overview).splitlines()


def test_in_a_pipe_every_component_has_one_line():
    lines = printed("loss", "multiclass", 10_000, show=overview, terminal=False).splitlines()
    losses = [component for component in COMPONENTS["loss"] if "multiclass" in component.tasks]
    assert [len([line for line in lines if line.startswith(f"{loss.name} ")]) for loss in losses] == [1] * len(losses)


def test_what_several_share_is_explained_once_and_named_in_each():
    text = printed("loss")
    assert text.count("how the losses of a batch become one number") == 1
    assert text.count("  shared ") == len([c for c in COMPONENTS["loss"] if c.parameter("reduction")])


def test_of_several_declarations_the_commonest_is_shared(monkeypatch):
    usual, other = (Parameter("size", int, default, f"default of {default}") for default in (1, 2))
    components = tuple(
        Component(kind="noise", name=name, meaning="m", parameters=(key,))
        for name, key in (("a", other), ("b", usual), ("c", usual))
    )
    monkeypatch.setitem(COMPONENTS, "noise", components)
    own, _, shared = printed("noise").partition("shared parameters")
    assert "size  default of 2" in own
    assert "default of 1" not in own
    assert "size  default of 1" in shared


def test_a_task_leaves_out_what_does_not_fit():
    heads = [line.split()[0] for line in printed("loss", "regression").splitlines() if line and line[0] != " "]
    assert "huber" in heads
    assert "cross_entropy" not in heads


def test_records_are_plain_values():
    found = {record["name"]: record for record in json.loads(json.dumps(records("loss")))}
    delta = next(p for p in found["huber"]["parameters"] if p["name"] == "delta")
    assert (delta["default"], delta["required"], delta["expected"]) == (1.0, False, "a number above 0")
    assert "MSELoss" in found["mse"]["aliases"]
    assert found["mse"]["formula"] == "mean over K of e^2"
    assert "cross_entropy" not in {record["name"] for record in records("loss", "regression")}
