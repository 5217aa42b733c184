import numpy as np
import pytest

from lossrun.data.dataset import _BLOCK, Part


@pytest.mark.parametrize("samples", [7, _BLOCK, 2 * _BLOCK + 5])
@pytest.mark.parametrize("held_out", [0.0, 0.1, 0.9])
def test_parts_in_the_memory_of_the_whole_hold_what_copies_would(samples: int, held_out: float) -> None:
    draw = np.random.default_rng(samples)
    whole = Part(
        draw.random((samples, 2, 3), dtype=np.float32), draw.integers(0, 9, samples), np.arange(samples, dtype=np.int64)
    )
    places = draw.choice(3, size=samples, p=[1 - held_out, held_out / 2, held_out / 2])
    indices = [np.flatnonzero(places == number) for number in range(3)]
    copies = [whole.rows(index) for index in indices]
    memory = whole.inputs
    for part, copied in zip(whole.sorted_into(indices), copies, strict=True):
        np.testing.assert_array_equal(part.inputs, copied.inputs)
        np.testing.assert_array_equal(part.targets, copied.targets)
        np.testing.assert_array_equal(part.ids, copied.ids)
        assert not len(part) or np.shares_memory(part.inputs, memory)
