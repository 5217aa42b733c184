import io
import json

import pytest
from rich.console import Console

from lossrun.catalog.declaration import Component, Group, Parameter
from lossrun.catalog.lookup import COMPONENTS
from lossrun.report.listing import listing, records

KINDS = ["loss", "optimizer", "model", "dataset", "metric", "schedule"]


def printed(kind, task=None, width=80, encoding="utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    listing(Console(file=file, width=width, height=50, force_terminal=True, _environ={"TERM": "dumb"}), kind, task)
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
            names = [f"{key.name}.{inner.name}" for inner in key.parameters] if isinstance(key, Group) else [key.name]
            assert all(name in words for name in names)
            if isinstance(key, Parameter):
                assert key.meaning in words
                assert key.expected in words


@pytest.mark.parametrize("kind", KINDS)
def test_a_listing_is_ascii(kind):
    assert printed(kind, encoding="ascii").isascii()


def test_what_several_share_is_explained_once_and_named_in_each():
    text = printed("loss")
    assert text.count("how per-sample losses become one number") == 1
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
    assert "cross_entropy" not in {record["name"] for record in records("loss", "regression")}
