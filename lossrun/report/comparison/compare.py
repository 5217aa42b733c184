"""Print a comparison: what differs, which run is better, how sure that is, and the numbers behind it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.console import Console

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.report.comparison.compare_tables import (
    differences_table,
    epochs_table,
    headers,
    letters,
    per_seed_table,
    runs_table,
    target_table,
)
from lossrun.report.comparison.leaderboard import MANY, print_leaderboard
from lossrun.report.comparison.matrix import matrices
from lossrun.report.comparison.plan import plan_commands, plan_sentences, plans_table
from lossrun.report.comparison.verdicts import sentences, summary, verdicts_table
from lossrun.report.layout.console import is_bounded, note, plus_minus, warning
from lossrun.report.layout.text_table import TextTable, print_line, print_pairs, print_table
from lossrun.report.reference.names_in_brackets import where_to_read

MOST_EPOCHS: Final = 20  # rows of the epoch table
WIDEST_HEADER: Final = 24  # characters of a run's label above a column of a document


def print_comparison(
    comparison: ComparedRuns, console: Console, *, curves: bool = True, hint: str = "", everything: bool = True
) -> None:
    """Print a comparison, with tables no wider than the terminal.

    Columns are headed by the runs' labels if the whole table then fits, otherwise by their letters. Many runs open with
    a leaderboard.

    Args:
        everything: Whether to print the tables behind the leaderboard of many runs too.
        curves: Whether to print the losses epoch by epoch too.
        hint: A note to print if there are curves to see.
    """
    sign = plus_minus(console)
    if comparison.plans:
        _print_plan(console, comparison)
        return
    if len(comparison.runs) > MANY:
        print_leaderboard(comparison, console, sign)
        print_line(console, "")
    if len(comparison.runs) > MANY and not everything:
        _print_overview(console, comparison, hint=hint if comparison.curves else "")
        return
    _print_runs(console, comparison)
    if comparison.differences:
        print_line(console, "")
        _print_differences(console, comparison)
    _print_verdicts(console, comparison)
    for table in _matrices(console, comparison, sign):
        print_line(console, "")
        print_table(console, table)
    for table in _named(console, comparison, lambda names: _further(comparison, names, sign, curves=curves)):
        print_line(console, "")
        print_table(console, table)
    hint = hint if comparison.curves else ""
    if any((comparison.refusals, comparison.notes, comparison.warnings, hint)):
        print_line(console, "")
    for sentence in (*comparison.refusals, *comparison.notes):
        note(console, sentence)
    if hint:
        note(console, hint)
    for sentence in comparison.warnings:
        warning(console, sentence)


def _print_plan(console: Console, comparison: ComparedRuns) -> None:
    _print_runs(console, comparison)
    print_line(console, "")
    print_table(console, plans_table(comparison))
    for sentence in (*plan_sentences(comparison), *comparison.notes):
        note(console, sentence)
    for command in plan_commands(comparison):
        print_line(console, command)


def _print_overview(console: Console, comparison: ComparedRuns, *, hint: str) -> None:
    """Print what goes with the leaderboard of many runs: where they are, which are better, and what to keep in mind."""
    print_table(console, runs_table(comparison, labels=False, directories=False))
    print_pairs(console, [(run.letter, "\n".join(run.members)) for run in comparison.runs])
    for remark in remarks(comparison):
        note(console, remark)
    for sentence in comparison.reasons:
        warning(console, f"not comparable: {sentence}")
    for sentence in summary(comparison):
        print_line(console, sentence)
    for sentence in comparison.notes:
        note(console, sentence)
    note(console, "--all shows every metric, the intervals and the differences of the configs")
    if hint:
        note(console, hint)
    for sentence in comparison.warnings:
        warning(console, sentence)


def print_per_seed(comparison: ComparedRuns, console: Console) -> None:
    """Print every metric of every seed, one value in a row."""
    _print_runs(console, comparison)
    print_line(console, "")
    print_table(console, per_seed_table(comparison))


def print_metrics(comparison: ComparedRuns, console: Console) -> None:
    """Print only the tables of metrics, with the runs' labels: data for a report."""
    names, sign = [run.label for run in comparison.runs], plus_minus(console)
    for number, (long, upright) in enumerate(
        zip(matrices(comparison, names, sign), matrices(comparison, names, sign, upright=True), strict=True)
    ):
        if number:
            print_line(console, "")
        fits = not is_bounded(console) or long.width <= console.width
        print_table(console, long if fits else upright)


