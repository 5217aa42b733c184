"""Print `evaluate`: a run's losses and metrics, for each seed and over all of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from lossrun.analysis.values.class_values import ClassValues
from lossrun.analysis.values.readings import spread
from lossrun.catalog.metric_names import better, goal
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.report.comparison.by_class import class_table
from lossrun.report.layout.console import plus_minus
from lossrun.report.layout.for_programs import json_text
from lossrun.report.layout.numbers import format_number, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table

_MOST_SEEDS: Final = 5  # for more seeds, the table shows only mean and deviation


def print_scores(
    console: Console,
    heading: str,
    seeds: Mapping[int, Mapping[str, float]],
    epochs: Mapping[int, int],
    classes: ClassValues | None,
) -> None:
    """Print a line for each metric, the primary ones first, and a line for each of several classes.

    Args:
        seeds: {seed: {metric: value}}.
        epochs: {seed: the epoch of the weights that were scored}.
    """
    names = ordered(list(dict.fromkeys(name for values in seeds.values() for name in values)))
    print_line(console, heading, style="bold")
    together = [spread({seed: values[name] for seed, values in seeds.items() if name in values}) for name in names]
    columns = [Column("better", tuple(better(goal(name)) for name in names), right=False)]
    several = len(seeds) > 1
    for seed, values in seeds.items() if len(seeds) <= _MOST_SEEDS else ():
        cells = tuple(format_number(values[name]) if name in values else "-" for name in names)
        columns.append(Column(f"seed {seed}\nepoch {epochs[seed]}" if several else f"epoch {epochs[seed]}", cells))
    if several:
        sign = plus_minus(console)
        columns.append(Column(f"mean {sign} deviation", tuple(format_spread(one, sign) for one in together)))
    print_table(console, TextTable("", Column("metric", tuple(names), right=False), tuple(columns)))
    if classes:
        print_line(console, "")
        print_table(console, class_table(classes, plus_minus(console), "By class"))


def scores_to_json(facts: Mapping[str, Any], seeds: Mapping[int, Mapping[str, float]]) -> str:
    """Write the facts, then `seeds`, `mean`, and `deviation` (empty for a single seed), in full precision."""
    names = ordered(list(dict.fromkeys(name for values in seeds.values() for name in values)))
    found = {name: spread({seed: values[name] for seed, values in seeds.items() if name in values}) for name in names}
    tree = {
        **facts,
        "seeds": {str(seed): dict(values) for seed, values in seeds.items()},
        "mean": {name: one.mean for name, one in found.items() if one},
        "deviation": {name: one.deviation for name, one in found.items() if one},
    }
    return json_text(tree)


def ordered(names: Sequence[str]) -> list[str]:
    """Sort metrics: the primary ones of the task, the configured loss, then the others in their order."""
    # Classification has an mae too, but no rmse.
    whole = [primary for primary in PRIMARY_METRICS.values() if set(primary) <= set(names)]
    first = [name for name in (*(name for primary in whole for name in primary), "loss") if name in names]
    return [*dict.fromkeys(first), *(name for name in names if name not in first)]
