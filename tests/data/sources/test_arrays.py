from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data, Dataset
from lossrun.data.sources.arrays import from_dataset
from lossrun.errors import DataError, UsageError

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
OWN = """
import numpy as np
from lossrun.data import Dataset

def line(slope, samples=20):
    x = np.arange(samples) / 2
    return Dataset(train=(x, slope * x), task="regression")

def parts():
    x = np.arange(8.0)
    return Dataset(train=(x, x > 3), validation=(x[:3], x[:3] > 3), test=(x, x > 3))

def broken():
    return 1 / 0

def nothing():
    return None

def leaves():
    raise SystemExit(0)
"""


@pytest.fixture(autouse=True)
def _own_module(tmp_path: Path) -> None:
    (tmp_path / "own_dataset.py").write_text(OWN)


def test_points_in_the_config(loaded: Callable[..., Data]) -> None:
    data = loaded("inline", inputs=[[1], [2], [3], [4]], targets=[3, 5, 7, 9])
    assert data.task == "regression"
    assert data.train.inputs.tolist() == [[1], [2], [3], [4]]
    assert data.train.targets.tolist() == [[3], [5], [7], [9]]
    assert data.validation is None
    assert data.test is None


def test_numbers_in_the_config_become_one_column(loaded: Callable[..., Data]) -> None:
    assert loaded("inline", inputs=[1, 2], targets=[0.5, 1]).train.inputs.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("inputs", "targets", "complaint"),
    [
        ([[1], [2, 3]], [1, 2], r"^dataset.inputs\[1\]: 2 numbers, but the first row is 1 number; .*equally long rows"),
        ([[1], [2]], [[1, 2], [3]], r"^dataset.targets\[1\]: 1 number, but the first row is 2 numbers"),
        ([1, 2], [1], "^dataset.targets: 2 inputs and 1 targets"),
        ([[1], [2]], [[1, 2]], "^dataset.targets: .* seem to be transposed: expected one row for each input"),
        ([], [], "^dataset.inputs: no inputs"),
        ([[], []], [1, 2], r"^dataset.inputs: has the shape \(2, 0\)"),
        ([[1], [2]], [[], []], r"^dataset.targets: has the shape \(2, 0\)"),
        ([0, 1, 2, 3], [0, 1, 1, 0], "^dataset.targets: .*task: binary"),
        ([[1, 2], [3, 1e39]], [1, 2], r"^dataset.inputs\[1\]\[1\]: 1e\+39; expected a finite number of at most"),
        ([1, 2], [0.5, -1e39], r"^dataset.targets\[1\]: -1e\+39"),
    ],
)
def test_points_that_do_not_fit_are_refused(
    loaded: Callable[..., Data], inputs: Any, targets: Any, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        loaded("inline", inputs=inputs, targets=targets)


@pytest.mark.parametrize(
    ("targets", "task", "complaint"),
    [
        ([0, 1, 0.5], "binary", r"^dataset.targets\[2\]: 0.5 is not a class"),
        ([[0, 1], [1, 0], [1, 1]], "multiclass", r"^dataset.targets\[2\]: the row \[1, 1\]"),
        ([[0, 1], [1, 2], [1, 1]], "multilabel", r"^dataset.targets\[1\]\[1\]: 2; "),
        ([1, 1, 1], "multiclass", "^dataset.targets: only the class 1"),
    ],
)
def test_targets_that_do_not_fit_the_task_are_named(
    loaded: Callable[..., Data], targets: Any, task: str, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        loaded("inline", inputs=[1, 2, 3], targets=targets, task=task)


def test_parameters_go_to_the_users_function(loaded: Callable[..., Data]) -> None:
    data = loaded("own_dataset:line", slope=3.0)
    assert data.facts.train + data.facts.validation + data.facts.test == 20
    assert data.test is not None
    assert (data.test.targets == 3 * data.test.inputs).all()


def test_wrong_parameters_are_refused(loaded: Callable[..., Data]) -> None:
    with pytest.raises(UsageError, match=r"there is no parameter slop; did you mean slope\?"):
        loaded("own_dataset:line", slop=3.0)


def test_parts_of_its_own_are_used_unless_refused(loaded: Callable[..., Data]) -> None:
    data = loaded("own_dataset:parts")
    assert (data.task, data.facts.train, data.facts.validation, data.facts.test) == ("binary", 8, 3, 8)
    without = loaded("own_dataset:parts", validation=0, test=0)
    assert (without.validation, without.test) == (None, None)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("broken", r"raised ZeroDivisionError: .+ \(.*own_dataset.py:14\)"),
        ("leaves", r"raised SystemExit: 0 \(.*own_dataset.py"),
        ("nothing", "returned a NoneType; expected lossrun.Dataset"),
    ],
)
def test_functions_that_fail(loaded: Callable[..., Data], name: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        loaded(f"own_dataset:{name}")


def test_the_parts_together_decide_on_the_classes() -> None:
    x = np.ones((2, 3))
    source = from_dataset(Dataset(train=(x, ["a", "b"]), test=(x, ["c", "a"])), "own")
    assert source.classes == ("a", "b", "c")
    assert source.test is not None
    assert source.test.targets.tolist() == [2, 0]


def test_tensors_are_taken() -> None:
    torch = pytest.importorskip("torch")

    source = from_dataset(Dataset(train=(torch.ones(2, 1, 4, 4), torch.tensor([0.5, 1.0]))), "own")
    assert source.train.inputs.shape == (2, 1, 4, 4)
    assert source.task == "regression"


@pytest.mark.parametrize(
    ("dataset", "complaint"),
    [
        (Dataset(train=([1.0], [0.5]), task="ranking"), "task 'ranking'"),  # type: ignore[arg-type]
        (Dataset(train=([1.0],)), "expected a pair"),
        (
            Dataset(train=([1.0], [0.5]), test=([[1.0, 2.0]], [0.5])),
            r"^own, test inputs: .*\(2,\), but those of the tr",
        ),
        (Dataset(train=([1.0], ["a"]), test=([1.0], [0.5])), "^own, test targets: float64 .* training part are <U1"),
        (Dataset(train=(X, [0.5, 1]), validation=(X, [[0.5], [1]])), "^own, validation targets: .* alike"),
        (Dataset(train=(X.astype(np.uint8), [0.5, 1]), test=(X, [0.5, 1])), "^own, test inputs: float32 .* uint8"),
        (Dataset(train=(X, [0.5, 1]), validation=(X, [0.5, np.nan])), r"^own, validation targets\[1\]: nan"),
        (Dataset(train=(X, [0.5, 1]), test=([[1, 2], [np.inf, 4]], [0.5, 1])), r"^own, test inputs\[1, 0\]: inf"),
        (
            Dataset(train=(X, [0, 1]), test=(X, [1, 2]), classes=("a", "b")),
            r"^own, test targets\[1\]: label 2; .*0 to 1",
        ),
        (Dataset(train=(X, ["a", "b"]), test=(X, ["a", "c"]), classes=("a", "b")), r"test targets\[1\]: the label 'c'"),
        (Dataset(train=(X, [0, 1]), test=(X, [0.5, 1]), task="binary"), r"^own, test targets\[0\]: 0.5 is not a class"),
        (Dataset(train=(X, [0, 1]), classes="ab"), "classes 'ab'; expected a sequence of names"),  # type: ignore[arg-type]
        (Dataset(train=(X, [0, 1]), classes=2), "classes 2; expected"),  # type: ignore[arg-type]
        (Dataset(train=(X, [0, 1]), classes=(1, 2)), "expected a sequence of names"),  # type: ignore[arg-type]
        # What has no order cannot say which label a name belongs to, and a dict may say another order than its own.
        (Dataset(train=(X, [0, 1]), classes={"a", "b"}), "expected a sequence of names"),  # type: ignore[arg-type]
        (Dataset(train=(X, [0, 1]), classes={"a": 1, "b": 0}), "expected a sequence of names"),  # type: ignore[arg-type]
        (Dataset(train=(iter(X), [0, 1])), "inputs: [a-z_]*iterator; expected rows of numbers"),
        (Dataset(train=(X, [[0.5, 1]])), "transposed"),
        (Dataset(train=(["a"], [0.5])), "expected numbers"),
        (Dataset(train=([1.0], 0.5)), "no targets"),
    ],
)
def test_datasets_that_do_not_fit_are_refused(dataset: Dataset, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        from_dataset(dataset, "own")


@pytest.mark.parametrize("classes", [None, ["no", "yes"], np.array(["no", "yes"])])
def test_names_of_classes_may_come_as_any_sequence_or_not_at_all(classes: Any) -> None:
    source = from_dataset(Dataset(train=(X, [0, 1]), task="binary", classes=classes), "own")
    assert source.classes == (("0", "1") if classes is None else ("no", "yes"))


def test_the_name_of_the_module_decides_nothing():
    """Words among the targets are refused also where the module is called after inputs."""
    mixed = Dataset(train=(X, ["a", "b"]), test=(X, [0, 1]))
    for name in ("mine:words", "my_inputs:words"):
        with pytest.raises(DataError, match="expected the parts to be alike"):
            from_dataset(mixed, name)
