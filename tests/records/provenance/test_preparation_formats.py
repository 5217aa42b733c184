"""What is written as preparation.json is read again; what does not fit is refused by the name of its key."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data, load
from lossrun.errors import RunError
from lossrun.records.files import digests
from lossrun.records.provenance import prepared
from tests.data.conftest import filled

COLUMNS = "a;b;fate\n" + "".join(f"{n},5;{['red', 'NA', ''][n % 3]};{n % 2}\n" for n in range(60))
SHAPES = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
DATASETS: dict[str, tuple[str, dict[str, Any]]] = {
    "a table with words": (
        "csv",
        {"path": "t.csv", "target": "fate", "delimiter": ";", "decimal": ",", "encode": "one_hot"}
        | {"task": "binary", "missing": "mean", "standardize": {"inputs": True, "targets": False}},
    ),
    "images": ("npz", {"path": "t.npz", "inputs": ["pictures"], "target": "label"}),
    "several targets": (
        "npz",
        {"path": "t.npz", "inputs": ["x"], "target": "two", "standardize": {"inputs": True, "targets": True}},
    ),
    "labels": ("npz", {"path": "t.npz", "inputs": ["x"], "target": "tags", "task": "multilabel"}),
    "made": ("synthetic_regression", {"samples": 50, "features": 3}),
    "classes": ("synthetic_classification", {"kind": "blobs", "samples": 60, "classes": 3}),
}


@pytest.fixture
def loaded(tmp_path: Path) -> dict[str, Data]:
    (tmp_path / "t.csv").write_text(COLUMNS)
    x = np.random.default_rng(0).normal(size=(40, 3))
    arrays = {"pictures": SHAPES, "label": np.array(["cat", "dog"] * 20), "x": x, "two": x[:, :2]}
    np.savez(tmp_path / "t.npz", tags=(x > 0).astype(int), **arrays)
    return {
        what: load(name, filled(name, **given), config_dir=tmp_path, data_dir=tmp_path, seed=0, precision="float32")
        for what, (name, given) in DATASETS.items()
    }


def read(path: Path, tree: Any) -> Mapping[int, prepared.RecordedPreparation]:
    content = json.dumps(tree).encode()
    path.write_bytes(content)
    return prepared.read(path, digests.of_bytes(content))


def test_every_kind_of_data_is_read_as_it_was_written(loaded: dict[str, Data], tmp_path: Path) -> None:
    for what, data in loaded.items():
        content = prepared.dumps({0: data, 7: data})
        (tmp_path / "preparation.json").write_bytes(content)
        found = prepared.read(tmp_path / "preparation.json", digests.of_bytes(content))
        assert list(found) == [0, 7], what
        expected = prepared.RecordedPreparation.of(data)
        assert found[7].form.to_json() == expected.form.to_json(), what
        assert (found[7].facts, found[7].wide) == (expected.facts, expected.wide), what


FORM = ("forms", 0, "form")
# What does not fit, and the words that name it.
WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    ((), [], "it is"),
    (("seeds",), {"0": 1}, r"seeds\.0 is 1; there are 1 forms"),
    (("seeds",), {"٠": 0}, "a key of seeds"),
    (("seeds",), {"0": -1}, r"seeds\.0"),
    (("forms",), [], "forms has 0 items"),
    (("forms", 0), None, r"forms\[0\] is null"),
    (("forms", 0, "wide"), 1, "wide"),
    (("forms", 0, "facts"), {}, r"facts\.task is missing"),
    (("forms", 0, "facts", "train"), "many", r"facts\.train"),
    (("forms", 0, "facts", "target_size"), 5, "target_size is 1, but 5 in the facts"),
    ((*FORM, "format"), 0, "format"),
    ((*FORM, "format"), 2, "update lossrun"),
    ((*FORM, "task"), "evil", "task"),
    ((*FORM, "input_shape"), [2**62], "input_shape"),
    ((*FORM, "input_shape"), [True], "input_shape"),
    ((*FORM, "input_shape"), [2], "but .* in the facts"),
    ((*FORM, "classes"), [1], "classes"),
    ((*FORM, "classes"), ["a"] * 5, "classes has 5 items; expected 2"),
    ((*FORM, "dtype"), "object", "dtype"),
    ((*FORM, "delimiter"), "ab", "delimiter"),
    ((*FORM, "header"), 2, "header"),
    ((*FORM, "columns"), [{}], "name is missing"),
    ((*FORM, "columns"), [{"name": "a", "categories": None}], "columns has 1 inputs"),
    ((*FORM, "means"), [1.0], "means has 1 items"),
    ((*FORM, "cells"), {}, "decimal is missing"),
    ((*FORM, "cells", "decimal"), "1", "decimal"),
    ((*FORM, "cells", "missing_values"), "x", "missing_values"),
    ((*FORM, "cells", "thousands"), "ab", "thousands"),
    ((*FORM, "input_scaling"), {"mean": 0.0}, "std is missing"),
    ((*FORM, "input_scaling", "std"), 0.0, "std is 0.0; expected a number above 0"),
    ((*FORM, "input_scaling", "std"), [1.0] * 99, "std has 99 items"),
    ((*FORM, "input_scaling", "mean"), 10**400, "mean"),
    ((*FORM, "target_scaling", "mean"), "x", "mean"),
    ((*FORM, "width"), -1, "width"),
    ((*FORM, "reach"), [], "reach"),
]


def test_what_does_not_fit_is_refused_by_its_key(loaded: dict[str, Data], tmp_path: Path) -> None:
    whole = json.loads(prepared.dumps({0: loaded["a table with words"]}))
    assert read(tmp_path / "preparation.json", whole)
    for place, value, named in WRONG:
        with pytest.raises(RunError, match=rf"preparation\.json: .*{named}"):
            read(tmp_path / "preparation.json", changed(whole, place, value))


def test_every_key_is_missed_by_its_name(loaded: dict[str, Data], tmp_path: Path) -> None:
    whole = json.loads(prepared.dumps({0: loaded["a table with words"]}))
    keys = [("seeds",), ("forms",), *(("forms", 0, key) for key in whole["forms"][0])]
    keys += [(*FORM, key) for key in whole["forms"][0]["form"] if key != "width"]  # older versions had none
    for place in keys:
        tree = copy.deepcopy(whole)
        del at(tree, place[:-1])[place[-1]]
        with pytest.raises(RunError, match=rf"{place[-1]} is missing; the file was changed or damaged"):
            read(tmp_path / "preparation.json", tree)


def changed(tree: Any, place: tuple[str | int, ...], value: Any) -> Any:
    if not place:
        return value
    tree = copy.deepcopy(tree)
    at(tree, place[:-1])[place[-1]] = value
    return tree


def at(tree: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree
