"""The facts about a dataset that are known before a file is read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lossrun.by_name import function_in
from lossrun.catalog import get
from lossrun.catalog.data_facts import DataFacts
from lossrun.catalog.declaration import DatasetDeclaration
from lossrun.data.load import without_void
from lossrun.data.samples.splits import drawn_sizes
from lossrun.data.samples.task import ANY_LOSS, LossTasks
from lossrun.data.sources import shapes
from lossrun.data.sources.reading import read
from lossrun.data.sources.request import DataRequest
from lossrun.data.sources.shapes import DataShape


def known_facts(
    name: str, parameters: Mapping[str, Any], ignored: str | float | None = None, loss: LossTasks = ANY_LOSS
) -> DataFacts | None:
    """Return the facts that `load` would give, without target_range; None for files and for a user's own dataset.

    Args:
        name, parameters, ignored, loss: As in `load`.

    Raises:
        DataError: For sizes or shapes that no data can have.
    """
    if ":" in name:
        return None
    declared = get("dataset", name)
    assert isinstance(declared, DatasetDeclaration)
    if declared.is_file:
        return None
    known: Callable[[DatasetDeclaration, Mapping[str, Any]], DataShape] | None = function_in(shapes, declared.read_by)
    if known is not None:
        shape = known(declared, parameters)
    else:
        # It needs no file and no download, so reading it is the fastest way to know its shape.
        nowhere = Path()
        source, void = without_void(read(DataRequest(name, parameters, nowhere, nowhere, ignored, loss)))
        shape = DataShape(
            source.task,
            source.train.inputs.shape[1:],
            source.target_size,
            len(source.train),
            source.classes,
            numbered=source.numbered,
            void=void,
            task_decided=source.task_decided,
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
        task_decided=shape.task_decided,
        brought=("test",) if shape.test and not test else (),
    )
