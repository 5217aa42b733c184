"""Print and write comparisons, as the options of `compare` ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lossrun.arguments import Format
from lossrun.output import write_data

if TYPE_CHECKING:
    from lossrun.analysis.comparison.compare import ComparedRuns
    from lossrun.analysis.comparison.moments import Moment
    from lossrun.analysis.report_data import ReportData
    from lossrun.records.recorded import RecordedRun
    from lossrun.report.layout.text_table import Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How to show a comparison: its format, which parts of it, and where the page goes."""

    format_: Format
    curves: bool
    per_seed: bool
    only_table: bool
    everything: bool
    html: Path | None


def show_comparison(comparison: "ComparedRuns", show: Showing, more: "Blocks" = ()) -> None:
    """Print one comparison. `more`: what a document has at its end."""
    from lossrun.report.comparison import formats
    from lossrun.report.comparison.compare import print_comparison, print_metrics, print_per_seed
    from lossrun.report.layout.console import stdout

    if show.format_ is not Format.table:
        options = {"curves": show.curves, "per_seed": show.per_seed, "only_table": show.only_table}
        write_data(formats.written(comparison, show.format_.value, **options, more=more))
    elif show.only_table:
        print_metrics(comparison, stdout())
    elif show.per_seed:
        print_per_seed(comparison, stdout())
    else:
        hint = "" if show.curves else "--curves shows the losses epoch by epoch"
        print_comparison(comparison, stdout(), curves=show.curves, hint=hint, everything=show.everything)


def show_across_datasets(
    runs: "Sequence[RecordedRun]",
    *,
    metric: str | None,
    at: "Moment",
    label: Sequence[str],
    show: Showing,
    specs: dict[str, Path] | None = None,
) -> None:
    """Compare the methods of these runs over their datasets. `specs`: what the runs were called."""
    from lossrun.analysis.comparison.across_datasets import compare_across_datasets
    from lossrun.report.comparison.across_datasets import print_across_datasets, written
    from lossrun.report.layout.console import note, stderr, stdout

    found = compare_across_datasets(runs, metric, at=at, label=label, specs=specs or {})
    if show.html is not None:
        from lossrun.report.html.across_datasets import save_page

        save_page(found, show.html)
        note(stderr(), f"{show.html} written")
    if show.format_ is Format.table:
        print_across_datasets(found, stdout())
    else:
        write_data(written(found, show.format_.value))


def write_page(parts: "Sequence[ReportData]", html: Path) -> None:
    """Write the page of comparisons that are never mixed, and say so."""
    from lossrun.report.html.page import save_page
    from lossrun.report.layout.console import note, stderr

    save_page(parts, html)
    note(stderr(), f"{html} written")
