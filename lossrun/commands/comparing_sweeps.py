"""Comparing the final runs of a sweep, with a part for each dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lossrun.arguments import Format, RequiredVerdict
from lossrun.commands.showing_comparisons import Showing, show_comparison, write_page
from lossrun.output import write_data
from lossrun.shell import command, run_command, run_word

if TYPE_CHECKING:
    from lossrun.analysis.comparison.compare import ComparedRuns
    from lossrun.analysis.sweeps.result import Board, SweepResult


def show_sweep(sweep: Path, html: Path | None, *, everything: bool) -> None:
    """Print what a sweep has found, and write its page."""
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.sweep import print_sweep

    result = _result(sweep)
    parts = [(board, board.comparison) for board in result.boards if board.comparison is not None]
    if html is not None and not parts:
        raise _nothing_to_compare(sweep, result)
    print_sweep(stdout(), result, everything=everything)
    if result.unfinished:
        note(stderr(), f"to continue a sweep that was stopped:\n  {run_command('resume', sweep)}")
    if html is not None:
        _write_page(result, parts, html)


def compare_sweep(
    sweep: Path,
    as_asked: "Callable[..., ComparedRuns]",
    show: Showing,
    *,
    label: Sequence[str],
    require: RequiredVerdict | None,
    across_datasets: Callable[..., None] | None,
) -> None:
    """Compare the final runs as the options ask for it, on each dataset by itself.

    Args:
        as_asked: Compares runs by these options.
        across_datasets: Compares them over all datasets instead; None if that was not asked for.
    """
    from lossrun.analysis.comparison.requirements import check_requirement
    from lossrun.report.comparison.requirement import enforce

    result = _result(sweep)
    boards = [one for one in result.boards if len(one.labels) > 1]
    # Across datasets, a run on each of them may be enough.
    if not (boards or (across_datasets and result.boards[1:])):
        raise _nothing_to_compare(sweep, result)
    if across_datasets is not None:
        across_datasets(result.final)
        return
    if len(result.boards) > 1:
        _refuse_for_one(sweep, result, boards, {"--require": require, "--label": label})
    parts = [
        (one, one.with_tuning(as_asked(one.runs, label=label or one.labels, untuned=one.untuned))) for one in boards
    ]
    if require is not None:
        check_requirement(parts[0][1], require.value)
    if show.html is not None:
        _write_page(result, parts, show.html)
    _show(result, parts, show)
    if require is not None:
        enforce(parts[0][1], require.value)


def _result(sweep: Path) -> "SweepResult":
    from lossrun.analysis.sweeps.result import result_of
    from lossrun.records.sweep_directory import SweepDirectory, warnings_about
    from lossrun.report.layout.console import stderr, warning

    result = result_of(SweepDirectory(sweep))
    for text in warnings_about(SweepDirectory(sweep)):
        warning(stderr(), text)
    return result


def _show(result: "SweepResult", parts: "Sequence[tuple[Board, ComparedRuns]]", show: Showing) -> None:
    """Print the comparison of each board; programs get one list, and documents one part after the other."""
    from lossrun.report.comparison.formats import written_by_dataset
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.layout.text_table import print_line
    from lossrun.report.sweep import tuning_blocks

    if len(result.boards) == 1:
        ((board, comparison),) = parts
        show_comparison(comparison, show, tuning_blocks(board, result, comparison))
        return
    if alone := [board.about for board in result.boards if len(board.labels) == 1]:
        note(stderr(), f"left out, because there is a single run: {', '.join(alone)}")
    if show.format_ is not Format.table:
        comparisons = {board.about: comparison for board, comparison in parts}
        more = {board.about: tuning_blocks(board, result, comparison) for board, comparison in parts}
        options = {"curves": show.curves, "per_seed": show.per_seed, "only_table": show.only_table}
        write_data(written_by_dataset(comparisons, show.format_.value, **options, more=more))
        return
    for number, (board, comparison) in enumerate(parts):
        print_line(stdout(), f"{chr(10) if number else ''}On {board.about}", style="bold")
        show_comparison(comparison, show)


def _write_page(result: "SweepResult", parts: "Sequence[tuple[Board, ComparedRuns]]", html: Path) -> None:
    from lossrun.analysis.report_data import report_data
    from lossrun.report.sweep import method

    told = method(result)
    write_page(
        [
            report_data(board.runs, comparison, board.tuning, board.about, board.pairs, told, board.configs)
            for board, comparison in parts
        ],
        html,
    )


def _refuse_for_one(sweep: Path, result: "SweepResult", boards: "Sequence[Board]", options: dict[str, object]) -> None:
    """Refuse options that are about a single comparison."""
    from lossrun.errors import UsageError

    if given := [name for name, value in options.items() if value]:
        runs = [run_word(run.path) for run in boards[0].runs]
        raise UsageError(
            f"{given[0]} needs runs on the same data, but {sweep.name} has final runs on {len(result.boards)} "
            f"datasets; name them, such as `{command('compare', *runs)}`"
        )


def _nothing_to_compare(sweep: Path, result: "SweepResult") -> Exception:
    """Say why no runs of a sweep can be compared, and what to do."""
    from lossrun.errors import UsageError

    shown, text = f"`{run_command('compare', sweep)}` shows", f"{sweep.name} has nothing to compare: "
    if len(result.boards) > 1:
        text += f"each of its {len(result.final)} final runs has data of its own; {shown} their scores"
    elif result.final:
        one = f"`{run_command('show', result.final[0].path)}` shows it"
        text += f"only one final run has ended; {one}, and {shown} how it was tuned"
    elif result.unfinished:
        text += f"no final run has ended; {shown} the runs so far"
    else:
        text += f"no run ended with a score that can be compared; {shown} why and what to try"
    further = f". `{run_command('resume', sweep)}` continues a sweep that was stopped"
    return UsageError(text + further * bool(result.unfinished))
