"""`lossrun explain KEY`, `list rules`, `list diagnoses`, and how a message leads there."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.catalog.lookup import COMPONENTS
from lossrun.config import from_mapping
from lossrun.config.habits import ANSWERS, HABITS
from lossrun.config.key_paths import KeyPath, file_keys
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.reader import parse
from lossrun.config.schema import json_schema
from lossrun.lint.rules import RULES
from lossrun.report.reference.key_topic import example_value, key_example
from lossrun.report.reference.names_in_brackets import where_to_read
from lossrun.report.reference.topics import topics
from tests.cli.conftest import Run

KEYS = list(file_keys().values())
BASE = {"dataset": "synthetic_regression", "model": "mlp", "loss": "mse", "optimizer": "adam", "learning_rate": 0.1}


def test_every_key_of_the_schema_is_there() -> None:
    """The schema is made of the same declarations, by other code."""
    found: set[str] = set()

    def walk(schema: Any, path: str) -> None:
        for name, inner in schema.get("properties", {}).items():
            if name != "name" or not path:
                found.add(f"{path}{name}")
                # A sweep block names the other keys again, with several values each.
                for one in () if f"{path}{name}" == "sweep" else (inner, *inner.get("anyOf", [])):
                    walk(one, f"{path}{name}.")

    schema = json_schema()
    block = schema["properties"]["sweep"].pop("properties")  # other keys by their paths, and options
    walk(schema, "")
    for kind in ("dataset", "model", "loss", "optimizer", "schedule"):
        for member in schema["$defs"][kind]["anyOf"]:
            walk(member, f"{kind}.")
    known = {one for key in KEYS for one in (key.path, *key.spellings)} | {"loss.from_logits"}
    assert found <= known
    assert len(found) > 100
    assert {*block} == {*SWEEP_OPTIONS, *(key.path for key in KEYS if key.path != "sweep")}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_each_is_explained_with_an_example_that_is_valid(key: KeyPath) -> None:
    (topic,) = [topic for topic in topics(key.path) if topic.kind == "key"]
    assert topic.name == key.path
    example = key_example(key)
    raw = parse("\n".join(example.lines), "example")[0]
    from_mapping({**BASE, **raw}, Path())
    assert example_value(key) in values_at(raw, key.path.split("."))
    if example.options and "." not in key.path:
        from_mapping(BASE, Path(), [shlex.split(example.options)[1]])


def values_at(raw: Any, path: list[str]) -> list[Any]:
    """The value there, as a word and as a mapping that holds nothing else of interest."""
    for part in path:
        raw = raw[0][part] if isinstance(raw, list) else raw[part]
    return [raw, raw["name"]] if isinstance(raw, dict) and "name" in raw else [raw]


@pytest.mark.parametrize(("habit", "path"), HABITS.items())
def test_what_people_from_elsewhere_call_it(habit: str, path: str) -> None:
    if path not in file_keys():
        assert path == "loss.from_logits"  # a spelling of loss.inputs
        return
    found = topics(habit)
    assert path in [topic.name for topic in found if topic.kind == "key"] or {t.kind for t in found} & set(COMPONENTS)


def test_explain_shows_everything_about_a_key(lossrun: Run) -> None:
    shown = lossrun("explain", "early_stopping.patience")
    assert (shown.code, shown.err) == (0, "")
    for said in (
        "a key of the config",
        "an integer of at least 1",
        "epochs",
        "default   5",
        "--set early_stopping.patience=5",
    ):
        assert said in shown.out
    assert "number above 0" in lossrun("explain", "lr").out
    assert "loss.delta" in lossrun("explain", "delta").out
    assert "gaussian" in lossrun("explain", "dataset.noise.std").out
    assert "noisy_signs" in lossrun("explain", "BATCH-SIZE").out
    assert "early_stopping.patience" in lossrun("explain", "patiense").err
    assert lossrun("explain", "batch_size", "--kind", "loss").code == 2
    for word, answer in ANSWERS.items():
        assert answer in lossrun("explain", word).err


@pytest.mark.parametrize(("kind", "names"), [("rules", RULES), ("diagnoses", DIAGNOSES)])
def test_every_list_names_everything_short_in_full_and_as_json(
    lossrun: Run, kind: str, names: dict[str, object]
) -> None:
    short, full, data = (lossrun("list", kind, *more) for more in ((), ("--full",), ("--json",)))
    assert [record["name"] for record in json.loads(data.out)] == list(names)
    for name in names:
        assert name in short.out
        assert name in full.out
    assert lossrun("list", kind[:-1] if kind == "rules" else "diagnosis").out == short.out
    assert lossrun("list", kind, "--task", "binary").code == 2


def test_a_name_in_brackets_says_where_to_read_on(lossrun: Run, config: Path) -> None:
    wrong = ("--set", "model.output=softmax", "--set", "loss=cross_entropy", "--set",
             "dataset={name: synthetic_classification, kind: blobs}", "--set", "loss.inputs=logits")  # fmt: skip
    for result in (lossrun("check", str(config), *wrong), lossrun("check", str(config), *wrong, "--set", "lint=warn")):
        assert result.err.count("`lossrun explain double_activation` says more") == 1
    diverged = lossrun("train", str(config), "--set", "optimizer=sgd", "--set", "learning_rate=1e9")
    assert diverged.code == 6
    assert diverged.err.count(" says more") == 2  # of the rate, before; of the divergence, after
    assert where_to_read(["list[int]", "a [b]", "x [dead].\nTo go on", "[chance]"]) == (
        "`lossrun explain dead` says more; likewise for chance"
    )
