import numpy as np
import pytest

from lossrun.catalog.data_facts import TargetScale
from lossrun.data.samples.target_scale import target_scale


def test_of_all_parts_together() -> None:
    parts = [np.array([[3.0, 10.0], [-4.0, 10.0]]), np.array([[0.5, 30.0]])]
    found = target_scale(parts)
    assert (found.low, found.high, found.least, found.whole) == (-4.0, 30.0, 0.5, False)
    assert found.mean == pytest.approx((3 + 4 + 0.5 + 50) / 6)
    # numpy's standard deviation and root mean square of each column.
    columns = np.concatenate(parts)
    assert found.spreads == pytest.approx(tuple(columns.std(axis=0)))
    assert found.sizes == pytest.approx(tuple(np.sqrt((columns**2).mean(axis=0))))


def test_columns_that_do_not_vary_have_no_spread() -> None:
    assert target_scale([np.array([[1.0, 0.0], [1.0, 4.0]])]).spreads == (2.0, 2.0)
    sevens = TargetScale(7.0, 7.0, 7.0, 7.0, True, (1.0, 1.0), (7.0, 7.0), counts=(3,))
    assert target_scale([np.full((3, 1), 7.0)]) == sevens


def test_whole_numbers_of_one_column_are_counted() -> None:
    assert target_scale([np.array([[-1.0], [1.0], [1.0]])]).counts == (1, 0, 2)
    assert target_scale([np.array([[0.0], [1.5]])]).counts == ()
    assert target_scale([np.array([[0.0, 1.0], [1.0, 0.0]])]).counts == ()
    assert target_scale([np.array([[0.0], [1000.0]])]).counts == ()


def test_single_precision_does_not_blur_the_spread() -> None:
    # Two timestamps: their squares have no digit left for a spread of 5 in float32.
    stamps = np.array([[1_700_000_000.0], [1_700_000_010.0]])
    assert target_scale([stamps]).spreads == (5.0, 5.0)
