"""What is known of a dataset before a file is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.data_facts import DataFacts
from lossrun.catalog.declaration import DatasetDeclaration, Task
from lossrun.data.load import without_void
from lossrun.data.samples.splits import drawn_sizes
from lossrun.data.sources.images import IMAGE_SETS
from lossrun.data.sources.reading import read
from lossrun.data.sources.request import DataRequest
from lossrun.data.sources.synthetic import check_regression, classification_shape

MOST_NAMED: Final = 1_000_000  # classes


@dataclass(frozen=True, slots=True)
class _Shape:
    """Samples that are not yet split. `test`: samples of an official test part that the config asks for."""

    task: Task
    input_shape: tuple[int, ...]
    target_size: int
    samples: int
    classes: tuple[str, ...] = ()
    test: int = 0
    numbered: bool = True
    void: int = 0


def known_facts(name: str, parameters: Mapping[str, Any], ignored: str | float | None = None) -> DataFacts | None:
    """The facts that `load` would give, target_range left out; None for files and for a user's own dataset.

    `ignored`: see `load`.

    Raises DataError for sizes or shapes that no data could have.
    """
    if ":" in name:
        return None
    declared = get("dataset", name)
    assert isinstance(declared, DatasetDeclaration)
    if declared.is_file:
        return None
    known: Callable[[DatasetDeclaration, Mapping[str, Any]], _Shape] | None = _SHAPES.get(declared.read_by)
    if known is not None:
        shape = known(declared, parameters)
    else:
        # Neither file nor download: reading it is the quickest way to know.
        nowhere = Path()
        source, void = without_void(read(DataRequest(name, parameters, nowhere, nowhere, ignored)))
        shape = _Shape(
            source.task,
            source.train.inputs.shape[1:],
            source.target_size,
            len(source.train),
            source.classes,
            numbered=source.numbered,
            void=void,
        )
    test, validation = drawn_sizes(parameters, shape.samples, own_test=shape.test > 0)
    return DataFacts(
        shape.task,
        shape.input_shape,
        shape.target_size,
        shape.samples - test - validation,
        validation,
        test or shape.test,
        classes=shape.classes,
        numbered=shape.numbered,
        void=shape.void,
    )


def _declared(declared: DatasetDeclaration, samples: int, classes: tuple[str, ...], test: int = 0) -> _Shape:
    assert declared.task is not None
    assert declared.input_shape is not None
    assert declared.target_size is not None
    return _Shape(declared.task, declared.input_shape, declared.target_size, samples, classes, test)


def _images(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> _Shape:
    found = IMAGE_SETS[declared.name]
    official = found.test if parameters["test"] == "official" else 0
    return _declared(declared, found.train, found.classes, official)


def _scikit_learn(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> _Shape:  # noqa: ARG001
    return _declared(declared, declared.count, declared.classes)


def _regression(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> _Shape:  # noqa: ARG001
    check_regression(parameters)
    return _Shape("regression", (parameters["features"],), 1, parameters["samples"])


def _classification(declared: DatasetDeclaration, parameters: Mapping[str, Any]) -> _Shape:  # noqa: ARG001
    task, features, count = classification_shape(parameters)
    # No machine holds a model of more classes: the config is refused for its size, before its classes have names.
    classes = tuple(map(str, range(count))) if count <= MOST_NAMED else ()
    return _Shape(task, (features,), 1 if task == "binary" else count, parameters["samples"], classes)


# Shapes that are known without a sample, by the reader. A dataset needs no line here.
_SHAPES: Final[Mapping[str, Callable[[DatasetDeclaration, Mapping[str, Any]], _Shape]]] = {
    "images": _images,
    "scikit_learn": _scikit_learn,
    "synthetic_regression": _regression,
    "synthetic_classification": _classification,
}
