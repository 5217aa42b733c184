"""A comparison for programs and documents: JSON and CSV in full precision, Markdown rounded like the tables."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from lossrun.analysis.compare import Comparison
from lossrun.analysis.readings import Spread
from lossrun.records import strict_json
from lossrun.report.compare import measurements, remarks, verdicts
from lossrun.report.compare_tables import MARK, differences_table, headers, runs_table
from lossrun.report.text_table import Column, TextTable

_MARKUP: Final = re.compile(r"[\\*|<]|(?<!\w)_|_(?!\w)")
CSV_HEADER: Final = ("run", "label", "seed", "metric", "at", "epoch", "value")


def to_json(comparison: Comparison) -> str:
    """The whole comparison as strict JSON; non-finite numbers are the strings "nan", "inf" and "-inf"."""
    return strict_json.dumps(asdict(comparison), indent=2) + "\n"


def to_csv(comparison: Comparison) -> str:
    """One value per line: `at` is "epoch" (every epoch is there), "best" or "last"."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(_csv_rows(comparison))
    return buffer.getvalue()


def to_markdown(comparison: Comparison) -> str:
    """The tables that people see and the sentences below, as GitHub's Markdown; what is best is bold."""
    names = headers(comparison)
    tables = [runs_table(comparison)]
    if comparison.differences:
        tables.append(differences_table(comparison, names))
    tables += measurements(comparison, names, "±")
    sentences = (
        *(f"not comparable: {reason}" for reason in comparison.reasons),
        *verdicts(comparison),
        *remarks(comparison),
        *comparison.refusals,
        *comparison.notes,
        *comparison.warnings,
    )
    parts = [_markdown_table(table) for table in tables]
    if sentences:
        parts.append("".join(f"- {_escaped(sentence)}\n" for sentence in sentences))
    return "\n".join(parts)


def _csv_rows(comparison: Comparison) -> Iterator[tuple[object, ...]]:
    for index, run in enumerate(comparison.runs):
        for yardstick in comparison.yardsticks:
            for at, measured in (("best", yardstick.at_best), ("last", yardstick.at_last)):
                for seed, value in _per_seed(measured.values[index]):
                    epoch = run.best_epochs.get(seed, "") if at == "best" else run.last_epochs.get(seed, "")
                    yield run.name, run.label, seed, yardstick.name, at, epoch, repr(value)
        for curve in comparison.curves:
            for epoch, values in curve.rows.items():
                for seed, value in _per_seed(values[index]):
                    yield run.name, run.label, seed, curve.name, "epoch", epoch, repr(value)


def _per_seed(spread: Spread | None) -> list[tuple[int, float]]:
    return list(spread.per_seed.items()) if spread else []


def _markdown_table(table: TextTable) -> str:
    columns = (table.key, *table.columns)
    lines = [
        f"**{_escaped(table.title)}**\n",
        _markdown_row([_escaped(column.header.replace("\n", " ")) for column in columns]),
        "|" + "".join(" ---: |" if column.right else " --- |" for column in columns),
        *(_markdown_row([_markdown_cell(column, row) for column in columns]) for row in range(len(table.key.cells))),
    ]
    if table.note:
        mark = MARK.strip()
        note = _escaped(table.note.removeprefix(mark))
        lines.append(f"\n**bold**:{note}" if table.note.startswith(mark) else f"\n{note}")
    return "\n".join(lines) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(column: Column, row: int) -> str:
    text = _escaped(column.cells[row].removesuffix(MARK).strip())
    return f"**{text}**" if row in column.emphasis else text


def _escaped(text: str) -> str:
    """What would be read as markup. Underscores and hyphens within a word, and brackets without a link, are not."""
    return _MARKUP.sub(r"\\\g<0>", text)
