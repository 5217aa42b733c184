"""Commands that look at runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import (
    Grouped,
    Labels,
    ListFormat,
    RunName,
    RunNames,
    RunsDir,
    ScoreFormat,
    Tags,
    XAxis,
    complete_runs,
)
from lossrun.commands.run_lookup import found_run, how_to_list, loaded_runs, single_argument
from lossrun.errors import RunError
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS, command

if TYPE_CHECKING:
    from lossrun.analysis.learning_curves import LearningCurves
    from lossrun.records.sweep_directory import SweepDirectory


def ls(
    sweep: Annotated[
        str | None,
        typer.Argument(metavar="SWEEP", help="A sweep, to list the runs in it.", autocompletion=complete_runs),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="List only matching runs: loss=mse, 'val_loss<0.1', optimizer.momentum!=0; may be repeated.",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Sort by a column, a key of the config, or a metric (best first); -KEY is the reverse.",
            show_default="oldest first",
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    tag: Tags = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            metavar="N",
            help="List only this many: the newest, or with --sort the first.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.table,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """List the runs with their status, loss, optimizer and best result; each sweep is one line.

    `lossrun ls SWEEP` lists the runs in a sweep, in the order of its plan.
    """
    from lossrun.analysis.runs import Listing, listing
    from lossrun.analysis.selection import chosen, condition, ordered
    from lossrun.analysis.sweeps.listing import listed_sweep, listed_sweeps
    from lossrun.records.finding.runs import has_tags
    from lossrun.records.run_directory import all_runs
    from lossrun.records.sweep_directory import begun_runs
    from lossrun.report.layout.console import stderr, stdout, warning
    from lossrun.report.runs import listing_as_csv, listing_as_json, print_listing, print_sweep_line, print_sweeps

    conditions = [condition(text) for text in where or []]
    inside = _sweep_to_list(sweep, runs_dir) if sweep is not None else None
    there = all_runs(runs_dir) if inside is None else begun_runs(inside)
    paths = [path for path in there if has_tags(path, tag or [])]
    if limit and not sort and not conditions:
        paths = paths[-limit:]
    found = listing(paths)
    if sort is not None and sort.startswith("-"):
        sort, reverse = sort[1:], not reverse
    rows, sorted_by = ordered(chosen(found.rows, conditions), sort, reverse=reverse, limit=limit)
    shown = Listing(rows, found.problems, sorted_by)
    if format_ is ListFormat.table:
        makes = command("train", "CONFIG", runs_dir=runs_dir)
        nothing = "no runs match" if where or tag else f"no runs yet; `{makes}` makes one"
        if not (where or tag) and not runs_dir.is_dir():
            nothing = f"there is no folder {runs_dir.absolute()}; use --runs-dir to name another one"
        if inside is not None:
            print_sweep_line(listed_sweep(inside), stdout())
            print_listing(shown, stdout(), nothing=nothing)
            return
        sweeps = [] if where or tag else listed_sweeps(runs_dir)
        if shown.rows or shown.problems or not sweeps:
            print_listing(shown, stdout(), nothing=nothing)
        print_sweeps(stdout(), sweeps)
        return
    write_data(listing_as_json(shown) if format_ is ListFormat.json else listing_as_csv(shown))
    for problem in shown.problems:
        warning(stderr(), problem)


def _sweep_to_list(spec: str, runs_dir: Path) -> "SweepDirectory":
    """Return the sweep that the argument means; `last` is the newest one. Raises UsageError for a run."""
    from lossrun.errors import UsageError
    from lossrun.records.finding.runs import find, steps_back
    from lossrun.records.finding.sweeps import find_sweep
    from lossrun.records.sweep_directory import SweepDirectory
    from lossrun.report.layout.console import note, stderr
    from lossrun.shell import run_command

    try:
        path = find_sweep(spec, runs_dir)
    except RunError as error:
        try:
            run = find(spec, runs_dir) if steps_back(spec) is None else None
        except RunError:
            run = None
        if run is None:
            raise error from None
        raise UsageError(f"{spec} is a run, which `{run_command('show', run)}` shows; ls lists sweeps") from None
    if path.name != Path(spec).name:
        note(stderr(), f"{spec} is the sweep {path.name}")
    return SweepDirectory(path)


def show(
    run: RunName,
    format_: Annotated[ScoreFormat, typer.Option("--format", help="The output format.")] = ScoreFormat.table,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Show one run: its config, results, checkpoints and events."""
    from lossrun.analysis.run_facts import facts
    from lossrun.records import recorded
    from lossrun.report.layout.console import stdout
    from lossrun.report.run_facts import print_facts
    from lossrun.report.run_json import run_as_json

    found = facts(recorded.load(found_run(run, runs_dir)))
    if format_ is ScoreFormat.json:
        write_data(run_as_json(found))
    else:
        print_facts(found, stdout())


