"""Print a sweep: its plan, and what it has found."""

from collections.abc import Sequence, Set
from typing import Final

from rich.console import Console

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.sweeps.result import Board, SweepResult
from lossrun.analysis.sweeps.sensitivity import heat_map
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.analysis.sweeps.words import words
from lossrun.analysis.values.splits import resampled_by
from lossrun.catalog.metric_names import bare
from lossrun.records.sweep_directory import Cost, PlannedCell
from lossrun.report.comparison.leaderboard import MANY, print_leaderboard
from lossrun.report.comparison.tuning import curve_table, heat_table, tuning_notes, tuning_table
from lossrun.report.comparison.verdicts import sentences, summary, verdicts_table
from lossrun.report.layout.console import note, plus_minus
from lossrun.report.layout.numbers import format_seconds, format_size, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table
from lossrun.report.plots.sensitivity_plot import print_sensitivity

MOST_CELLS_LISTED: Final = 60


def print_plan(
    console: Console, cells: Sequence[PlannedCell], final_seeds: Sequence[int], *, tunes: bool, later: str = ""
) -> None:
    """Print the cells that would be run, one row each. `later`: cells that are planned later."""
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
    print_line(console, plan_in_words(cells, final_seeds, tunes=tunes, later=later))


def plan_in_words(cells: Sequence[PlannedCell], final_seeds: Sequence[int], *, tunes: bool, later: str = "") -> str:
    """Return how many cells and trainings a sweep has: `tuning: 4 cells, 8 trainings; then the best of each of ...`."""
    runs = sum(len(cell.config["seeds"]) for cell in cells)
    total = f"{len(cells):,} cell{'s' if len(cells) > 1 else ''}, {runs:,} training{'s' if runs > 1 else ''}"
    if not tunes:
        return total
    pairs = len({words(cell.pair) for cell in cells})
    more = f"then the best of each of {pairs} pair{'s' if pairs > 1 else ''} on seeds {_seeds(final_seeds)}"
    return f"tuning: {total}; {later}{more}"


def print_cost(console: Console, cost: Cost) -> None:
    """Print how long a sweep takes and how much it writes, roughly."""
    cores = f"{cost.jobs} worker{'s' if cost.jobs > 1 else ''}"
    time, size = format_seconds(cost.seconds), format_size(cost.size)
    print_line(console, f"roughly {time} on {cores} and {size} on disk")


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def print_sweep(console: Console, result: SweepResult, *, everything: bool = True) -> None:
    """Print the leaderboard of the final runs, the verdicts, and how each pair was tuned.

    Args:
        everything: Whether to print the tables behind the verdicts and the curves of many pairs too.
    """
    sign = plus_minus(console)
    parts = result.tunings
    for board in result.boards:
        if len(result.boards) > 1:
            print_line(console, f"On {board.about}", style="bold")
        _print_board(console, board, sign, everything=everything)
        print_line(console, "")
    for number, tuning in enumerate(parts):
        if number:
            print_line(console, "")
        if tuning.about:
            print_line(console, f"On {tuning.about}", style="bold")
        short = not everything and len(result.labels) == len(tuning.pairs) > MANY and len(parts) == 1
        _print_tuning(console, tuning, sign, names=_letters(result) if short else None, everything=everything)
    if text := method(result):
        print_line(console, text)
    compared = next((board.comparison for board in result.boards if board.comparison), None)
    if text := _other_metric(result.tuning, compared):
        note(console, text)
    for cell, why in result.failed.items():
        note(console, f"{cell} failed: {why}")
    for stack, why in result.divided.items():
        note(console, f"{stack} and the cells computed with it were trained one by one: {why}")
    if result.unfinished:
        are = "is" if result.unfinished == 1 else "are"
        note(console, f"{result.unfinished} of {result.cells} cells {are} not finished")


def _print_tuning(
    console: Console, tuning: TuningResult, sign: str, *, names: Sequence[str] | None, everything: bool
) -> None:
    """Print how each pair was tuned; without the table if there are names for the legend of many curves."""
    if names is None:
        print_table(console, tuning_table(tuning, sign))
        if everything and (curve := curve_table(tuning, sign)):
            print_line(console, "")
            print_table(console, curve)
    for text in tuning_notes(tuning):
        note(console, text)
    _print_plots(console, tuning, names)
    if names is not None:
        note(console, "--all shows how each pair was tuned, its tuning curve, and the intervals")
    elif not everything and curve_table(tuning, sign):
        note(console, "--all shows what score to expect from the best of a number of values")


def print_tuning_plots(console: Console, parts: Sequence[TuningResult]) -> None:
    """Print the curves and the map of the pairs for each dataset."""
    for tuning in parts:
        if tuning.about:
            print_line(console, f"On {tuning.about}", style="bold")
        _print_plots(console, tuning, None)


def _print_plots(console: Console, tuning: TuningResult, names: Sequence[str] | None) -> None:
    print_sensitivity(console, tuning, names=names)
    if found := heat_map(tuning):
        print_line(console, "")
        print_table(console, heat_table(found, plus_minus(console)))


