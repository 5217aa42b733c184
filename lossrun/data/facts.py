"""What is known of a dataset before a file is read."""

from collections.abc import Mapping
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.data_facts import DataFacts
from lossrun.catalog.declaration import DatasetDeclaration, Task
from lossrun.data.load import without_void
from lossrun.data.samples.splits import drawn_sizes
from lossrun.data.sources.arrays import read_inline
from lossrun.data.sources.images import IMAGE_SETS
from lossrun.data.sources.scikit_learn import CLASSES, SAMPLES
from lossrun.data.sources.synthetic import check_regression, classification_shape

MOST_NAMED: Final = 1_000_000  # classes


def known_facts(name: str, parameters: Mapping[str, Any], ignored: str | float | None = None) -> DataFacts | None:
    """The facts that `load` would give, target_range left out; None for files and for a user's own dataset.

    `ignored`: see `load`.

    Raises DataError for sizes or shapes that no data could have.
    """
    task: Task
    official_test = void = 0
    classes: tuple[str, ...] = ()
    numbered = True
    if name in IMAGE_SETS or name in SAMPLES:
        declared = get("dataset", name)
        assert isinstance(declared, DatasetDeclaration)
        assert declared.task is not None
        assert declared.input_shape is not None
        assert declared.target_size is not None
        task, input_shape, target_size = declared.task, declared.input_shape, declared.target_size
        samples = IMAGE_SETS[name].train if name in IMAGE_SETS else SAMPLES[name]
        classes = IMAGE_SETS[name].classes if name in IMAGE_SETS else CLASSES[name]
        if name in IMAGE_SETS and parameters["test"] == "official":
            official_test = IMAGE_SETS[name].test
    elif name == "synthetic_regression":
        check_regression(parameters)
        task, input_shape, target_size, samples = "regression", (parameters["features"],), 1, parameters["samples"]
    elif name == "synthetic_classification":
        task, features, count = classification_shape(parameters)
        input_shape, samples = (features,), parameters["samples"]
        target_size = 1 if task == "binary" else count
        # No machine holds a model of more classes: the config is refused for its size, before its classes have names.
        classes = tuple(map(str, range(count))) if count <= MOST_NAMED else ()
    elif name == "inline":
        source, void = without_void(read_inline(parameters, ignored))
        classes, numbered = source.classes, source.numbered
        task, input_shape, target_size = source.task, source.train.inputs.shape[1:], source.target_size
        samples = len(source.train)
    else:
        return None
    test, validation = drawn_sizes(parameters, samples, own_test=official_test > 0)
    return DataFacts(
        task,
        input_shape,
        target_size,
        samples - test - validation,
        validation,
        test or official_test,
        classes=classes,
        numbered=numbered,
        void=void,
    )
