"""What is known of a dataset before a file is read."""

from collections.abc import Mapping
from typing import Any

from lossrun.catalog import get
from lossrun.catalog.declaration import DataFacts, DatasetDeclaration, Task
from lossrun.data.arrays import read_inline
from lossrun.data.images import IMAGE_SETS
from lossrun.data.scikit_learn import SAMPLES
from lossrun.data.splits import drawn_sizes
from lossrun.data.synthetic import check_regression, classification_shape


def known_facts(name: str, parameters: Mapping[str, Any]) -> DataFacts | None:
    """The facts that `load` would give, target_range left out; None for files and for a user's own dataset.

    Raises DataError for sizes or shapes that no data could have.
    """
    task: Task
    official_test = 0
    if name in IMAGE_SETS or name in SAMPLES:
        declared = get("dataset", name)
        assert isinstance(declared, DatasetDeclaration)
        assert declared.task is not None
        assert declared.input_shape is not None
        assert declared.target_size is not None
        task, input_shape, target_size = declared.task, declared.input_shape, declared.target_size
        samples = IMAGE_SETS[name].train if name in IMAGE_SETS else SAMPLES[name]
        if name in IMAGE_SETS and parameters["test"] == "official":
            official_test = IMAGE_SETS[name].test
    elif name == "synthetic_regression":
        check_regression(parameters)
        task, input_shape, target_size, samples = "regression", (parameters["features"],), 1, parameters["samples"]
    elif name == "synthetic_classification":
        task, features, classes = classification_shape(parameters)
        input_shape, samples = (features,), parameters["samples"]
        target_size = 1 if task == "binary" else classes
    elif name == "inline":
        source = read_inline(parameters)
        task, input_shape, target_size = source.task, source.train.inputs.shape[1:], source.target_size
        samples = len(source.train)
    else:
        return None
    test, validation = drawn_sizes(parameters, samples, own_test=official_test > 0)
    return DataFacts(task, input_shape, target_size, samples - test - validation, validation, test or official_test)
