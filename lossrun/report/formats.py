"""A comparison for programs and documents: JSON and CSV in full precision, Markdown rounded like the tables."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict

from lossrun.analysis.compare import Comparison
from lossrun.analysis.readings import Spread
from lossrun.records import strict_json
from lossrun.report.compare import runs_table, tables, verdicts
from lossrun.report.text_table import TextTable

CSV_HEADER = ("run", "label", "seed", "metric", "at", "epoch", "value")


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
    """The tables that people see, every epoch of them, and the sentences below."""
    parts = [_markdown_table(table) for table in (runs_table(comparison), *tables(comparison, "±", None))]
    sentences = (
        *comparison.reasons,
        *verdicts(comparison),
        *(f"{run.label}: {remark}" for run in comparison.runs for remark in run.remarks),
        *comparison.refusals,
        *comparison.notes,
        *comparison.warnings,
    )
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
        _markdown_row([column.header.replace("\n", " ") for column in columns]),
        "|" + "".join(" ---: |" if column.right else " --- |" for column in columns),
        *(_markdown_row([column.cells[row].strip() for column in columns]) for row in range(len(table.key.cells))),
    ]
    if table.note:
        lines.append(f"\n{_escaped(table.note)}")
    return "\n".join(lines) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    for character in "\\|*_<>[]":
        text = text.replace(character, f"\\{character}")
    return text
