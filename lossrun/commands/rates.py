"""Finding a learning rate."""

from pathlib import Path
from typing import Annotated

import typer

from lossrun.arguments import ConfigFile, DataDir, Overrides
from lossrun.commands.run_lookup import folder_of_data, read_config
from lossrun.commands.sweeping import Jobs
from lossrun.shell import command


def find_lr(
    config: ConfigFile,
    set_: Overrides = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="How long the longest trainings are.",
            show_default="the whole run, at most 2000 steps",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also draw the curves into a file: png, svg or pdf.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    jobs: Jobs = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the suggested rate.")] = False,
) -> None:
    """Suggest a learning rate for CONFIG, from short trainings at many rates. Nothing is written or changed.

    There are three rounds, and every training starts from the same first weights: many rates for a ninth of the steps,
    then rates near the best one for a third, then rates closer to it for all steps. A shorter training goes through the
    whole schedule. A rate is judged by its best value of the metric that chooses the best epoch (best.metric). The
    suggestion is the middle of the rates that work about as well as the best one, but at most twice and at least half
    the best one.

    It costs about as much as 7 runs of 2 seeds. For a run of more than 2000 steps it costs less and is less certain,
    because the best rate of a short training is sometimes too large for a long one.
    """
    reading = read_config(config, set_ or [], quiet=quiet)
    if output is not None:
        from lossrun.report.plots.figure import check_output

        check_output(output)
    from lossrun.analysis.rate_search import readable
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.rate_search import print_next, print_search, search_progress
    from lossrun.sweeping.rate_finder import find_rate

    with search_progress(stderr(), hidden=quiet) as told:
        found = find_rate(reading, folder_of_data(data_dir), steps=steps, jobs=jobs, told=told)
    suggestion = found.suggestion
    assert suggestion is not None
    if output is not None:
        from lossrun.analysis.rate_search import search_curves
        from lossrun.report.plots.sensitivity_figure import save_sensitivity

        save_sensitivity(search_curves(found), output)
    if quiet:
        typer.echo(f"{suggestion:g}")
        return
    print_search(stdout(), found)
    if output is not None:
        note(stderr(), f"{output} written")
    given = [*(set_ or []), *(["sweep=null"] if reading.sweep is not None else [])]
    low, high = readable(suggestion / 10, 2), readable(suggestion * 10, 2)
    around = f"learning_rate=log:{low:g}:{high:g}:7"
    print_next(
        stderr(),
        command("train", config, set_=[*given, f"learning_rate={suggestion:g}"], data_dir=data_dir),
        command("sweep", config, set_=set_ or [], options={"--over": around}, data_dir=data_dir),
    )
