from typing import Any

import numpy as np
import pytest

from lossrun.data.samples.targets import encode
from lossrun.errors import DataError


@pytest.mark.parametrize(
    ("raw", "task", "size", "classes"),
    [
        (["no", "yes", "no"], "binary", 1, ("no", "yes")),
        (["b", "a", "c", "a"], "multiclass", 3, ("a", "b", "c")),
        ([True, False, True], "binary", 1, ("0", "1")),
        ([1.5, 2.0, 2.0], "regression", 1, ()),
        ([3, 5, 7, 9], "regression", 1, ()),  # no value twice: amounts
        ([[0, 1], [1, 1]], "multilabel", 2, ()),
        ([[0, 1], [2, 1]], "regression", 2, ()),
    ],
)
def test_the_task_is_inferred(raw: Any, task: str, size: int, classes: tuple[str, ...]) -> None:
    encoded = encode(np.array(raw), None, "y")
    assert (encoded.task, encoded.size, encoded.classes) == (task, size, classes)


@pytest.mark.parametrize("raw", [[0, 1, 1], [1.0, 2.0, 2.0], [3, 1, 2, 3]])
def test_whole_numbers_that_repeat_could_be_either(raw: list[float]) -> None:
    with pytest.raises(DataError, match=r"add task: regression or task: (binary|multiclass)"):
        encode(np.array(raw), None, "y")


@pytest.mark.parametrize(
    ("raw", "task", "expected", "dtype"),
    [
        ([-1, 1, 1], "binary", [[0], [1], [1]], np.float32),
        (["b", "a", "b"], "multiclass", [1, 0, 1], np.int64),
        ([10, 30, 20, 10], "multiclass", [0, 2, 1, 0], np.int64),
        ([[0, 0, 1], [1, 0, 0]], "multiclass", [2, 0], np.int64),
        ([[0, 1], [1, 1]], "multilabel", [[0, 1], [1, 1]], np.float32),
        ([1, 2], "regression", [[1], [2]], np.float32),
    ],
)
def test_targets_take_the_form_of_their_task(raw: Any, task: Any, expected: Any, dtype: Any) -> None:
    targets = encode(np.array(raw), task, "y").targets
    assert targets.dtype == dtype
    assert targets.tolist() == expected


def test_given_names_fix_the_classes() -> None:
    names = ("cat", "dog", "bird")
    by_index = encode(np.array([2, 0]), None, "y", names)
    by_word = encode(np.array(["bird", "cat"]), None, "y", names)
    assert by_index.targets.tolist() == by_word.targets.tolist() == [2, 0]
    assert by_index.size == 3
    with pytest.raises(DataError, match=r"^y\[1\]: label 3; expected 0 to 2"):
        encode(np.array([0, 3]), None, "y", names)
    with pytest.raises(DataError, match=r"^y\[2\]: label -1; expected 0 to 2"):
        encode(np.array([0, 2, -1]), None, "y", names)
    with pytest.raises(DataError, match=r"^y\[1\]: the label 'cow' is not one of"):
        encode(np.array(["cat", "cow"]), None, "y", names)
    with pytest.raises(DataError, match="classes are named, but the task is regression"):
        encode(np.array([0.5, 1.0]), "regression", "y", names)


def test_the_place_of_a_wrong_value_is_called_as_the_reader_wants() -> None:
    with pytest.raises(DataError, match=r"^line 4: 0.5 is not a class"):
        encode(np.array([0.0, 1.0, 0.5]), "binary", "y", cell=lambda index: f"line {index[0] + 2}")


@pytest.mark.parametrize(
    ("raw", "task", "complaint"),
    [
        (["a", "b"], "regression", "holds words such as 'a'; a regression needs numbers"),
        ([0.5, 1.0], "binary", "0.5 is not a class"),
        ([0, 1, 2], "binary", "3 classes"),
        (["no", "Yes", "yes"] * 9, "binary", "a binary task has 2; .* look like the same: 'Yes' and 'yes'"),
        ([1, 1], "multiclass", "only the class 1"),
        ([[0, 1], [1, 1]], "binary", "has one"),
        ([[1, 1], [0, 1]], "multiclass", "one-hot"),
        ([[0, 2], [1, 1]], "multilabel", "columns of 0 and 1"),
        ([[0], [1]], "multilabel", "needs several"),
        ([1.0, float("nan")], "regression", r"^y\[1\]: nan; expected a finite number"),
        ([[["a"]]], None, "shape"),
        ([1j], None, "complex"),
        ([[0.0, 1.0], [2.0, np.inf]], None, r"^y\[1, 1\]: inf; expected a finite number"),
        ([1.5, 1e39], None, r"^y\[1\]: 1e\+39; expected a finite number of at most 3.4e38"),
        ([0.0, 1.0, 0.5], "multiclass", r"^y\[2\]: 0.5 is not a class"),
        ([[0, 1], [1, 3]], "multilabel", r"^y\[1, 1\]: 3; multilabel"),
        ([[0, 1], [0, 0]], "multiclass", r"^y\[1\]: the row \[0, 0\]; .* one-hot"),
        ([["a", "b"], ["b", "a"]], "multiclass", "holds words such as 'a'"),
    ],
)
def test_targets_that_do_not_fit_are_refused(raw: Any, task: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        encode(np.array(raw), task, "y")


def test_one_hot_targets_read_as_multilabel_are_mentioned() -> None:
    assert "task: multiclass" in encode(np.array([[0, 1], [1, 0]]), None, "y").notes[0]
    assert not encode(np.array([[0, 1], [1, 1]]), None, "y").notes
