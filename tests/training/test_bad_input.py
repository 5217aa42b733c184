"""Input that cannot be trained on, given to the real command: the first offending place, before anything is written."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import Key, KeyGroup, Nested, Parameter
from lossrun.config.keys import KEYS
from tests.cli.conftest import Result, Run, lossrun  # noqa: F401  # a fixture

TABLE = {"name": "csv", "path": "table.csv", "target": "y"}
ARRAYS = {"name": "npz", "path": "arrays.npz", "target": "y"}
CLASSES = {"loss": "cross_entropy"}
BINARY = {"loss": "binary_cross_entropy"}
# Inputs of 12 rows, and two columns of a table with as many.
X = np.arange(24.0).reshape(12, 2)
Y = X.sum(axis=1) + 0.5
ROWS = "a,b,y\n" + "".join(f"{i},{12 - i},{i / 2 + 0.25}\n" for i in range(12))


def trained(run: Run, dataset: Any, **changes: Any) -> Result:
    """`lossrun train` of a small config; JSON is YAML, and says every number exactly."""
    plain = {"model": {"name": "mlp", "hidden": [4]}, "loss": "mse", "optimizer": "sgd", "learning_rate": 1e-3}
    Path("config.yaml").write_text(json.dumps({"dataset": dataset, **plain, "epochs": 1, **changes}))
    return run("train", "config.yaml")


def assert_refused(result: Result, code: int, message: str) -> None:
    """Told in full as an error of ours, with nothing on stdout and no run directory."""
    assert re.search(message, result.err), result.err
    assert result.code == code
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not Path("runs").exists()


# Bounds of parameters


def bounded(keys: tuple[Key, ...], path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], Parameter]]:
    """Every declared parameter with a bound: what to name on the way, {kind: name}, its path, and itself."""
    for key in keys:
        at = (*path, key.name)
        if isinstance(key, Parameter):
            if {key.above, key.at_least, key.below, key.at_most} != {None}:
                yield "", at, key
        elif isinstance(key, KeyGroup):
            yield from bounded(key.parameters, at)
        else:
            yield from in_components(key, at)


def in_components(key: Nested, at: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Parameter]]:
    for component in COMPONENTS[key.kind]:
        here = (*at, "0") if key.many else at
        for inner, path, parameter in bounded(component.parameters, here):
            yield f"{'.'.join(here)}={component.name} {inner}", path, parameter


def outside(parameter: Parameter) -> list[Any]:
    """The nearest values beyond each bound."""
    whole = int in _types(parameter.type) and float not in _types(parameter.type)

    def beyond(bound: float, direction: float) -> float:
        return int(bound + direction) if whole else math.nextafter(bound, direction * math.inf)

    found = [bound for bound in (parameter.above, parameter.below) if bound is not None]
    found += [beyond(parameter.at_least, -1)] if parameter.at_least is not None else []
    found += [beyond(parameter.at_most, 1)] if parameter.at_most is not None else []
    return [int(value) if whole else float(value) for value in found]


def _types(annotation: Any) -> set[Any]:
    return {annotation}.union(*(_types(inner) for inner in get_args(annotation)))


def placed(parts: list[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """A mapping with these values at these paths; "0" is the only item of a list."""
    tree: dict[str, Any] = {}
    for path, value in parts:
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = value
    return _with_lists(tree)  # type: ignore[no-any-return]


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    inner = {name: _with_lists(value) for name, value in tree.items()}
    return [inner["0"]] if list(inner) == ["0"] else inner


BOUNDED = [(chain.split(), path, parameter) for chain, path, parameter in bounded(KEYS)]


def test_the_walk_finds_the_parameters_of_every_kind() -> None:
    found = {(*(word for word in chain), ".".join(path)) for chain, path, _ in BOUNDED}
    assert ("optimizer=sgd", "optimizer.momentum") in found
    assert ("model=mlp", "model.hidden") in found
    assert ("model=mlp", "model.init=normal", "model.init.std") in found
    assert ("schedule=cosine", "schedule.warmup_epochs") in found
    assert ("loss=huber", "loss.delta") in found
    assert ("dataset=synthetic_regression", "dataset.noise=student_t", "dataset.noise.df") in found
    assert ("early_stopping.patience",) in found
    assert len(found) > 100


@pytest.mark.parametrize("chain", sorted({" ".join(chain) for chain, _, _ in BOUNDED}))
def test_a_value_just_outside_its_bounds_is_refused_by_name(lossrun: Run, chain: str) -> None:  # noqa: F811
    """All of a component's parameters at once: each must be named, with its value and what was expected."""
    names = [((*at.split("."), "name"), name) for at, name in (word.split("=") for word in chain.split())]
    theirs = [(path, parameter) for one, path, parameter in BOUNDED if " ".join(one) == chain]
    for side in range(max(len(outside(parameter)) for _, parameter in theirs)):
        wrong = {
            path: (outside(parameter)[side], parameter) for path, parameter in theirs if side < len(outside(parameter))
        }
        in_lists = {
            path: "list" in str(parameter.type) and int not in get_args(parameter.type)
            for path, (_, parameter) in wrong.items()
        }
        values = [(path, [value] if in_lists[path] else value) for path, (value, _) in wrong.items()]
        changes = placed(names + values)
        result = trained(lossrun, changes.pop("dataset", "mnist"), **changes)
        for path, (value, parameter) in wrong.items():
            dotted = ".".join(path).replace(".0.", "[0].")
            place, expected = ("[0]", parameter.expected_item) if in_lists[path] else ("", parameter.expected)
            message = f"{dotted}{place}: {value!r} is not allowed; expected {expected}"
            assert_refused(result, 2, re.escape(message))


