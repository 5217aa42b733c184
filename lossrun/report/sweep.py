"""Print a sweep: its plan, its progress, and what it has found."""

import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.sensitivity import HeatMap, heat_map
from lossrun.analysis.sweep_result import Board, SweepResult
from lossrun.analysis.sweeps import PairTuning, Trial, TuningResult, words
from lossrun.analysis.values.metric_names import bare
from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.comparison.compare_tables import BETTER, marked_cells
from lossrun.report.comparison.leaderboard import MANY, print_leaderboard
from lossrun.report.comparison.verdicts import sentences, summary, verdicts_table
from lossrun.report.layout.console import note, plus_minus
from lossrun.report.layout.numbers import format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table
from lossrun.report.plots.sensitivity_plot import print_sensitivity

MOST_CELLS_LISTED: Final = 60
FEW_SAMPLES: Final = 1_000  # validation data below this leave much of the choice to chance
_PHASES: Final = {"tune": "tuning", "final": "final runs"}


def print_plan(console: Console, cells: Sequence[PlannedCell], final_seeds: Sequence[int], *, tunes: bool) -> None:
    """Print the cells that would be run, one row each."""
    shown = cells[:MOST_CELLS_LISTED]
    table = TextTable(
        "",
        Column("cell", tuple(cell.directory for cell in shown), right=False),
        (
            Column("changes", tuple(words(cell.changes) for cell in shown), right=False),
            Column("seeds", tuple(_seeds(cell.config["seeds"]) for cell in shown), right=False),
        ),
    )
    print_table(console, table)
    if len(cells) > len(shown):
        print_line(console, f"... and {len(cells) - len(shown):,} more")
    runs = sum(len(cell.config["seeds"]) for cell in cells)
    total = f"{len(cells):,} cell{'s' if len(cells) > 1 else ''}, {runs:,} training{'s' if runs > 1 else ''}"
    if tunes:
        pairs = len({words(cell.pair) for cell in cells})
        more = f"then the best of each of {pairs} pair{'s' if pairs > 1 else ''} on seeds {_seeds(final_seeds)}"
        total = f"tuning: {total}; {more}"
    print_line(console, total)


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


@contextmanager
def cells_progress(
    console: Console, *, hidden: bool
) -> Iterator[tuple[Callable[[str, int], None], Callable[..., None]]]:
    """Show that a phase begins and that a cell has ended: a bar on a terminal, a line for each cell in a pipe."""
    done, phase, total = 0, "", 0
    live = console.is_terminal and not hidden
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not live) as progress:
        bar: Any = None
        counts: dict[str, int] = {}

        def begins(name: str, cells: int) -> None:
            nonlocal bar, done, phase, total
            done, phase, total = 0, _PHASES[name], cells
            counts.clear()
            if bar is not None:
                progress.remove_task(bar)
            bar = progress.add_task(phase, total=cells, counts=f"0/{cells}")

        def ended(cell: PlannedCell, ending: str, problem: str) -> None:
            nonlocal done
            done += 1
            counts[ending] = counts.get(ending, 0) + 1
            others = "".join(f", {count} {what}" for what, count in sorted(counts.items()) if what != "finished")
            progress.update(bar, completed=done, counts=f"{done}/{total}{others}")
            if hidden:
                return
            if ending == "failed":
                note(console, f"{cell.directory} failed: {problem.strip().splitlines()[-1] if problem else ''}")
            elif not live:
                print_line(console, f"{phase} {done}/{total}: {words(cell.changes)}: {ending}")

        yield begins, ended


def print_sweep(console: Console, result: SweepResult, *, everything: bool = True) -> None:
    """Print the leaderboard of the final runs, the verdicts, and how each pair was tuned.

    Args:
        everything: Whether to print the tables behind the verdicts and the curves of many pairs too.
    """
    sign = plus_minus(console)
    for board in result.boards:
        _print_board(console, board, sign, everything=everything)
        print_line(console, "")
    if result.tuning is not None:
        short = not everything and len(result.final) == len(result.tuning.pairs) > MANY and len(result.boards) == 1
        if not short:
            print_table(console, tuning_table(result.tuning, sign))
        for text in tuning_notes(result.tuning):
            note(console, text)
        print_sensitivity(console, result.tuning, names=_letters(result) if short else None)
        if found := heat_map(result.tuning):
            print_line(console, "")
            print_table(console, heat_table(found, sign))
        if short:
            note(console, "--all shows how each pair was tuned, and the intervals")
    if text := method(result):
        print_line(console, text)
    for cell, why in result.failed.items():
        note(console, f"{cell} failed: {why}")
    if result.unfinished:
        note(console, f"{result.unfinished} of {result.cells} cells are not finished")


def _letters(result: SweepResult) -> list[str]:
    """Return each pair's letter in the leaderboard: there is no room for more in the legend of many curves."""
    assert result.tuning is not None
    (board,) = result.boards
    letters = dict(zip(board.labels, string.ascii_uppercase, strict=False))
    chosen = [words(pair.chosen.cell.changes) if pair.chosen else "" for pair in result.tuning.pairs]
    return [letters.get(label, "?") for label in chosen]


def _print_board(console: Console, board: Board, sign: str, *, everything: bool) -> None:
    comparison = board.comparison
    if comparison is None:
        scores = [f"{name} {format_spread(value, sign)}" for name, value in board.scores.items()]
        print_line(console, f"{board.labels[0]}: {', '.join(scores) or 'no scores'}")
        return
    print_leaderboard(comparison, console, sign)
    for reason in comparison.reasons:
        note(console, f"not comparable: {reason}")
    if everything and (table := verdicts_table(comparison)):
        print_line(console, "")
        print_table(console, table)
    few = everything or len(comparison.runs) <= MANY
    for text in sentences(comparison) if few else summary(comparison):
        print_line(console, text)
    for text in (*comparison.refusals, *comparison.notes) if few else ():
        note(console, text)


