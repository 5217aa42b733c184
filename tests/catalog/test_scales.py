"""Which losses say something about which targets."""

import numpy as np
import pytest

from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import SCALES, unsuitable_metrics
from lossrun.data.samples.target_scale import target_scale

DRAW = np.random.default_rng(0)
# What people have -> the losses that are left out.
TARGETS = {
    "standardized": (DRAW.normal(size=500), {"poisson_nll", "mape", "msle"}),
    "house prices in euros": (DRAW.lognormal(12.3, 0.4, size=500), {"huber", "smooth_l1", "log_cosh", "poisson_nll"}),
    "house prices in whole euros": (
        np.round(DRAW.lognormal(12.3, 0.4, size=500)),
        {"huber", "smooth_l1", "log_cosh", "poisson_nll"},
    ),
    "counts": (DRAW.poisson(3.0, size=500), {"mape"}),
    "counts without 0": (DRAW.poisson(3.0, size=500) + 1, set()),
    "hourly counts": (DRAW.poisson(200.0, size=500), {"huber", "smooth_l1", "log_cosh"}),
    "shares": (DRAW.uniform(0.05, 0.95, size=500), {"poisson_nll", "msle"}),
    "degrees": (DRAW.normal(12, 8, size=500), {"poisson_nll", "mape", "msle"}),
    "millimetres in metres": (
        DRAW.uniform(0.001, 0.004, size=500),
        {"huber", "smooth_l1", "log_cosh", "poisson_nll", "msle"},
    ),
    "two of one unit": (DRAW.uniform(3, 9, size=(500, 2)), {"poisson_nll"}),
    "price and rooms": (
        np.stack([DRAW.lognormal(12.3, 0.4, size=500), DRAW.integers(1, 8, size=500)], axis=1),
        {"huber", "smooth_l1", "log_cosh", "poisson_nll", "mape", "cosine_similarity"},
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_means_nothing_on_the_data_is_left_out(name: str) -> None:
    values, left_out = TARGETS[name]
    targets = np.asarray(values, float)
    targets = targets[:, None] if targets.ndim == 1 else targets
    assert unsuitable_metrics(target_scale([targets])) == left_out


def test_what_the_config_asks_for_is_never_left_out() -> None:
    prices = target_scale([np.array([[100_000.0], [350_000.0]])])
    assert "huber" in unsuitable_metrics(prices)
    assert "huber" not in unsuitable_metrics(prices, {"huber"})
    assert unsuitable_metrics(None) == frozenset()


def test_whoever_has_a_threshold_in_target_units_says_so() -> None:
    """A parameter in target units, or a number of target units in the formula, is a scale."""
    for loss in LOSSES:
        in_units = [p for p in loss.parameters if getattr(p, "unit", "") == "target units"]
        if in_units and loss.metric:
            assert loss.scale != "any", loss.name
    assert {loss.scale for loss in LOSSES} == SCALES.keys()
