import numpy as np
import pytest

from lossrun.data.samples.dataset import BLOCK, Part, class_amounts


@pytest.mark.parametrize("samples", [7, BLOCK, 2 * BLOCK + 5])
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


@pytest.mark.parametrize(
    ("task", "targets", "weights", "expected"),
    [
        ("multiclass", [0, 1, 1, 3], None, ([1, 2, 0, 1], 4)),
        ("multiclass", [0, 1, 1, 3], [0.5, 1, 2, 0], ([0.5, 3, 0, 0], 3.5)),
        ("binary", [[0], [1], [1], [1]], [0.5, 1, 2, 0], ([0.5, 3], 3.5)),
        ("multilabel", [[0, 1], [1, 1], [1, 0], [0, 0]], [0.5, 1, 2, 0], ([3, 1.5], 3.5)),
        ("multilabel", [[0, 1], [1, 1], [1, 0], [0, 0]], None, ([2, 2], 4)),
    ],
)
def test_samples_of_a_class_count_by_their_weights(task, targets, weights, expected):
    given = np.array(targets, np.int64 if task == "multiclass" else np.float32)
    part = Part(np.zeros((4, 1), np.float32), given, np.arange(4), None if weights is None else np.array(weights))
    assert class_amounts(part, task, 4 if task == "multiclass" else given.shape[1]) == expected
