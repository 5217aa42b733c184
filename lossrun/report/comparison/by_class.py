"""Make a table of classes: the number of samples of each, and its metrics."""

import math

from lossrun.analysis.values.class_values import ClassValues
from lossrun.analysis.values.readings import Spread
from lossrun.report.layout.numbers import format_number, format_spread
from lossrun.report.layout.text_table import Column, TextTable


def class_table(found: ClassValues, sign: str, title: str) -> TextTable:
    """Make a table with a row for each class; values are means and deviations over the seeds."""
    columns = tuple(
        Column(name, tuple(cell(name, value, sign) for value in values)) for name, values in found.values.items()
    )
    return TextTable(title, Column("class", found.classes, right=False), columns)


def cell(name: str, value: Spread | None, sign: str) -> str:
    """Write a value of a class; a dash for no value, such as the auc of a class without samples."""
    if value is None or math.isnan(value.mean):
        return "-"
    if name == "samples":
        return format_number(value.mean, 6) if value.mean % 1 else f"{value.mean:.0f}"
    return format_spread(value, sign)
