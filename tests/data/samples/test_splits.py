import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.catalog import Task
from lossrun.data.samples.splits import draw, drawn_sizes, fold_of, part_size
from lossrun.data.samples.streams import DataStream
from lossrun.errors import DataError

labels = st.lists(st.integers(0, 3), min_size=2, max_size=60)


@given(labels, st.data(), st.sampled_from(["multiclass", "regression"]))
def test_a_draw_is_of_exact_size(targets: list[int], data: st.DataObject, task: Task) -> None:
    size = data.draw(st.integers(0, len(targets) - 1))
    drawn = draw(np.array(targets), size, task, 0, DataStream.TEST_SPLIT)
    assert drawn.shape == (len(targets),)
    assert drawn.sum() == size


@given(labels, st.data())
def test_every_class_is_held_out_in_proportion(targets: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(targets) - 1))
    drawn = np.array(targets)[draw(np.array(targets), size, "multiclass", 0, DataStream.TEST_SPLIT)]
    for value in set(targets):
        proportion = targets.count(value) * size / len(targets)
        assert abs(int((drawn == value).sum()) - proportion) < 1


def test_largest_remainders_get_the_rest() -> None:
    # 5, 3 and 2 of 10, 4 of them drawn: 2, 1.2 and 0.8, so the last class gets the odd one.
    targets = np.array([0] * 5 + [1] * 3 + [2] * 2)
    drawn = targets[draw(targets, 4, "multiclass", 0, DataStream.TEST_SPLIT)]
    assert np.bincount(drawn).tolist() == [2, 1, 1]


def test_another_seed_and_another_purpose_draw_others() -> None:
    draws = [
        draw(np.zeros(100), 50, "regression", seed, purpose)
        for seed, purpose in [(0, DataStream.TEST_SPLIT), (1, DataStream.TEST_SPLIT), (0, DataStream.VALIDATION_SPLIT)]
    ]
    assert len({drawn.tobytes() for drawn in draws}) == 3


@pytest.mark.parametrize(("asked", "size"), [(0, 0), (0.0, 0), (3, 3), (0.1, 2), (0.01, 1), (0.5, 10)])
def test_a_count_or_a_share(asked: float, size: int) -> None:
    assert part_size(asked, 20, "validation") == size


@pytest.mark.parametrize(("asked", "complaint"), [(20, "nothing to train on"), (0.99, "nothing"), (1.0, "not a share")])
def test_impossible_sizes_are_refused(asked: float, complaint: str) -> None:
    with pytest.raises(DataError, match=f"dataset.validation: {asked}.*{complaint}"):
        part_size(asked, 20, "validation")


def test_validation_is_a_share_of_what_the_test_set_leaves() -> None:
    assert drawn_sizes({"test": 0.5, "validation": 0.5}, 100, own_test=False) == (50, 25)
    assert drawn_sizes({"test": "official", "validation": 0.5}, 100, own_test=True) == (0, 50)
    with pytest.raises(DataError, match="no official test set"):
        drawn_sizes({"test": "official", "validation": 0}, 100, own_test=False)


@given(labels, st.data(), st.sampled_from(["multiclass", "regression"]))
def test_folds_are_even_and_so_is_every_class(targets: list[int], data: st.DataObject, task: Task) -> None:
    folds = data.draw(st.integers(2, len(targets)))
    found = fold_of(np.array(targets), folds, task, 0)
    sizes = np.bincount(found, minlength=folds)
    assert sizes.sum() == len(targets)
    assert sizes.max() - sizes.min() <= 1
    if task == "multiclass":
        for value in set(targets):
            of_class = np.bincount(found[np.array(targets) == value], minlength=folds)
            assert of_class.max() - of_class.min() <= 1


def test_more_folds_than_samples_are_refused() -> None:
    with pytest.raises(DataError, match="folds: 11, but there are only 10 samples"):
        fold_of(np.zeros(10), 11, "regression", 0)
