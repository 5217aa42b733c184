"""The arrays of a dataset as tensors: in the same memory where torch can use it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lossrun.data.samples.dataset import Data, Part, Scaling
from lossrun.training.build import Workplace, parts

PLACE = Workplace(torch.device("cpu"), torch.float32, Path())


def data(inputs: np.ndarray, targets: np.ndarray, ids: np.ndarray) -> Data:
    classes = targets.dtype == np.int64
    return Data(
        name="own",
        task="multiclass" if classes else "regression",
        train=Part(inputs, targets, ids),
        validation=None,
        test=None,
        input_shape=inputs.shape[1:],
        target_size=3 if classes else 1,
        classes=(),
        input_scaling=Scaling.identity(),
        target_scaling=Scaling.identity(),
        hashes={},
        notes=(),
    )


INPUTS = [np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2)]
TARGETS = [np.arange(6, dtype=np.float32)[:, np.newaxis], np.arange(6) % 3]


@pytest.mark.parametrize("targets", TARGETS, ids=["numbers", "labels"])
@pytest.mark.parametrize("inputs", INPUTS, ids=["floats", "bytes"])
def test_training_reads_the_arrays_where_they_lie(inputs: np.ndarray, targets: np.ndarray) -> None:
    """A second copy of a large dataset may be what does not fit into the memory."""
    arrays = inputs.copy(), targets.copy(), np.arange(6)
    train = parts(data(*arrays), PLACE).train
    for array, tensor in zip(arrays, (train.inputs, train.targets, train.ids), strict=True):
        assert np.shares_memory(array, tensor.numpy())


@pytest.mark.parametrize("targets", TARGETS, ids=["numbers", "labels"])
@pytest.mark.parametrize("inputs", INPUTS, ids=["floats", "bytes"])
@pytest.mark.parametrize("how", ["read-only", "backwards", "read-only and backwards"])
def test_arrays_that_torch_cannot_take_are_copied(inputs: np.ndarray, targets: np.ndarray, how: str) -> None:
    arrays = [array[::-1] if "backwards" in how else array.copy() for array in (inputs, targets, np.arange(6))]
    for array in arrays:
        array.flags.writeable = "read-only" not in how
    train = parts(data(*arrays), PLACE).train
    for array, tensor in zip(arrays, (train.inputs, train.targets, train.ids), strict=True):
        assert (tensor.numpy() == array).all()
