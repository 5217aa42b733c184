from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog.datasets import DATASETS
from lossrun.data import Data, known_facts
from lossrun.errors import DataError

# What only the numbers themselves can tell.
UNSEEN: dict[str, Any] = dict.fromkeys(
    ("target_range", "least_magnitude", "class_counts", "held_out_range", "held_out_magnitude", "target_scale")
) | {"held_out_counts": {}}
Filled = Callable[..., dict[str, Any]]


GIVEN: list[tuple[str, dict[str, Any]]] = [
    ("digits", {}),
    ("breast_cancer", {"validation": 50}),
    ("diabetes", {"test": 0, "validation": 0}),
    ("wine", {}),
    ("synthetic_regression", {"samples": 33, "features": 3}),
    ("synthetic_classification", {}),
    ("synthetic_classification", {"kind": "moons"}),
    ("synthetic_classification", {"kind": "multilabel", "samples": 7}),
    ("inline", {"inputs": [[1, 2], [3, 4], [5, 6]], "targets": [0.5, 1, 2], "test": 1}),
]
# Those that need no parameter.
THE_OTHERS = [
    (declared.name, {})
    for declared in DATASETS
    if not (declared.is_file or declared.read_by == "images" or declared.name in dict(GIVEN))
]


@pytest.mark.parametrize(("name", "given"), [*GIVEN, *THE_OTHERS])
def test_known_facts_are_what_loading_gives(
    loaded: Callable[..., Data], filled: Filled, name: str, given: dict[str, Any]
) -> None:
    assert known_facts(name, filled(name, **given)) == replace(loaded(name, **given).facts, **UNSEEN)


@pytest.mark.parametrize("given", [{}, {"test": 0, "validation": 5000}, {"test": 0.5}])
def test_known_facts_of_mnist(
    mnist_dir: Path, loaded: Callable[..., Data], filled: Filled, given: dict[str, Any]
) -> None:
    facts = loaded("mnist", data_dir=mnist_dir, **given).facts
    assert known_facts("mnist", filled("mnist", **given)) == replace(facts, **UNSEEN)


def test_files_and_users_own_are_not_known(filled: Filled) -> None:
    assert known_facts("csv", filled("csv", path="none.csv", target="y")) is None
    assert known_facts("own:data", filled("own:data")) is None


def test_impossible_shapes_are_refused_before_loading(filled: Filled) -> None:
    with pytest.raises(DataError, match="exactly 2"):
        known_facts("synthetic_classification", filled("synthetic_classification", kind="moons", classes=3))
