"""A comparison for people: what differs, the yardsticks, the losses epoch by epoch, and what to make of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.console import Console

from lossrun.analysis.compare import ComparedRun, Comparison
from lossrun.report.compare_tables import (
    differences_table,
    epochs_table,
    headers,
    letters,
    runs_table,
    yardsticks_tables,
)
from lossrun.report.console import note, plus_minus, warning
from lossrun.report.numbers import format_number
from lossrun.report.text_table import TextTable, print_line, print_pairs, print_table

MOST_EPOCHS: Final = 20  # rows of the epoch table


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Everything the comparison found, tables no wider than the terminal.

    Columns are headed by what differs between the runs where the whole table then fits, otherwise by their letters.
    """
    sign = plus_minus(console)
    _print_runs(console, comparison)
    if comparison.differences:
        print_line(console, "")
        _print_differences(console, comparison)
    for table in _named(console, comparison, lambda names: measurements(comparison, names, sign)):
        print_line(console, "")
        print_table(console, table)
    if any((comparison.reasons, comparison.refusals, comparison.notes, comparison.warnings, verdicts(comparison))):
        print_line(console, "")
    for sentence in comparison.reasons:
        warning(console, f"not comparable: {sentence}")
    for sentence in verdicts(comparison):
        print_line(console, sentence)
    for sentence in (*comparison.refusals, *comparison.notes):
        note(console, sentence)
    for sentence in comparison.warnings:
        warning(console, sentence)


def measurements(comparison: Comparison, names: Sequence[str], sign: str) -> list[TextTable]:
    """The tables of numbers: yardsticks, then the curves epoch by epoch. `names`: what to call each run."""
    found = yardsticks_tables(comparison, names, sign)
    return [*found, epochs_table(comparison, names, sign, MOST_EPOCHS)] if comparison.curves else found


def remarks(comparison: Comparison) -> list[str]:
    """What to keep in mind of single runs."""
    return [f"{run.letter}: {remark}" for run in comparison.runs for remark in run.remarks]


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence per primary yardstick that ranks the runs, read at each run's best epoch."""
    sentences = []
    for yardstick in comparison.yardsticks:
        measured = yardstick.at_best
        if not (yardstick.primary and measured.best):
            continue
        best = " and ".join(_called(comparison.runs[index]) for index in measured.best)
        others = ", ".join(
            f"{format_number(value.mean)} for {comparison.runs[index].letter}"
            for index, value in enumerate(measured.values)
            if value and index not in measured.best
        )
        winner = measured.values[measured.best[0]]
        assert winner is not None
        sentences.append(f"{yardstick.name} is best for {best}: {format_number(winner.mean)} against {others}")
    return sentences


def _print_runs(console: Console, comparison: Comparison) -> None:
    """The legend. What there is no room for stands below it: the directories' names, or also what differs."""

    def fits(table: TextTable) -> bool:
        return not console.is_terminal or table.width <= console.width

    if fits(table := runs_table(comparison)):
        print_table(console, table)
    elif fits(table := runs_table(comparison, directories=False)):
        print_table(console, table)
        print_pairs(console, [(run.letter, run.name) for run in comparison.runs])
    else:
        print_table(console, runs_table(comparison, labels=False, directories=False))
        print_pairs(console, [(run.letter, "\n".join(dict.fromkeys((run.label, run.name)))) for run in comparison.runs])
    for remark in remarks(comparison):
        note(console, remark)


def _print_differences(console: Console, comparison: Comparison) -> None:
    """A table, or where the values are too long for one, a list."""
    (table,) = _named(console, comparison, lambda names: [differences_table(comparison, names)])
    if not console.is_terminal or table.width <= console.width:
        print_table(console, table)
        return
    print_line(console, table.title, style="bold")
    for difference in comparison.differences:
        print_line(console, difference.key)
        alike: dict[str, list[str]] = {}
        for letter, value in zip(letters(comparison), difference.values, strict=True):
            alike.setdefault(value, []).append(letter)
        print_pairs(console, [(", ".join(found), value) for value, found in alike.items()], indent=2)


def _named(
    console: Console, comparison: Comparison, build: Callable[[Sequence[str]], list[TextTable]]
) -> Iterator[TextTable]:
    """Each table with long headers if it fits like that, else with letters."""
    for long, short in zip(build(headers(comparison)), build(letters(comparison)), strict=True):
        yield long if not console.is_terminal or long.width <= console.width else short


def _called(run: ComparedRun) -> str:
    return run.letter if run.label == run.name else f"{run.letter} ({run.label})"