def _letters(result: SweepResult) -> list[str]:
    """Return each pair's letter in the leaderboard: there is no room for more in the legend of many curves."""
    assert result.tuning is not None
    (board,) = result.boards
    places = dict(zip(board.pairs, letters(len(board.labels)), strict=True))
    return [places.get(words(pair.pair), "?") for pair in result.tuning.pairs]


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


def tuning_blocks(board: Board, result: SweepResult, comparison: ComparedRuns) -> list[TextTable | list[str]]:
    """Return how the pairs of a board were tuned, for a document: tables and lists of sentences, as on the screen."""
    if (tuning := board.tuning) is None:
        return []
    maps = [heat_table(best, "±")] if (best := heat_map(tuning)) else []
    curves = [curve] if (curve := curve_table(tuning, "±")) else []
    told = [text for text in (method(result), _other_metric(tuning, comparison)) if text]
    found: list[TextTable | list[str]] = [tuning_table(tuning, "±"), *curves, tuning_notes(tuning), *maps, told]
    return [block for block in found if block]


def method(result: SweepResult) -> str:
    """Return the sentence that a paper needs: how each pair was tuned, and what was compared."""
    if result.tuning is None or not result.final:
        return ""
    tuning = result.tuning
    tuned = list(dict.fromkeys(key for pair in tuning.pairs for trial in pair.trials for key in trial.values))
    counts = {count for pair in tuning.pairs for count in pair.tried or [len(pair.trials)]}
    what = "combination" if len(tuned) > 1 else "value"
    values = _counted(counts, what)
    # In the first round of halving all repetitions try each value, later only those that keep it.
    over = _counted({len(pair.every[0].cell.config["seeds"]) // tuning.repeats for pair in tuning.pairs}, "seed")
    comparisons = [board.comparison for board in result.boards if board.comparison is not None]
    # A pair has fewer seeds if a repetition of its tuning found no value.
    fresh = max(
        [len(run.seeds) + len(run.left_out) for one in comparisons for run in one.runs]
        or [len(run.seeds) for run in result.final]
    )
    lacking = any(board.untuned[name] for board in result.boards for name in board.untuned)
    keys = " and ".join([", ".join(tuned[:-1]), tuned[-1]] if len(tuned) > 1 else tuned)
    if tuning.drawn:
        keys += ", drawn by a tree-structured Parzen estimator" if tuning.adaptive else ", drawn at random"
    if tuning.grown > 0:
        keys += f" ({tuning.grown} of them added where a best value was on the edge of the range)"
    if tuning.drawn:
        keys += ","
    metric = bare(tuning.metric).replace("_", " ")
    halving = ""
    if any(trial.left_behind for pair in tuning.pairs for trial in pair.trials):
        halving = ", by successive halving"
    compared = "; these runs are compared" if comparisons else ""
    against = "; each is compared with A, which had the best score in tuning" if _several(comparisons) else ""
    if splits := resampled_by(result.final[0].config):
        each = -(-fresh // tuning.repeats)
        return (
            f"each pair was tuned on each of {tuning.repeats} {splits} separately, over {values} of "
            f"{keys} on {over}{halving}, by the validation {metric} of that {splits[:-1]}; the best {what} was then "
            f"trained on it with {each} other seed{'s' if each != 1 else ''}, so no {what} was chosen by the samples "
            f"that it is tested on, and the comparison includes the tuning{against}"
        )
    if tuning.repeats > 1:
        every = f"all {tuning.repeats} seeds of each pair are"
        which = "the seeds for which it found a value are" if lacking else every
        return (
            f"each pair was tuned {tuning.repeats} times, each time over {values} of {keys} on {over} of "
            f"its own{halving}, by validation {metric}; the best {what} of each time was then trained on one other "
            f"seed; {which} compared, so that the comparison includes the tuning"
            f"{against}"
        )
    return (
        f"each pair was tuned over {values} of {keys} on {over}{halving}, by validation {metric}; "
        f"the best {what} of each was then trained on {fresh} other seed{'s' if fresh != 1 else ''}{compared}{against}"
    )


def _other_metric(tuning: TuningResult | None, comparison: ComparedRuns | None) -> str:
    """Say that the metric of the verdicts is not the one that chose the values; "" if it is."""
    if tuning is None or comparison is None or bare(tuning.metric) == "loss":
        return ""
    deciding = [metric.name for metric in comparison.metrics if metric.decides]
    if not deciding or bare(tuning.metric) in map(bare, deciding):
        return ""
    decided = " and ".join(deciding)
    return (
        f"{tuning.metric} chose the values, and {decided} decides; `--metric {bare(tuning.metric)}` compares by what "
        "chose them"
    )


def _counted(counts: Set[int], noun: str) -> str:
    """Write how many there are for each pair: `7 values`, or `7 to 9 values` where pairs differ."""
    low, high = min(counts), max(counts)
    return f"{f'{low} to ' if low < high else ''}{high} {noun}{'s' if high != 1 else ''}"


def _several(comparisons: Sequence[ComparedRuns]) -> bool:
    return any(len(one.runs) > 2 for one in comparisons)