def blocks(
    comparison: ComparedRuns, *, curves: bool, upright: bool = False, only_table: bool = False
) -> list[TextTable | list[str]]:
    """Return the whole comparison for a document: tables and lists of sentences, in the order of the screen.

    Args:
        curves: Whether to include the losses epoch by epoch.
        upright: Whether metrics are rows and runs are columns.
        only_table: Whether to return only the tables of metrics.
    """
    if only_table:
        return [*matrices(comparison, [run.label for run in comparison.runs], "±", upright=upright)]
    if comparison.plans:
        return [runs_table(comparison), plans_table(comparison), [*plan_sentences(comparison), *comparison.notes]]
    # The table of the runs, which comes first, says what the letters mean.
    names, sign = headers(comparison), "±"
    names = names if max(map(len, names)) <= WIDEST_HEADER else letters(comparison)
    many = verdicts_table(comparison)
    found: list[TextTable | list[str]] = [
        runs_table(comparison),
        remarks(comparison),
        *([differences_table(comparison, names)] if comparison.differences else []),
        [f"not comparable: {reason}" for reason in comparison.reasons],
        *([many] if many else []),
        sentences(comparison),
        *matrices(comparison, names, sign, upright=upright),
        *_further(comparison, names, sign, curves=curves),
        [*comparison.refusals, *comparison.notes, *comparison.warnings],
    ]
    return [block for block in found if block]


def remarks(comparison: ComparedRuns) -> list[str]:
    """Return what to keep in mind about single runs, with their letters."""
    return [f"{run.letter}: {remark}" for run in comparison.runs for remark in run.remarks]


def _print_runs(console: Console, comparison: ComparedRuns) -> None:
    """Print the legend. What does not fit into the table follows below it: directories, and labels if needed."""

    def fits(table: TextTable) -> bool:
        return not is_bounded(console) or table.width <= console.width

    if fits(table := runs_table(comparison)):
        print_table(console, table)
    elif fits(table := runs_table(comparison, directories=False)):
        print_table(console, table)
        print_pairs(console, [(run.letter, "\n".join(run.members)) for run in comparison.runs])
    else:
        print_table(console, runs_table(comparison, labels=False, directories=False))
        print_pairs(
            console, [(run.letter, "\n".join(dict.fromkeys((run.label, *run.members)))) for run in comparison.runs]
        )
    for remark in remarks(comparison):
        note(console, remark)
    if more := where_to_read(remarks(comparison)):
        note(console, more)


def _print_differences(console: Console, comparison: ComparedRuns) -> None:
    """Print the differences as a table, or as a list if the values are too long."""
    (table,) = _named(console, comparison, lambda names: [differences_table(comparison, names)])
    if not is_bounded(console) or table.width <= console.width:
        print_table(console, table)
        return
    print_line(console, table.title, style="bold")
    for difference in comparison.differences:
        print_line(console, difference.key)
        same: dict[str, list[str]] = {}
        for letter, value in zip(letters(comparison), difference.values, strict=True):
            same.setdefault(value, []).append(letter)
        print_pairs(console, [(", ".join(found), value) for value, found in same.items()], indent=2)


def _named(
    console: Console, comparison: ComparedRuns, build: Callable[[Sequence[str]], list[TextTable]]
) -> Iterator[TextTable]:
    """Yield each table with labels as headers if it fits, otherwise with letters."""
    for long, short in zip(build(headers(comparison)), build(letters(comparison)), strict=True):
        yield long if not is_bounded(console) or long.width <= console.width else short


def _print_verdicts(console: Console, comparison: ComparedRuns) -> None:
    found = sentences(comparison)
    if found or comparison.reasons:
        print_line(console, "")
    for sentence in comparison.reasons:
        warning(console, f"not comparable: {sentence}")
    if table := verdicts_table(comparison):
        print_table(console, table)
    for sentence in found:
        print_line(console, sentence)


def _matrices(console: Console, comparison: ComparedRuns, sign: str) -> Iterator[TextTable]:
    """Yield each matrix with runs as rows if it fits, otherwise with metrics as rows, which can be stacked."""
    long, short = headers(comparison), letters(comparison)
    shapes = [
        matrices(comparison, names, sign, upright=upright) for upright in (False, True) for names in (long, short)
    ]
    for each in zip(*shapes, strict=True):
        yield next((table for table in each if not is_bounded(console) or table.width <= console.width), each[-1])


def _further(comparison: ComparedRuns, names: Sequence[str], sign: str, *, curves: bool) -> list[TextTable]:
    tables = [target_table(comparison, names, sign)] if comparison.target else []
    return [*tables, epochs_table(comparison, names, sign, MOST_EPOCHS)] if curves and comparison.curves else tables