def plot(
    runs: RunNames = None,
    tag: Tags = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What to draw: a column of the history, a metric, or loss for both losses; may be repeated.",
            show_default="the primary metric",
        ),
    ] = None,
    label: Labels = None,
    x: Annotated[XAxis, typer.Option("--x", help="The horizontal axis.")] = XAxis.epoch,
    log: Annotated[
        bool | None,
        typer.Option(
            "--log/--no-log",
            help="Use a logarithmic or a linear vertical axis.",
            show_default="log if the values span two decades",
        ),
    ] = None,
    by: Annotated[
        Grouped | None,
        typer.Option(help="Plot the mean ranks of methods over several datasets instead.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write: png, svg or pdf.", show_default="the terminal"
        ),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Plot learning curves: the mean over seeds, and the range from the lowest to the highest seed.

    Runs are named by what differs between them. Different losses never share an axis. For a sweep, this plots the
    tuning scores against the tuned value. With `--by dataset` it plots mean ranks and their critical difference, as
    `compare --by dataset` computes them.
    """
    from lossrun.analysis.learning_curves import learning_curves
    from lossrun.errors import UsageError
    from lossrun.report.layout.console import note, stderr, stdout

    if not runs and not tag:
        raise UsageError(f"plot needs a run, a pattern such as 'mnist-*', or --tag TAG; {how_to_list(runs_dir)}")
    if by is not None:
        if x is not XAxis.epoch or log is not None or len(metric or ()) > 1:
            raise UsageError("--by dataset: ranks have no --x, no --log, and one --metric; leave out the rest")
        _plot_ranks(runs, runs_dir, tag, metric, label, output)
        return
    alone, is_sweep = single_argument(runs, tag, runs_dir)
    if alone is not None:
        if is_sweep:
            from lossrun.commands.sweep_plots import plot_sweep

            plot_sweep(alone, output)
            return
        runs = [str(alone)]

    def drawn() -> "LearningCurves":
        specs: dict[str, Path] = {}
        loaded = loaded_runs(runs, runs_dir, tag, specs, tell_edits=True)
        return learning_curves(loaded, metric or (), x_axis=x.value, log=log, label=label or (), specs=specs)

    if output is None:
        from lossrun.report.plots.curves_plot import print_learning_curves

        print_learning_curves(drawn(), stdout())
        return
    from lossrun.report.plots.figure import check_output, save_figure

    check_output(output)
    curves = drawn()
    save_figure(curves, output)
    for sentence in curves.notes:
        note(stderr(), sentence)
    note(stderr(), f"{output} written")


def _plot_ranks(
    runs: list[str] | None,
    runs_dir: Path,
    tag: list[str] | None,
    metric: list[str] | None,
    label: list[str] | None,
    output: Path | None,
) -> None:
    """Plot the mean ranks of methods over datasets."""
    from lossrun.analysis.comparison.across_datasets import compare_across_datasets
    from lossrun.report.layout.console import note, stderr, stdout

    if output is not None:
        from lossrun.report.plots.figure import check_output

        check_output(output)
    specs: dict[str, Path] = {}
    loaded = loaded_runs(runs, runs_dir, tag, specs, tell_edits=True)
    found = compare_across_datasets(loaded, metric[0] if metric else None, label=label or (), specs=specs)
    if output is None:
        from lossrun.report.comparison.across_datasets import print_ranks

        print_ranks(found, stdout())
        return
    from lossrun.report.plots.ranks_figure import save_ranks

    save_ranks(found, output)
    note(stderr(), f"{output} written")
