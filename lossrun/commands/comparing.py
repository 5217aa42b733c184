"""Comparing runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import Format, Grouped, Labels, Population, RequiredVerdict, RunNames, RunsDir, Tags
from lossrun.commands.run_lookup import loaded_runs, single_argument
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS, command, run_command, run_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lossrun.analysis.comparison.compare import ComparedRuns
    from lossrun.analysis.comparison.moments import Moment
    from lossrun.analysis.sweeps.result import SweepResult
    from lossrun.records.recorded import RecordedRun
    from lossrun.report.layout.text_table import Blocks


def compare(
    runs: RunNames = None,
    tag: Tags = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.table,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The metric that decides, such as rmse or val_rmse.",
            show_default="the task's, on test data",
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="best|last|EPOCH", help="The epoch at which the runs are compared.")
    ] = "best",
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Call runs equivalent if their difference is certainly smaller than this.",
            show_default=False,
        ),
    ] = None,
    over: Annotated[
        Population | None,
        typer.Option(
            help="Give intervals for new seeds on these test items, or for new test items and these trained models.",
            show_default="both, where predictions are kept",
        ),
    ] = None,
    by: Annotated[
        Grouped | None,
        typer.Option(
            help="Compare methods over several datasets: wins, mean ranks, and signed ranks.", show_default=False
        ),
    ] = None,
    require: Annotated[
        RequiredVerdict | None,
        typer.Option(
            help="Exit with 0 only if the second run is better than the first, or not worse by more than --margin. "
            "Exit codes: 7 if the first is better, 8 if these runs cannot decide it.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Use the runs as a pilot, with at least 3 seeds: say how many fresh seeds are needed to find a "
            "difference of this size, and what they cost.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Also say how soon each run reaches a value, such as val_accuracy=0.97.",
            show_default=False,
        ),
    ] = None,
    per_seed: Annotated[
        bool, typer.Option("--per-seed", help="Print only the values of each seed, one per row.")
    ] = False,
    curves: Annotated[bool, typer.Option("--curves", help="Also print the losses of each epoch.")] = False,
    label: Labels = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also print the tables behind the leaderboard of many runs.")
    ] = False,
    only_table: Annotated[
        bool, typer.Option("--only-table", help="Print only the tables of metrics, for a report.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write a report with figures: one HTML file that works offline.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Compare runs: what differs between them, which one is better, and how certain that is.

    Every run is compared with the first one, so name your baseline first. Runs are paired by seed: the same seed means
    the same initial weights and the same batches. One or two shared seeds give no verdict, three to five can only
    suggest a winner, and six or more can decide. Runs that differ only in their seeds count as one run.

    Different losses are never ranked by their own values. The metrics of the task decide, on test data where there are
    any. Intervals have a level of 95 %, and p-values are corrected for all comparisons made. If the runs kept their
    predictions of the test data, intervals are for new seeds and new test items.

    In a script, such as a CI job, `lossrun compare baseline candidate --metric accuracy --require not-worse --margin
    0.005` exits with 0, 7, or 8. `lossrun compare baseline candidate --plan 0.005` says how many seeds such a job
    needs.
    """
    from lossrun.analysis.comparison.compare import compare as compared
    from lossrun.analysis.comparison.moments import moment_of
    from lossrun.analysis.comparison.requirements import check_requirement
    from lossrun.analysis.given_runs import check_at_least_two
    from lossrun.errors import UsageError
    from lossrun.records.finding.runs import is_pattern
    from lossrun.report.comparison.requirement import enforce

    alone, is_sweep = single_argument(runs, tag, runs_dir)
    sweep = alone if is_sweep else None
    if sweep is None and not tag and not any(map(is_pattern, runs or [])):
        check_at_least_two(len(runs or []), runs_dir)
    if only_table and (per_seed or format_.is_data):
        other = "--per-seed" if per_seed else f"--format {format_.value}"
        raise UsageError(f"--only-table: {other} prints no other tables anyway; leave out one of the two")
    if require is not None and plan is not None:
        raise UsageError("--require needs a verdict, and --plan gives none; leave out one of the two")
    given = {"--margin": margin, "--over": over, "--require": require, "--plan": plan, "--target": target,
             "--per-seed": per_seed, "--curves": curves, "--only-table": only_table}  # fmt: skip
    if by is not None and (unused := [name for name, value in given.items() if value]):
        raise UsageError(f"--by dataset: {unused[0]} is about runs on one dataset; leave out one of the two")
    moment, specs, tuning, board, result = moment_of(at), dict[str, Path](), None, None, None
    as_asked = partial(
        compared, metric=metric, at=moment, margin=margin, target=target, over=over.value if over else None
    )
    if sweep is not None:
        from lossrun.analysis.sweeps.result import result_of
        from lossrun.records.sweep_directory import SweepDirectory, warnings_about
        from lossrun.report.layout.console import stderr, warning

        result = result_of(SweepDirectory(sweep))
        for text in warnings_about(SweepDirectory(sweep)):
            warning(stderr(), text)
        plain = format_ is Format.table and at == "best" and not (any(given.values()) or metric or by)
        several = [one for one in result.boards if len(one.labels) > 1]
        # Across datasets, a run on each of them may be enough.
        if not (several or (by and result.boards[1:])) and (html is not None or not plain):
            raise UsageError(_nothing_to_compare(sweep, result))
        if plain:
            _show_sweep(sweep, result, html, everything=everything)
            return
        if len(result.boards) > 1 and by is None:
            if not format_.is_data or any((require, plan, html, label)):
                raise UsageError(
                    f"{sweep.name} has final runs on {len(result.boards)} datasets, which are never compared with each "
                    f"other; --format json and csv list them all, or name runs with the same data, such as "
                    f"`{command('compare', *(run_word(run.path) for run in several[0].runs))}`"
                )
            from lossrun.report.comparison.formats import written_by_dataset

            parts = {
                one.about: one.with_tuning(as_asked(one.runs, label=one.labels, untuned=one.untuned)) for one in several
            }
            write_data(written_by_dataset(parts, format_.value, per_seed=per_seed))
            return
        loaded, tuning = list(result.final), result.tuning
        board = result.boards[0] if by is None else None
        label = label if label or by else list(result.labels)
    else:
        loaded = loaded_runs(runs, runs_dir, tag, specs, at_least=2)
    if by is not None:
        _across_datasets(loaded, format_, metric, at=moment, label=label or (), specs=specs, html=html)
        return
    untuned = board.untuned if board else {}
    comparison = as_asked(loaded, plan=plan, label=label or (), specs=specs, untuned=untuned)
    comparison = board.with_tuning(comparison) if board else comparison
    if require is not None:
        check_requirement(comparison, require.value)
    if html is not None:
        from lossrun.analysis.report_data import report_data
        from lossrun.report.html.page import save_page
        from lossrun.report.layout.console import note, stderr
        from lossrun.report.sweep import method

        pairs, told = (board.pairs, method(result)) if result and board else ((), "")
        save_page(report_data(loaded, comparison, tuning, pairs=pairs, method=told), html)
        note(stderr(), f"{html} written")
    is_document = format_ is not Format.table and not format_.is_data
    more = _tuning(result, comparison) if result is not None and is_document else ()
    _print(
        comparison, format_, curves=curves, per_seed=per_seed, only_table=only_table, everything=everything, more=more
    )
    if require is not None:
        enforce(comparison, require.value)