# Data


@pytest.mark.parametrize(
    ("inputs", "targets", "changes", "message"),
    [
        ([[1], [2], [3]], [[1, 2, 3]], {}, "dataset.targets: 3 inputs and 1 targets; .* transposed"),
        ([[1], [2], [3]], [1.5, 2], {}, "dataset.targets: 3 inputs and 2 targets"),
        ([[1, 2], [2], [3, 4]], [1.5, 2, 3], {}, r"dataset.inputs\[1\]: 1 number, but the first row is 2 numbers"),
        ([[1], [2], [3]], [[1, 2], [3, 4], [5]], {}, r"dataset.targets\[2\]: 1 number, but the first row is 2"),
        ([[]], [1.5], {}, r"dataset.inputs: has the shape \(1, 0\)"),
        ([[1]], [[]], {}, r"dataset.targets: has the shape \(1, 0\)"),
        ([], [], {}, "dataset.inputs: no inputs and no targets"),
        ([[1], [1e39], [3]], [1.5, 2, 3], {}, r"dataset.inputs\[1\]\[0\]: 1e\+39; expected a finite number"),
        ([[1], [2], [3]], [1.5, 2, -1e39], {}, r"dataset.targets\[2\]: -1e\+39; expected a finite number"),
        ([1, 2, 3, 4], [0, 1, 1, 0], {}, "dataset.targets: .*could be quantities or classes; add task: regression or"),
        ([1, 2, 3], [0, 1, 2], {"task": "binary", **BINARY}, "dataset.targets: 3 classes"),
        ([1, 2, 3], [0, 1, 0.5], {"task": "binary", **BINARY}, r"dataset.targets\[2\]: 0.5 is not a class"),
        ([1, 2, 3], [1, 1, 1], {"task": "multiclass", **CLASSES}, "dataset.targets: only the class 1"),
        ([1, 2], [[0, 1], [1, 2]], {"task": "multilabel", **BINARY}, r"dataset.targets\[1\]\[1\]: 2; multilabel"),
        ([1, 2], [[0, 1], [1, 1]], {"task": "multiclass", **CLASSES}, r"dataset.targets\[1\]: the row \[1, 1\]; "),
        ([1, 2, 3], [1.5, 2, 3], {"validation": 3}, "dataset.validation: 3 takes 3 of 3 samples and leaves nothing"),
        ([1, 2, 3], [1.5, 2, 3], {"test": 1.5}, "dataset.test: 1.5 is not a share; expected a number below 1"),
        (
            [1, 2, 3],
            [1.5, 2, 3],
            {"validation": 2, "test": 1},
            "dataset.validation: 2 takes 2 of 2 samples \\(test: 1 takes the rest of 3\\) and leaves nothing to train "
            "on",
        ),
        (
            [1, 2, 3, 4],
            [0, 1, 1, 0],
            {"task": "binary", "standardize": {"targets": True}, **BINARY},
            "dataset.standardize: the targets of a binary task are classes",
        ),
        (
            [1, 2, 3],
            [0, 0, 1],
            {"task": "binary", "validation": 2, **BINARY},
            "every training sample is of the class 0; expected at least 2 classes",
        ),
        ([1, 2], [1.5, 2], {"corrupt": {"label_noise": 0.1}}, "dataset.corrupt: label_noise needs classes"),
    ],
)
def test_points_in_the_config(
    lossrun: Run,  # noqa: F811
    inputs: Any,
    targets: Any,
    changes: dict[str, Any],
    message: str,
) -> None:
    loss = {"loss": changes["loss"]} if "loss" in changes else {}
    given = {key: value for key, value in changes.items() if key != "loss"}
    dataset = {"name": "inline", "inputs": inputs, "targets": targets, **given}
    assert_refused(trained(lossrun, dataset, **loss), 3, message)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            "inputs: [[1], [.nan]], targets: [1.5, 2]",
            r"config.yaml:1:40: dataset.inputs\[1\]\[0\]: nan is not a finite",
        ),
        ("inputs: [[1], [2]], targets: [1.5, -.inf]", r"config.yaml:1:60: dataset.targets\[1\]: -inf is not a finite"),
        ("inputs: [[1], [x]], targets: [1.5, 2]", r"config.yaml:1:40: dataset.inputs\[1\]\[0\]: 'x' is a string"),
        ("inputs: [[1], [2]], targets: [1.5, true]", r"config.yaml:1:60: dataset.targets\[1\]: true is a boolean"),
        ("inputs: [[1], 2], targets: [1.5, 2]", "dataset.inputs"),
        ("inputs: [[[1]], [[2]]], targets: [1.5, 2]", r"dataset.inputs\[0\]\[0\]: \[1\] is a list"),
    ],
)
def test_points_that_are_no_numbers_are_shown_where_they_stand(lossrun: Run, points: str, message: str) -> None:  # noqa: F811
    text = f"dataset: {{name: inline, {points}}}\nmodel: mlp\nloss: mse\noptimizer: sgd\nlearning_rate: 0.1\n"
    Path("config.yaml").write_text(text)
    assert_refused(lossrun("train", "config.yaml"), 2, message)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (ROWS + "inf,1,2\n", {}, r"table.csv:14: column a: inf; expected a finite number"),
        (ROWS + "\n\n1,1e39,2\n", {}, r"table.csv:16: column b: 1e39; expected a finite number"),
        (ROWS + "1,1,-Infinity\n", {}, r"table.csv:14: column y: -Infinity; expected a finite number"),
        (ROWS + "nan,1,2\n", {}, r"table.csv:14: column a holds 'nan', a missing value, in this row"),
        (ROWS + "1,1,NaN\n", {}, r"table.csv:14: column y holds 'NaN', a missing value, in this row"),
        (ROWS + ",inf,2\n", {"missing": "mean"}, r"table.csv:14: column b: inf"),
        (ROWS + "1,x,2\n", {}, r"table.csv:14: column b: 'x' is not a number"),
        (ROWS + "1,2\n", {}, r"table.csv:14: 2 cells, but the header has 3"),
        ("a,y\n1,0\n2,1\n3,1.5\n", {"task": "binary", **BINARY}, r"table.csv:4: column y: 1.5 is not a class"),
        (
            "a,y\n1,0\n,1\n3,1\n4,0.5\n",
            {"task": "binary", "missing": "drop", **BINARY},
            r"table.csv:5: column y: 0.5 is not a class",
        ),
        (
            "a,p,q\n1,0,1\n2,1,1\n3,0,1\n",
            {"target": ["p", "q"], "task": "multiclass", **CLASSES},
            r"table.csv:3: column p: the row \[1, 1\]; .* one-hot",
        ),
        (
            "a,p,q\n1,0,1\n2,1,1\n3,0,2\n",
            {"target": ["p", "q"], "task": "multilabel", **BINARY},
            r"table.csv:4: column q: 2; multilabel",
        ),
        ("a,y\n1,1.5\n", {}, "dataset.test: 0.2 takes 1 of 1 samples and leaves nothing"),
        ("a,y\n1,1.5\n2,2\n", {}, "dataset.validation: 0.1 takes 1 of 1 samples \\(test: 0.2 takes the rest of 2\\)"),
        (ROWS, {"target": "z"}, "dataset.target: .*table.csv has no 'z'"),
        (ROWS, {"path": "tabel.csv"}, r"dataset.path: .*tabel.csv cannot be read"),
        (ROWS, {"test": "official"}, "dataset.test: official, but this dataset has no official test set"),
        ("a,b,y\n", {}, "table.csv: there is a header but no row"),
    ],
)
def test_a_table_that_cannot_be_trained_on_is_refused(
    lossrun: Run,  # noqa: F811
    text: str,
    changes: dict[str, Any],
    message: str,
) -> None:
    Path("table.csv").write_text(text)
    loss = {"loss": changes["loss"]} if "loss" in changes else {}
    given = {key: value for key, value in changes.items() if key != "loss"}
    assert_refused(trained(lossrun, {**TABLE, **given}, **loss), 3, message)


