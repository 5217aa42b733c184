from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data, Dataset
from lossrun.data.arrays import from_dataset
from lossrun.errors import DataError, UsageError

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
        ([[1], [2, 3]], [1, 2], "equally long rows"),
        ([1, 2], [1], "2 inputs and 1 targets"),
        ([], [], "0 inputs"),
        ([0, 1, 2, 3], [0, 1, 1, 0], "task: binary"),
    ],
)
def test_points_that_do_not_fit_are_refused(
    loaded: Callable[..., Data], inputs: Any, targets: Any, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        loaded("inline", inputs=inputs, targets=targets)


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
        ("broken", r"raised ZeroDivisionError: division by zero \(.*own_dataset.py:14\)"),
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
    import torch

    source = from_dataset(Dataset(train=(torch.ones(2, 1, 4, 4), torch.tensor([0.5, 1.0]))), "own")
    assert source.train.inputs.shape == (2, 1, 4, 4)
    assert source.task == "regression"


@pytest.mark.parametrize(
    ("dataset", "complaint"),
    [
        (Dataset(train=([1.0], [0.5]), task="ranking"), "task 'ranking'"),  # type: ignore[arg-type]
        (Dataset(train=([1.0], [0.5], [1])), "expected a pair"),  # type: ignore[arg-type]
        (Dataset(train=([1.0], [0.5]), test=([[1.0, 2.0]], [0.5])), "the parts differ"),
        (Dataset(train=([1.0], ["a"]), test=([1.0], [0.5])), "the parts differ"),
        (Dataset(train=(["a"], [0.5])), "expected numbers"),
        (Dataset(train=([1.0], 0.5)), "no targets"),
    ],
)
def test_datasets_that_do_not_fit_are_refused(dataset: Dataset, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        from_dataset(dataset, "own")
