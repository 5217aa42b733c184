"""Write a comparison for programs and documents: JSON and CSV in full precision, documents rounded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.values.readings import Spread
from lossrun.report.comparison.compare import blocks
from lossrun.report.comparison.compare_tables import per_seed_rows, per_seed_table, runs_table
from lossrun.report.comparison.latex import latex
from lossrun.report.comparison.markdown import markdown
from lossrun.report.layout.for_programs import csv_text, json_text
from lossrun.report.layout.text_table import Blocks, TextTable


class DocumentFormat(NamedTuple):
    """A format of documents.

    Attributes:
        write: Writes tables and lists of sentences in their order.
        is_narrow: Whether a page is narrower than a screen. Then few runs become columns, and metrics become rows.
    """

    write: Callable[[Blocks], str]
    is_narrow: bool


DOCUMENTS: Final[Mapping[str, DocumentFormat]] = {
    "md": DocumentFormat(markdown, is_narrow=False),
    "latex": DocumentFormat(latex, is_narrow=True),
}
CSV_HEADER: Final = ("run", "label", "seed", "metric", "at", "epoch", "value")
PER_SEED_HEADER: Final = ("run", "seed", "metric", "value", "label")
MOST_COLUMNS: Final = 6  # runs that fit next to each other on a narrow page


def written(
    comparison: ComparedRuns,
    format_: str,
    *,
    curves: bool = True,
    per_seed: bool = False,
    only_table: bool = False,
    more: Blocks = (),
) -> str:
    """Write a comparison.

    Args:
        format_: `json`, `csv`, or a key of `DOCUMENTS`.
        curves: Whether documents include the losses epoch by epoch; JSON and CSV always do.
        per_seed: Whether to write only each seed's values, one in a row.
        only_table: Whether documents contain only the tables of metrics.
        more: What documents have at their end: how the runs were tuned.
    """
    if document := DOCUMENTS.get(format_):
        return document.write(_blocks(comparison, document, more, curves, per_seed, only_table))
    if format_ == "csv":
        return csv_text(PER_SEED_HEADER, _per_seed_csv_rows(comparison)) if per_seed else to_csv(comparison)
    return json_text(_per_seed_records(comparison)) if per_seed else to_json(comparison)


def written_by_dataset(
    comparisons: Mapping[str, ComparedRuns],
    format_: str,
    *,
    curves: bool = True,
    per_seed: bool = False,
    only_table: bool = False,
    more: Mapping[str, Blocks] = MappingProxyType({}),
) -> str:
    """Write the comparisons on several datasets: a document of parts, or one list in which `dataset` says which one.

    Args:
        comparisons: {dataset: the comparison of the runs on it}.
        format_: As in `written`, and so are the others, but `more` is for each dataset.
    """
    if document := DOCUMENTS.get(format_):
        found: list[TextTable | Sequence[str]] = []
        for name, one in comparisons.items():
            found += [[f"On {name}"], *_blocks(one, document, more.get(name, ()), curves, per_seed, only_table)]
        return document.write(found)
    if format_ == "csv":
        header = PER_SEED_HEADER if per_seed else CSV_HEADER
        rows = _per_seed_csv_rows if per_seed else _csv_rows
        return csv_text(("dataset", *header), ((name, *row) for name, one in comparisons.items() for row in rows(one)))
    records: list[dict[str, Any]] = []
    for name, one in comparisons.items():
        parts = _per_seed_records(one) if per_seed else [plain_data(one)]
        records += [{"dataset": name, **part} for part in parts]
    return json_text(records)


def _blocks(
    comparison: ComparedRuns, document: DocumentFormat, more: Blocks, curves: bool, per_seed: bool, only_table: bool
) -> Blocks:
    if per_seed:
        return [runs_table(comparison), per_seed_table(comparison)]
    upright = document.is_narrow and len(comparison.runs) <= MOST_COLUMNS
    found = blocks(comparison, curves=curves, upright=upright, only_table=only_table)
    return found if only_table else [*found, *more]


def to_json(comparison: ComparedRuns) -> str:
    """Write the whole comparison as strict JSON; NaN and infinity are the strings "nan", "inf", and "-inf"."""
    return json_text(plain_data(comparison))


def plain_data(value: Any) -> Any:
    """Return `value` with dataclasses and mappings as dicts, and sequences as lists.

    Unlike `dataclasses.asdict` it takes any mapping, also one that computes its values when they are asked for, and
    copies nothing else.
    """
    if is_dataclass(value):
        return {field.name: plain_data(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(one) for one in value]
    return value


def to_csv(comparison: ComparedRuns) -> str:
    """Write one value in a line.

    The column `at` says when the value was measured:

    - "epoch": at every epoch,
    - "best", "last": at the seed's best or last epoch,
    - "given": at the epoch that the comparison was asked for by number,
    - "target": how soon a seed reached the target (`value` in epochs, or in seconds of one seed that `seeds_at_once`
      seeds share, empty if unknown), and the mean height of its curve.
    """
    return csv_text(CSV_HEADER, _csv_rows(comparison))


def _per_seed_records(comparison: ComparedRuns) -> list[dict[str, Any]]:
    return [dict(zip(PER_SEED_HEADER, row, strict=True)) for row in per_seed_rows(comparison)]


def _per_seed_csv_rows(comparison: ComparedRuns) -> Iterator[tuple[object, ...]]:
    return ((*row[:3], repr(row[3]), row[4]) for row in per_seed_rows(comparison))


def _csv_rows(comparison: ComparedRuns) -> Iterator[tuple[object, ...]]:
    for index, run in enumerate(comparison.runs):
        for rows in (_metric_rows, _target_rows, _curve_rows):
            for row in rows(comparison, index):
                yield run.name, run.label, *row


def _metric_rows(comparison: ComparedRuns, index: int) -> Iterator[tuple[object, ...]]:
    run = comparison.runs[index]
    for metric in comparison.metrics:
        moments = [("best", metric.at_best, run.best_epochs), ("last", metric.at_last, run.last_epochs)]
        if isinstance(comparison.at, int):
            moments.append(("given", metric.measured, dict.fromkeys(run.seeds, comparison.at)))
        for at, measured, epochs in moments:
            for seed, value in _per_seed(measured.values[index]):
                yield seed, metric.name, at, epochs.get(seed, ""), repr(value)


def _target_rows(comparison: ComparedRuns, index: int) -> Iterator[tuple[object, ...]]:
    if not comparison.target:
        return
    reached = comparison.target.runs[index]
    first = reached.epochs.per_seed if reached.epochs else {}
    for name, spread in (
        ("epochs_to_target", reached.epochs),
        ("seconds_to_target", reached.seconds),
        ("mean_height", reached.area),
    ):
        for seed, value in _per_seed(spread):
            yield seed, name, "target", first.get(seed, ""), repr(value)
    for seed, epoch in first.items():
        yield seed, "seeds_at_once", "target", epoch, "" if reached.at_once is None else reached.at_once


def _curve_rows(comparison: ComparedRuns, index: int) -> Iterator[tuple[object, ...]]:
    for curve in comparison.curves:
        for epoch, values in curve.rows.items():
            for seed, value in _per_seed(values[index]):
                yield seed, curve.name, "epoch", epoch, repr(value)


def _per_seed(spread: Spread | None) -> list[tuple[int, float]]:
    return list(spread.per_seed.items()) if spread else []
