"""A component's name stands in its declaration, its function and its test, and nowhere else.

A second place that lists components is one that a new component is missing from.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lossrun.catalog import COMPONENTS

PACKAGE = Path(__file__).parents[2] / "lossrun"
# All kinds but the layers of a model, whose names are also the types in its summary.
KINDS = COMPONENTS.keys() - {"layer"}
# Names that are as often ordinary words of the code: a step of training, a linear axis, a CSV file; and the names of
# outputs, which belong to the last layer.
WORDS = {"step", "linear", "constant", "csv", "precision", "polynomial", "torch", "none", "sigmoid"}
NAMES = {component.name for kind in KINDS for component in COMPONENTS[kind]} - WORDS

# Where names are written as text, and why. A place that no longer has such a name leaves the list.
SHARED = "the metrics that share a formula, each under its name; any other loss is scored by its function"
WRITTEN = "PyTorch's and Keras' own classes for it; any other loss brings its function"
ALLOWED = {
    "analysis/values/constant_answers.py": "what one answer to all samples scores, a closed form for each metric",
    "components/initializers.py": "what torch calls the activation that a formula is made for",
    "components/losses/curves.py": "which curves to draw side by side; any other loss is drawn by its tasks",
    "components/metrics/classes.py": SHARED,
    "components/metrics/per_class.py": SHARED,
    "components/metrics/regression.py": SHARED,
    "components/models.py": "the function of that name",
    "data/sources/synthetic.py": "the distribution of that name",
    "report/manual/whole_configs.py": "the data of the examples",
    "script/keras/loss_lines.py": WRITTEN,
    "script/keras/losses.py": WRITTEN,
    "script/keras/model.py": "the function of that name",
    "script/keras/optimizer.py": "where Keras' rule differs from PyTorch's, for each optimizer that it has",
    "script/keras/program.py": "the metrics that Keras computes itself",
    "script/lines/synthetic.py": "the distribution of that name",
    "script/pytorch/loss_lines.py": WRITTEN,
    "script/pytorch/losses.py": WRITTEN,
    "script/pytorch/model.py": "the function of that name",
    "script/pytorch/not_in_torch.py": "the function of that name",
    "script/pytorch/evaluation.py": "the metrics that a script computes",
}


@cache
def places() -> dict[str, list[str]]:
    """Every file outside the catalogue that writes a component's name as text, and where."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if "catalog" not in path.relative_to(PACKAGE).parts and (lines := list(_written(path))):
            found[path.relative_to(PACKAGE).as_posix()] = lines
    return found


def _written(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield f"line {node.lineno}: {node.value}"


def test_names_are_written_nowhere_else() -> None:
    elsewhere = {path: lines for path, lines in places().items() if path not in ALLOWED}
    assert not elsewhere, "read the fact from the declaration, or declare it"


@pytest.mark.parametrize("path", ALLOWED)
def test_what_is_allowed_is_still_there(path: str) -> None:
    assert path in places(), "it has no such name any more: take it off the list"
