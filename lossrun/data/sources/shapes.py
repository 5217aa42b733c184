"""Shapes that are known before a sample is read or drawn: one function for each reader that can tell, by its name.

`name(declared, parameters) -> DataShape`. A dataset without such a function is read to know its shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lossrun.catalog.declaration import DatasetDeclaration, Task
from lossrun.data.sources.synthetic import check_regression, classification_shape

MOST_NAMED: Final = 1_000_000  # classes


@dataclass(frozen=True, slots=True)
class DataShape:
    """The shape of a dataset before it is split; `test` counts the samples of an official test part, if it is used."""

    task: Task
    input_shape: tuple[int, ...]
    target_size: int
    samples: int
    classes: tuple[str, ...] = ()
    test: int = 0
    numbered: bool = True
    void: int = 0
    task_decided: bool = False


def images(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> DataShape:
    official = declared.test_count if parameters["test"] == "official" else 0
    return _declared(declared, declared.count, declared.classes, official)


def scikit_learn(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> DataShape:  # noqa: ARG001
    return _declared(declared, declared.count, declared.classes)


def synthetic_regression(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> DataShape:  # noqa: ARG001
    check_regression(parameters)
    return DataShape("regression", (parameters["features"],), 1, parameters["samples"])


def synthetic_classification(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> DataShape:  # noqa: ARG001
    task, features, count = classification_shape(parameters)
    # No machine holds a model of more classes: the config is refused for its size, before its classes have names.
    classes = tuple(map(str, range(count))) if count <= MOST_NAMED else ()
    return DataShape(task, (features,), 1 if task == "binary" else count, parameters["samples"], classes)


def _declared(declared: DatasetDeclaration, samples: int, classes: tuple[str, ...], test: int = 0) -> DataShape:
    assert declared.task is not None
    assert declared.input_shape is not None
    assert declared.target_size is not None
    return DataShape(declared.task, declared.input_shape, declared.target_size, samples, classes, test)
