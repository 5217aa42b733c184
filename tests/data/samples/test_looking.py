"""What is found by looking at all samples, block by block, against a plain computation of all at once."""

import numpy as np
import pytest

from lossrun.data.samples.dataset import Part, Scaling
from lossrun.data.samples.input_scale import input_scale
from lossrun.data.samples.repeated import repeated_samples

RANDOM = np.random.default_rng(0)
# More numbers than are looked at in one go, 2^20.
MANY = 300_000


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        # Rows of 20, 24 and 21 bytes: with and without a whole number of words of 8 bytes.
        (RANDOM.normal(size=(MANY, 4)).astype(np.float32), RANDOM.normal(size=(MANY, 1)).astype(np.float32)),
        (RANDOM.normal(size=(400, 3)), RANDOM.integers(0, 2, 400)),
        (RANDOM.integers(0, 256, (400, 1, 3, 3), np.uint8), RANDOM.integers(0, 2, (400, 3)).astype(np.float32)),
        # Small whole numbers differ in a few bits of a float only.
        (RANDOM.integers(0, 16, (4096, 6)).astype(np.float32), np.zeros((4096, 1))),
    ],
)
def test_as_many_samples_are_repeated_as_a_set_of_rows_finds(inputs: np.ndarray, targets: np.ndarray) -> None:
    half = len(inputs) // 2
    train = Part(inputs[:half], targets[:half], np.arange(half))
    rows = np.r_[0:half:3, half : len(inputs) : 2, 5, 5, 5]
    held_out = Part(inputs[rows], targets[rows], np.arange(len(rows)))

    def keys(part: Part) -> list[bytes]:
        return [row.tobytes() + target.tobytes() for row, target in zip(part.inputs, part.targets, strict=True)]

    known = set(keys(train))
    expected = sum(key in known for key in keys(held_out))
    assert expected >= half // 3
    assert repeated_samples(train, {"test": held_out}) == {"test": expected}


@pytest.mark.parametrize("images", [False, True])
def test_the_scale_of_inputs_is_that_of_all_of_them_together(images: bool) -> None:
    inputs = RANDOM.normal([0.0, 5.0, -1e6, 3.0], [1.0, 2.0, 10.0, 0.0], (MANY, 4)).astype(np.float32)
    if images:
        inputs = inputs.reshape(-1, 1, 2, 2)
    table = inputs.reshape(-1, 1 if images else 4).astype(np.float64)
    scaling = Scaling(np.array(1.0), np.array(2.0))
    found = input_scale(inputs, scaling, ())
    table = (table - 1.0) / 2.0
    assert (found.low, found.high) == (table.min(), table.max())
    widths = table.max(axis=0) - table.min(axis=0)
    assert (found.narrowest, found.widest) == (widths[widths > 0].min(), widths.max())
    offsets = np.abs(table.mean(axis=0))[widths > 0] / table.std(axis=0)[widths > 0]
    assert found.offset == pytest.approx(offsets.max(), rel=1e-9)