def put(array: np.ndarray, index: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "changes", "message"),
    [
        ({"x": put(X, (5, 1), np.nan), "y": Y}, {}, r"arrays.npz: x\[5, 1\]: nan; expected a finite number"),
        ({"x": X, "z": put(X, (7, 0), -np.inf), "y": Y}, {}, r"arrays.npz: z\[7, 0\]: -inf; expected"),
        ({"x": X, "y": put(Y, 11, 1e39)}, {}, r"arrays.npz: y\[11\]: 1e\+39; expected a finite number of at most"),
        ({"x": X, "y": np.stack([Y, put(Y, 3, np.nan)], 1)}, {}, r"arrays.npz: y\[3, 1\]: nan"),
        (
            {"x": X, "y": Y, "v": put(Y, 3, np.nan)},
            {"target": ["y", "v"]},
            r"arrays.npz: v\[3\]: nan; expected a finite number",
        ),
        ({"x": np.ones((4, 1, 2, 2)) * put(Y[:4], 2, np.inf)[:, None, None, None], "y": Y[:4]}, {}, r"x\[2, 0, 0, 0\]"),
        ({"x": X, "y": np.ones((3, 12))}, {}, r"different lengths, or without rows: x \(12, 2\), y \(3, 12\)"),
        ({"x": X, "y": Y[:11]}, {}, r"x \(12, 2\), y \(11,\); expected one row of each for every sample"),
        ({"x": X, "y": Y[None]}, {}, r"y \(1, 12\)"),
        ({"x": X, "y": Y[:, None, None]}, {}, r"dataset.target: y of .*: has the shape \(12, 1, 1\)"),
        ({"x": X, "y": Y * 1j}, {}, "dataset.target: y of .*: holds complex128 values"),
        (
            {"x": X, "y": put(np.arange(12) % 3 * 1.0, 4, 0.5)},
            {"task": "multiclass", **CLASSES},
            r"arrays.npz: y\[4\]: 0.5 is not a class",
        ),
        ({"x": X, "y": np.arange(12) % 3}, {"task": "binary", **BINARY}, r"dataset.target: y of .*: 3 classes"),
        (
            {"x": X, "a": np.arange(12) % 2, "b": np.ones(12, int)},
            {"target": ["a", "b"], "task": "multiclass", **CLASSES},
            r"arrays.npz: a, b\[1\]: the row \[1, 1\]",
        ),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(
    lossrun: Run,  # noqa: F811
    arrays: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    np.savez("arrays.npz", **arrays)
    loss = {"loss": changes["loss"]} if "loss" in changes else {}
    given = {key: value for key, value in changes.items() if key != "loss"}
    assert_refused(trained(lossrun, {**ARRAYS, **given}, **loss), 3, message)


OWN = """
import numpy as np
from lossrun import Dataset

X = np.arange(24.0).reshape(12, 2)
Y = X.sum(axis=1)
LABELS = np.arange(12) % 3


def put(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


def nan_in_validation():
    return Dataset(train=(X, Y), validation=(put(X, (2, 1), np.nan), Y), task="regression")


def infinite_target():
    return Dataset(train=(X, put(Y, 7, np.inf)), task="regression")


def fewer_targets():
    return Dataset(train=(X, Y[:11]), task="regression")


def other_columns():
    return Dataset(train=(X, Y), test=(X[:, :1], Y), task="regression")


def other_targets():
    return Dataset(train=(X, Y), test=(X, np.stack([Y, Y], axis=1)), task="regression")


def label_beyond():
    return Dataset(train=(X, LABELS), test=(X, put(LABELS, 5, 3)), task="multiclass", classes=("a", "b", "c"))


def names_as_one_word():
    return Dataset(train=(X, LABELS), task="multiclass", classes="abc")


def empty_validation():
    return Dataset(train=(X, Y), validation=(X[:0], Y[:0]), task="regression")


def a_pair():
    return X, Y


def fails():
    return Dataset(train=(X, Y[12]), task="regression")


def sorted_classes():
    return Dataset(train=(X[:6], LABELS[:6] * 0), test=(X, LABELS), task="multiclass", classes=("a", "b", "c"))


def unseen():
    return Dataset(train=(X, LABELS % 2), test=(X, LABELS), task="multiclass", classes=("a", "b", "c"))
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nan_in_validation", r"own:nan_in_validation, validation inputs\[2, 1\]: nan; expected a finite number"),
        ("infinite_target", r"own:infinite_target, train targets\[7\]: inf; expected a finite number"),
        ("fewer_targets", "own:fewer_targets, train: 12 inputs and 11 targets"),
        ("other_columns", r"own:other_columns, test inputs: .* of shape \(1,\), but .* of shape \(2,\)"),
        ("other_targets", r"own:other_targets, test targets: .* of shape \(2,\), but .* of shape \(\)"),
        ("label_beyond", r"own:label_beyond, test targets\[5\]: label 3; expected 0 to 2"),
        ("names_as_one_word", "own:names_as_one_word: classes 'abc'; expected a sequence of names"),
        ("empty_validation", "own:empty_validation, validation: no inputs and no targets"),
        ("a_pair", r"own:a_pair returned a tuple; expected lossrun.Dataset\(train=\(inputs, targets\)\)"),
        ("fails", r"own:fails raised IndexError: .*own.py:\d+\)"),
        ("sorted_classes", "every training sample is of the class a; expected at least 2 classes"),
    ],
)
def test_datasets_of_ones_own(lossrun: Run, name: str, message: str) -> None:  # noqa: F811
    Path("own.py").write_text(OWN)
    classes = {"label_beyond", "names_as_one_word", "sorted_classes"}
    assert_refused(trained(lossrun, f"own:{name}", **(CLASSES if name in classes else {})), 3, message)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("pairs", r"loss: own:pairs failed .*shapes \(9, 1\) and \(9,\) are broadcast to .*own.py:2\)"),
        ("scalar", "loss: own:scalar gives shape .* expected one value per sample"),
        ("detached", "loss: own:detached has no gradient with respect to the outputs"),
    ],
)
def test_losses_of_ones_own(lossrun: Run, loss: str, message: str) -> None:  # noqa: F811
    """More of them, and models and optimizers: test_plugins.py. 9 of 12 samples are left by test and validation."""
    Path("own.py").write_text(
        "def pairs(outputs, targets):\n    return (outputs[:, 0] - targets).square().mean(dim=1)\n"
        "def scalar(outputs, targets):\n    return (outputs - targets).square().mean()\n"
        "def detached(outputs, targets):\n    return (outputs.detach() - targets).square().mean(dim=1)\n"
    )
    Path("table.csv").write_text(ROWS)
    assert_refused(trained(lossrun, TABLE, loss=f"own:{loss}"), 2, message)


def test_numbers_whose_squares_are_beyond_float32(lossrun: Run) -> None:  # noqa: F811
    dataset = {"name": "inline", "inputs": [[1], [2]], "targets": [1e25, 2]}
    assert_refused(trained(lossrun, dataset), 2, "loss: mse is inf before the first step; .*range of the targets")


@pytest.mark.parametrize(
    ("dataset", "changes", "note"),
    [
        (
            {"inputs": [[7, 1], [7, 2]], "targets": [1.5, 2], "standardize": True},
            {},
            "input column 0 is constant in the",
        ),
        ({"inputs": [[7], [7]], "targets": [1.5, 2]}, {}, "every input is constant in the training part"),
        ({"inputs": [1, 2], "targets": [2.5, 2.5]}, {}, "all training targets are 2.5: there is nothing to learn"),
        (
            {"inputs": [1, 2, 3, 4, 5], "targets": [0, 0, 1, 1, 2], "task": "multiclass", "validation": 3},
            CLASSES,
            "1 validation sample is of class 2, but no training sample is: no model can learn this",
        ),
        ({"inputs": [[0, 0], [1, 2]], "targets": [1.5, 2], "standardize": True}, {}, ""),
    ],
)
def test_what_can_be_trained_on_but_will_disappoint_is_noted(
    lossrun: Run,  # noqa: F811
    dataset: dict[str, Any],
    changes: dict[str, Any],
    note: str,
) -> None:
    result = trained(lossrun, {"name": "inline", **dataset}, **changes)
    assert result.code == 0
    assert note in " ".join((result.out + result.err).split())


def test_a_class_that_a_split_emptied_cannot_be_balanced(lossrun: Run) -> None:  # noqa: F811
    dataset = {"name": "inline", "inputs": [1, 2, 3, 4, 5], "targets": [0, 0, 1, 1, 2], "task": "multiclass"}
    loss = {"name": "cross_entropy", "class_weights": "balanced"}
    result = trained(lossrun, {**dataset, "validation": 3}, loss=loss)
    assert_refused(result, 2, "loss.class_weights: balanced .*class 2 .*training")