def heat_table(found: HeatMap, sign: str) -> TextTable:
    """Make a table of the best tuning scores, one key in the rows and the other in the columns."""
    means = {
        (row, column): score.mean
        for row, scores in enumerate(found.scores)
        for column, score in enumerate(scores)
        if score is not None
    }
    best = (max if found.goal == "max" else min)(means.values(), default=None)
    columns = []
    for column, name in enumerate(found.columns):
        marked = frozenset(
            row for row in range(len(found.rows)) if best is not None and means.get((row, column)) == best
        )
        values = [scores[column] for scores in found.scores]
        columns.append(Column(name, marked_cells(values, marked, sign), emphasis=marked))
    title = f"Best {found.metric} in tuning, {BETTER[found.goal]} is better, by {found.keys[0]} and {found.keys[1]}"
    return TextTable(title, Column("", found.rows, right=False), tuple(columns))


def tuning_table(tuning: TuningResult, sign: str) -> TextTable:
    """Make a row for each pair: its best values, their score, how many were tried, and the range that works."""
    pairs = tuning.pairs
    columns = [
        Column("best", tuple(map(_best_words, pairs)), right=False),
        Column(
            f"{tuning.metric} in tuning",
            tuple(format_spread(pair.chosen.score, sign) if pair.chosen else "-" for pair in pairs),
        ),
        Column("tried", tuple(str(len(pair.trials)) for pair in pairs)),
        *(_counts(name, lost) for name, of in _LOST.items() if any(lost := [sum(map(of, p.trials)) for p in pairs])),
        Column(
            "range that works", tuple("-" if pair.decades is None else f"{pair.decades:.1f} decades" for pair in pairs)
        ),
    ]
    return TextTable("Tuning", Column("pair", tuple(map(_pair_name, pairs)), right=False), tuple(columns))


def _best_words(pair: PairTuning) -> str:
    if pair.chosen is None:
        return "-"
    made = [choice for choice in pair.choices if choice is not None]
    often = f" ({made.count(pair.chosen)} of {len(made)})" if len(pair.choices) > 1 else ""
    return words(pair.chosen.values) + often


# Tuning runs without a score, and why.
_LOST: Final[dict[str, Callable[[Trial], bool]]] = {
    "diverged": lambda trial: trial.diverged,
    "without a score": lambda trial: trial.score is None and trial.ended and not trial.diverged,
    "not finished": lambda trial: not trial.ended,
}


def _counts(name: str, counts: Sequence[int]) -> Column:
    return Column(name, tuple("-" if not count else str(count) for count in counts))


def _pair_name(pair: PairTuning) -> str:
    return words(pair.pair) or "base config"


def tuning_notes(tuning: TuningResult) -> list[str]:
    """Return what to keep in mind about the choices."""
    edges: dict[str, list[str]] = {}
    for pair in tuning.pairs:
        for key in pair.on_edge:
            edges.setdefault(key, []).append(_pair_name(pair))
    texts = [
        f"the best {key} of {', '.join(names)} is the smallest or largest one tried; a wider range may do better"
        for key, names in edges.items()
    ]
    if tuning.validation is not None and tuning.validation < FEW_SAMPLES and tuning.repeats == 1:
        texts.append(
            f"{tuning.validation} validation samples chose these values; another tuning may choose otherwise, and the "
            f"verdicts are about these ones (from {FEW_SAMPLES:,} samples on, chance matters little)"
        )
    lost = [_pair_name(pair) for pair in tuning.pairs if pair.chosen is None and all(one.ended for one in pair.trials)]
    if lost:
        texts.append(
            f"no run of {', '.join(lost)} ended with a finite score, so "
            f"{'it is' if len(lost) == 1 else 'they are'} not in the leaderboard"
        )
    return texts


def method(result: SweepResult) -> str:
    """Return the sentence that a paper needs: how each pair was tuned, and what was compared."""
    if result.tuning is None or not result.final:
        return ""
    tuning = result.tuning
    tried = {len(pair.trials) for pair in tuning.pairs}
    seeds = {len(trial.cell.config["seeds"]) // tuning.repeats for pair in tuning.pairs for trial in pair.trials}
    comparisons = [board.comparison for board in result.boards if board.comparison is not None]
    fresh = len(comparisons[0].runs[0].seeds) if comparisons else len(result.final[0].seeds)
    keys = ", ".join(dict.fromkeys(key for pair in tuning.pairs for trial in pair.trials for key in trial.values))
    metric = bare(tuning.metric).replace("_", " ")
    number, plural = max(tried), "s" if max(tried) != 1 else ""
    over = f"{max(seeds)} seed{'s' if max(seeds) != 1 else ''}"
    compared = ", which are compared" if comparisons else ""
    against = "; each is compared with A, which had the best score in tuning" if _several(comparisons) else ""
    if tuning.repeats > 1:
        return (
            f"each pair was tuned {tuning.repeats} times, each time over {number} value{plural} of {keys} on {over} of "
            f"its own, by validation {metric}; the best value of each time was then trained on one other seed; all "
            f"{tuning.repeats} seeds of each pair are compared, so that the comparison includes the tuning{against}"
        )
    return (
        f"each pair was tuned over {number} value{plural} of {keys} on {over}, by validation {metric}; "
        f"the best value of each was then trained on {fresh} other seed{'s' if fresh != 1 else ''}{compared}{against}"
    )


def _several(comparisons: Sequence[ComparedRuns]) -> bool:
    return any(len(one.runs) > 2 for one in comparisons)
