"""A sweep for people: its plan, its progress, and what it has found."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lossrun.analysis.sweeps import PairTuning, SweepResult, Trial, TuningResult, words
from lossrun.analysis.values.metric_names import bare
from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.comparison.compare_tables import MARK
from lossrun.report.comparison.verdicts import sentences, verdicts_table
from lossrun.report.layout.console import note, plus_minus
from lossrun.report.layout.numbers import format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table

MOST_CELLS_LISTED: Final = 60
_PHASES: Final = {"tune": "tuning", "final": "final runs"}


def print_plan(console: Console, cells: Sequence[PlannedCell], final_seeds: Sequence[int], *, tunes: bool) -> None:
    """The cells that would be run, one row each."""
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
    """What shows that a phase begins, and that a cell has ended: a bar in a terminal, a line per cell in a pipe."""
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


def print_sweep(console: Console, result: SweepResult) -> None:
    """How each pair was tuned, the leaderboard of the final runs, and the verdicts."""
    sign = plus_minus(console)
    if result.tuning is not None:
        print_table(console, tuning_table(result.tuning, sign))
        for text in tuning_notes(result.tuning):
            note(console, text)
        print_line(console, "")
    if result.final:
        print_table(console, leaderboard(result, sign))
    if result.comparison is not None:
        for reason in result.comparison.reasons:
            note(console, f"not comparable: {reason}")
        print_line(console, "")
        if table := verdicts_table(result.comparison):
            print_table(console, table)
        for text in sentences(result.comparison):
            print_line(console, text)
        for text in (*result.comparison.refusals, *result.comparison.notes):
            note(console, text)
    if text := method(result):
        print_line(console, text)
    for cell, why in result.failed.items():
        note(console, f"{cell} failed: {why}")
    if result.unfinished:
        note(console, f"{result.unfinished} of {result.cells} cells are not finished")


def tuning_table(tuning: TuningResult, sign: str) -> TextTable:
    """A row per pair: what it got, the score that chose it, how many values were tried and how wide a range works."""
    pairs = tuning.pairs
    columns = [
        Column("best", tuple(words(pair.chosen.values) if pair.chosen else "-" for pair in pairs), right=False),
        Column(
            f"{tuning.metric} in tuning",
            tuple(format_spread(pair.chosen.score, sign) if pair.chosen else "-" for pair in pairs),
        ),
        Column("tried", tuple(str(len(pair.trials)) for pair in pairs)),
        *(_counts(name, lost) for name, of in _LOST.items() if any(lost := [sum(map(of, p.trials)) for p in pairs])),
        Column("works over", tuple("-" if pair.decades is None else f"{pair.decades:.1f} decades" for pair in pairs)),
    ]
    return TextTable("Tuning", Column("pair", tuple(map(_pair_name, pairs)), right=False), tuple(columns))


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
    """What to keep in mind about the choices."""
    edges: dict[str, list[str]] = {}
    for pair in tuning.pairs:
        for key in pair.on_edge:
            edges.setdefault(key, []).append(_pair_name(pair))
    texts = [
        f"the best {key} of {', '.join(names)} is the smallest or largest one tried; a wider range may do better"
        for key, names in edges.items()
    ]
    lost = [_pair_name(pair) for pair in tuning.pairs if pair.chosen is None and all(one.ended for one in pair.trials)]
    if lost:
        texts.append(
            f"no run of {', '.join(lost)} ended with a finite score, so "
            f"{'it is' if len(lost) == 1 else 'they are'} not in the leaderboard"
        )
    return texts


def leaderboard(result: SweepResult, sign: str) -> TextTable:
    """The final runs, best first, by the metrics that decide."""
    runs = range(len(result.final))
    columns: list[Column] = []
    if result.comparison is not None:
        letters = tuple(run.letter for run in result.comparison.runs)
        for metric in result.comparison.metrics:
            if metric.primary:
                best = frozenset(metric.measured.best)
                cells = tuple(
                    format_spread(value, sign) + (f" {MARK}" if place in best else "")
                    for place, value in enumerate(metric.measured.values)
                )
                columns.append(Column(metric.name, cells, emphasis=best))
    else:
        letters = tuple("" for _ in runs)
    seeds = Column("seeds", tuple(str(len(run.seeds)) for run in result.final))
    named = Column("run", tuple(result.labels), right=False)
    return TextTable("Leaderboard", Column("", letters, right=False), (named, *columns, seeds))


def method(result: SweepResult) -> str:
    """The sentence that a paper needs: how each pair was tuned, and what was compared."""
    if result.tuning is None or not result.final:
        return ""
    tried = {len(pair.trials) for pair in result.tuning.pairs}
    seeds = {len(trial.cell.config["seeds"]) for pair in result.tuning.pairs for trial in pair.trials}
    fresh = len(result.final[0].seeds)
    keys = ", ".join(
        dict.fromkeys(key for pair in result.tuning.pairs for trial in pair.trials for key in trial.values)
    )
    metric = bare(result.tuning.metric).replace("_", " ")
    number, plural = max(tried), "s" if max(tried) != 1 else ""
    over = f"{max(seeds)} seed{'s' if max(seeds) != 1 else ''}"
    return (
        f"each pair was tuned over {number} value{plural} of {keys} on {over}, by validation {metric}; "
        f"the best value of each was then trained on {fresh} other seed{'s' if fresh != 1 else ''}, which are compared"
    )
