from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lossrun.data import Data
from lossrun.data.samples.balance import class_notes
from lossrun.data.samples.dataset import Part
from lossrun.errors import DataError


def part(*targets: object) -> Part:
    array = np.array(targets)
    return Part(np.zeros((len(array), 1), np.float32), array, np.arange(len(array)))


def test_a_class_that_no_sample_has_is_named() -> None:
    parts = {"train": part(0, 1, 0), "validation": part(2, 0), "test": part(2, 2, 3)}
    assert class_notes(parts, "multiclass", 5, ("a", "b", "c", "d", "e")) == ("the class e occurs in no sample",)
    assert class_notes({"train": part(0, 1), "test": part(1, 0)}, "multiclass", 2, ()) == ()


def test_labels_of_a_multilabel_task_count_where_they_are_1() -> None:
    parts = {"train": part([1, 0], [0, 0]), "test": part([0, 0])}
    assert class_notes(parts, "multilabel", 2, ()) == ("the class 1 occurs in no sample",)


def test_one_class_in_training_is_nothing_to_learn() -> None:
    for task, targets, size in (("multiclass", (1, 1), 3), ("binary", ([1.0], [1.0]), 1)):
        parts = {"train": part(*targets), "test": part(*targets)}
        with pytest.raises(DataError, match="every training sample is of the class b; expected at least 2 classes"):
            class_notes(parts, task, size, ("a", "b", "c"))  # type: ignore[arg-type]


def test_a_regression_has_no_classes() -> None:
    assert class_notes({"train": part([1.0], [1.0])}, "regression", 1, ()) == ()


def test_constant_columns_and_targets_are_noted(loaded: Callable[..., Data], tmp_path: Path) -> None:
    constant = loaded("inline", inputs=[[1], [1], [1]], targets=[2.5, 2.5, 2.5])
    assert constant.notes == (
        "every input is constant in the training part, so nothing distinguishes the samples",
        "all training targets are 2.5: there is nothing to learn",
    )
    held_out = loaded("inline", inputs=[1, 2, 3, 4], targets=[1.5, 2.5, 3.5, 4.5], validation=1)
    (note,) = held_out.notes
    assert held_out.validation is not None
    assert note == f"all validation targets are {held_out.validation.targets[0, 0]:g}, so r2 is NaN there"
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"7,{i},{i / 2}\n" for i in range(20)))
    plain, scaled = (
        loaded("csv", path="t.csv", target="y", standardize={"inputs": on, "targets": False}) for on in (0, 1)
    )
    assert plain.notes == ()
    assert scaled.notes == (
        "input column a is constant in the training part: standardize moves it to 0 and cannot scale it",
    )
    assert scaled.input_scaling.apply(scaled.train.inputs)[:, 0].tolist() == [0.0] * len(scaled.train)
