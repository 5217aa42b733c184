"""Comparing runs."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lossrun.arguments import Format, Grouped, Labels, Population, RequiredVerdict, RunNames, RunsDir, Tags
from lossrun.commands.run_lookup import loaded_runs, single_argument
from lossrun.commands.showing_comparisons import Showing, show_across_datasets, show_comparison, write_page
from lossrun.shell import DEFAULT_RUNS


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
    moment, specs, names = moment_of(at), dict[str, Path](), label or []
    as_asked = partial(
        compared, metric=metric, at=moment, margin=margin, target=target, over=over.value if over else None, plan=plan
    )
    show = Showing(
        format_=format_, curves=curves, per_seed=per_seed, only_table=only_table, everything=everything, html=html
    )
    across = partial(show_across_datasets, metric=metric, at=moment, label=names, show=show)
    if sweep is not None:
        from lossrun.commands.comparing_sweeps import compare_sweep, show_sweep

        if format_ is Format.table and at == "best" and not (any(given.values()) or metric or by or label):
            show_sweep(sweep, html, everything=everything)
        else:
            across_datasets = across if by is not None else None
            compare_sweep(sweep, as_asked, show, label=names, require=require, across_datasets=across_datasets)
        return
    loaded = loaded_runs(runs, runs_dir, tag, specs, at_least=2)
    if by is not None:
        across(loaded, specs=specs)
        return
    comparison = as_asked(loaded, label=names, specs=specs)
    if require is not None:
        check_requirement(comparison, require.value)
    if html is not None:
        from lossrun.analysis.report_data import report_data

        write_page([report_data(loaded, comparison)], html)
    show_comparison(comparison, show)
    if require is not None:
        enforce(comparison, require.value)
