"""Read what a sweep block says under `tune`: how the values of a pair are chosen."""

from collections.abc import Mapping
from typing import Any

from lossrun.catalog.metric_names import bare, goal
from lossrun.sweeping.search_space.axis import MOST_POINTS, RefuseAxis
from lossrun.sweeping.search_space.space import Tuning


def read_tuning(value: Any, refuse: RefuseAxis) -> Tuning | None:
    """Return how values are chosen; None if `refuse` was told what is wrong.

    `value`: what is under `tune`, or None if nothing is; not false.
    """
    given = {"metric": value} if isinstance(value, str) else {} if value is None or value is True else value
    names = ("metric", "seeds", "repeats")
    expected = "expected {metric: val_accuracy, seeds: 2, repeats: 1}, or false for a plain grid"
    if not isinstance(given, Mapping):
        refuse(expected)
        return None
    if unknown := [str(name) for name in given if name not in names]:
        refuse(f"there is no {unknown[0]} in tune; {expected}", unknown[0], at_key=True)
        return None
    metric, repeats = given.get("metric"), given.get("repeats", 1)
    seeds = given.get("seeds", 2 if repeats == 1 else 1)
    if metric is not None and not isinstance(metric, str):
        refuse("expected the name of a metric on validation data, such as val_rmse", "metric")
    for name, count in (("seeds", seeds), ("repeats", repeats)):
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_POINTS:
            what = "; lossrun takes seeds that the final runs do not use" if isinstance(count, list) else ""
            refuse(f"expected an integer from 1 to {MOST_POINTS}{what}", name)
            return None
    if isinstance(metric, str) and not metric.startswith("val_") and metric != "auto":
        meant = f"did you mean val_{bare(metric)}?" if goal(metric) else "expected val_..."
        refuse(f"{metric} is not measured on validation data; {meant}", "metric")
    return Tuning(metric if metric != "auto" else None, int(seeds), int(repeats))
