"""The readers of the declared datasets, by name: each takes a request and returns samples that are not yet split.

A declaration names its reader if that has another name. A dataset without a reader has a function in `generated.py`.
"""

from lossrun.data.samples.dataset import UnsplitData
from lossrun.data.sources.archive import read_npz
from lossrun.data.sources.arrays import read_inline
from lossrun.data.sources.csv_file import read_csv
from lossrun.data.sources.images import read_images
from lossrun.data.sources.request import DataRequest
from lossrun.data.sources.scikit_learn import read_scikit_learn
from lossrun.data.sources.synthetic import synthetic_classification as draw_classes
from lossrun.data.sources.synthetic import synthetic_regression as draw_numbers


def images(request: DataRequest) -> UnsplitData:
    """Read an official image set."""
    return read_images(request.name, request.data_dir)


def scikit_learn(request: DataRequest) -> UnsplitData:
    """Read a table that comes with scikit-learn."""
    return read_scikit_learn(request.name)


def synthetic_regression(request: DataRequest) -> UnsplitData:
    """Draw a known function plus noise."""
    return draw_numbers(request.parameters)


def synthetic_classification(request: DataRequest) -> UnsplitData:
    """Draw classes of a known shape."""
    return draw_classes(request.parameters)


def csv(request: DataRequest) -> UnsplitData:
    """Read a table in a text file."""
    return read_csv(request.parameters, request.config_dir, request.ignored, request.loss)


def npz(request: DataRequest) -> UnsplitData:
    """Read arrays in a numpy archive."""
    return read_npz(request.parameters, request.config_dir, request.ignored, request.loss)


def inline(request: DataRequest) -> UnsplitData:
    """Take the points written in the config."""
    return read_inline(request.parameters, request.ignored, request.loss)