def _tuning(result: "SweepResult", comparison: "ComparedRuns") -> "Blocks":
    from lossrun.report.sweep import tuning_blocks

    return tuning_blocks(result, comparison)


def _nothing_to_compare(sweep: Path, result: "SweepResult") -> str:
    """Say why no runs of a sweep can be compared, and what to do."""
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
    return text + further * bool(result.unfinished)


def _across_datasets(
    loaded: "Sequence[RecordedRun]",
    format_: Format,
    metric: str | None,
    *,
    at: "Moment",
    label: "Sequence[str]",
    specs: dict[str, Path],
    html: Path | None,
) -> None:
    from lossrun.analysis.comparison.across_datasets import compare_across_datasets
    from lossrun.report.comparison.across_datasets import print_across_datasets, written
    from lossrun.report.layout.console import note, stderr, stdout

    found = compare_across_datasets(loaded, metric, at=at, label=label, specs=specs)
    if html is not None:
        from lossrun.report.html.across_datasets import save_page

        save_page(found, html)
        note(stderr(), f"{html} written")
    if format_ is Format.table:
        print_across_datasets(found, stdout())
    else:
        write_data(written(found, format_.value))


def _show_sweep(sweep: Path, result: "SweepResult", html: Path | None, *, everything: bool) -> None:
    """Print what a sweep has found, and write its page: a part for each dataset."""
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.sweep import print_sweep

    print_sweep(stdout(), result, everything=everything)
    if result.unfinished:
        note(stderr(), f"to continue a sweep that was stopped:\n  {run_command('resume', sweep)}")
    if html is None:
        return
    from lossrun.analysis.report_data import report_data
    from lossrun.report.html.page import save_page
    from lossrun.report.sweep import method

    parts = [
        report_data(
            board.runs,
            board.comparison,
            result.tunings.get(board.about),
            board.about,
            board.pairs,
            method(result),
            board.configs,
        )
        for board in result.boards
        if board.comparison is not None
    ]
    save_page(parts, html)
    note(stderr(), f"{html} written")


def _print(
    comparison: "ComparedRuns",
    format_: Format,
    *,
    curves: bool,
    per_seed: bool,
    only_table: bool,
    everything: bool,
    more: "Blocks" = (),
) -> None:
    from lossrun.report.comparison import formats
    from lossrun.report.comparison.compare import print_comparison, print_metrics, print_per_seed
    from lossrun.report.layout.console import stdout

    if format_ is not Format.table:
        options = {"curves": curves, "per_seed": per_seed, "only_table": only_table}
        write_data(formats.written(comparison, format_.value, **options, more=more))
    elif only_table:
        print_metrics(comparison, stdout())
    elif per_seed:
        print_per_seed(comparison, stdout())
    else:
        hint = "" if curves else "--curves shows the losses epoch by epoch"
        print_comparison(comparison, stdout(), curves=curves, hint=hint, everything=everything)
