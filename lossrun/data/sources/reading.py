"""Read a dataset by its name: samples that are not yet split."""

from collections.abc import Callable

from lossrun.by_name import function_in
from lossrun.catalog import get
from lossrun.catalog.declaration import DatasetDeclaration
from lossrun.data.samples.dataset import UnsplitData
from lossrun.data.sources import arrays, generated, readers
from lossrun.data.sources.request import DataRequest
from lossrun.errors import DataError


def read(request: DataRequest) -> UnsplitData:
    """Return the samples of a declared dataset or of a user's own, `module:attribute`.

    Raises:
        KeyError: For a name that is not declared. The reader raises further errors.
    """
    if ":" in request.name:
        return arrays.read_user_dataset(
            request.name, request.parameters, request.config_dir, request.ignored, request.loss
        )
    declared = get("dataset", request.name)
    assert isinstance(declared, DatasetDeclaration)
    reader: Callable[[DataRequest], UnsplitData] = function_in(readers, declared.read_by) or generate
    return reader(request)


def generate(request: DataRequest) -> UnsplitData:
    """Call the function with the dataset's name in `generated.py`."""
    function = getattr(generated, request.name)
    try:
        dataset = function(**arrays.own_arguments(request.parameters))
    except ValueError as error:
        raise DataError(f"dataset {request.name}: {error}") from error
    return arrays.from_dataset(dataset, request.name, request.ignored, request.loss)
