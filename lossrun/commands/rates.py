"""Finding a learning rate."""

from pathlib import Path
from typing import Annotated

import typer

from lossrun.arguments import ConfigFile, DataDir, Overrides
from lossrun.commands.run_lookup import chosen_data_dir, read_config
from lossrun.commands.sweeping import Jobs
from lossrun.output import write_data
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

    The search has three rounds: many rates for a ninth of the steps, then rates near the best one for a third, then
    rates closer to it for all steps. Each training starts from the same initial weights and goes through the whole
    schedule. Rates are scored as in a sweep of CONFIG: by the metric that tunes, at the epoch where best.metric is
    best. The suggestion is the middle of the rates that are as good as the best one, up to chance between seeds. It is
    at most twice and at least half the best rate.

    The search costs as much as about 20 of the longest trainings. The last round trains 16 seeds of a small model
    together, because with 2 seeds the best rate is often best by chance. For a run of more than 2000 steps the search
    costs less and is less certain. It then suggests the smallest of the good rates, because the best rate of a short
    training is often too large for a long one. With splits or folds, only the first one is used.
    """
    reading = read_config(config, set_ or [], quiet=quiet)
    if output is not None:
        from lossrun.report.plots.figure import check_output

        check_output(output)
    from lossrun.analysis.rate_search import readable
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.rate_search import print_next, print_search, search_progress
    from lossrun.sweeping.rate_finder import find_rate

    with search_progress(stderr(), hidden=quiet) as report:
        found = find_rate(reading, chosen_data_dir(data_dir), steps=steps, jobs=jobs, report=report)
    suggestion = found.suggestion
    assert suggestion is not None
    if output is not None:
        from lossrun.analysis.rate_search import search_curves
        from lossrun.report.plots.sensitivity_figure import save_sensitivity

        save_sensitivity(search_curves(found), output)
    if quiet:
        write_data(f"{suggestion:g}\n")
        return
    print_search(stdout(), found)
    if output is not None:
        note(stderr(), f"{output} written")
    low, high = readable(suggestion / 10, 2), readable(suggestion * 10, 2)
    around = f"learning_rate=log:{low:g}:{high:g}:7"
    kept = [one for one in set_ or [] if one.partition("=")[0].strip() != "learning_rate"]
    block = [one for one in kept if one.partition("=")[0].strip().partition(".")[0] == "sweep"]
    alone = [one for one in kept if one not in block] + (["sweep=null"] if reading.sweep and not block else [])
    # Without validation data there is nothing to tune by.
    tuned = [] if found.metric.startswith("val_") else ["sweep.tune=false"]
    print_next(
        stderr(),
        command("train", config, set_=[*alone, f"learning_rate={suggestion:g}"], data_dir=data_dir),
        command("sweep", config, set_=[*kept, *tuned], options={"--over": around}, data_dir=data_dir),
    )
