import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.catalog.lookup import COMPONENTS
from lossrun.components.losses.curves import LossPicture
from lossrun.report.manual.figures import loss_figure, rate_figure

XS = tuple(place / 10 for place in range(-30, 31))


PICTURE = LossPicture(
    "mse",
    "error e = output - target",
    ((0.01, 1e-4, 0.02), (100.0, 1e4, -1e-17)),
    (("mse", XS, tuple(x * x for x in XS)), ("mae", XS, tuple(map(abs, XS)))),
    (0.0, 4.0),
)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.-]+) ([\d.-]+)", path)]


def test_a_loss_is_drawn_beside_its_neighbours_with_a_table():
    figure = loss_figure(PICTURE)
    (mae, mse) = re.findall(r'<path d="M([^"]+)" class="line (c\d) d\d">', figure)
    assert (mae[1], mse[1]) == ("c1", "c0")  # the loss itself lies on top
    # Straight lines need their ends and the corner alone.
    assert len(points(mae[0])) == 3
    assert len(points(mse[0])) > 20
    assert "<td>10000</td><td>0.000</td>" in figure
    assert re.findall(r'class="name">([^<]+)<', figure) == ["mse", "mae"]


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60))
def test_the_line_drawn_keeps_to_the_values(values):
    xs = [float(place) for place in range(len(values))]
    figure = rate_figure("any", [("any", xs, values)])
    drawn = points(re.search(r'<path d="M([^"]+)"', figure)[1])
    assert drawn[0][0] == 0
    assert drawn[-1][0] == pytest.approx(390, abs=0.1)  # the frame is that wide
    assert all(before[0] < after[0] for before, after in pairwise(drawn))


def test_every_loss_and_every_schedule_that_does_not_wait_for_results_is_drawn(curves, page):
    assert {name for name, found in curves.losses.items() if found} == {loss.name for loss in COMPONENTS["loss"]}
    for name, found in curves.losses.items():
        for picture in found:
            assert loss_figure(picture) in page, name
    for name, found in curves.schedules.items():
        assert bool(found) == (name != "reduce_on_plateau")
        assert not found or rate_figure(name, found) in page
