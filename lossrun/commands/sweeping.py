"""Many runs from one file."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import ConfigFile, DataDir, NewTags, Overrides, ResumeOrStart, RunsDir
from lossrun.commands.run_lookup import chosen_data_dir, read_draft, with_name_and_tags
from lossrun.output import write_data
from lossrun.processes.taking_part import require_one_process
from lossrun.shell import DEFAULT_RUNS, command, run_command, run_word

if TYPE_CHECKING:
    from lossrun.records.sweep_directory import SweepDirectory
    from lossrun.sweeping.cluster.connection import Cluster
    from lossrun.sweeping.shards import Shard


def worker_count(text: str) -> int | None:
    """Read --jobs: a number, or auto, which is None."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is neither auto nor an integer from 1 on")
    return int(text)


Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        parser=worker_count,
        metavar="N|auto",
        help="The number of worker processes, with one thread each; auto is one per core.",
        show_default="auto",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Run only the I-th of N shares of the cells; for jobs that share the folder of the runs.",
        show_default="all cells",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Train the cells on a Ray cluster: auto, or the address of its head. If the nodes share a folder, use "
        "it as --runs-dir.",
        show_default="this machine",
    ),
]
Cpus = Annotated[
    float | None,
    typer.Option(
        "--cpus", min=0.01, metavar="N", help="With --ray: CPUs, and threads, for each task.", show_default="1"
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus",
        min=0,
        metavar="N",
        help="With --ray: GPUs for each task; with 0.25, four tasks share one.",
        show_default="0",
    ),
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first cell that fails.")]


def sweep(
    config: ConfigFile,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=...",
            help="Values of a key: loss=mse,mae or learning_rate=log:1e-4:1:7 (low:high:points); may be repeated.",
            show_default=False,
        ),
    ] = None,
    set_: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The name of the sweep.", show_default="sweep-dataset"),
    ] = None,
    tag: NewTags = None,
    data_dir: DataDir = None,
    jobs: Jobs = None,
    shard: ShardOption = None,
    ray: RayOption = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    fail_fast: FailFast = False,
    resume_or_start: ResumeOrStart = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and train nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the directory of the sweep.")] = False,
) -> None:
    """Tune and compare: give each combination the same number of values to choose from, then compare the best of each.

    Combinations come from --over, or from the sweep key of the config. The values are chosen on seeds and validation
    data that the comparison does not use. Every cell is an ordinary run. `lossrun resume SWEEP` continues a sweep that
    was stopped, and `lossrun compare SWEEP` prints its result again.

    Use --resume-or-start if a batch system stops the job and starts the same command again. The name of the sweep's
    directory then ends in a digest of the sweep instead of beginning with the time, so that the same command finds it
    again. The same holds for a sweep with --shard.
    """
    require_one_process("a sweep starts its own processes", "start it once, without torchrun")
    share = shard_of(shard)
    refuse_unclear(ray, cpus, gpus, share)
    draft = read_draft(config, with_name_and_tags(set_, name, tag), quiet=quiet)
    from lossrun.sweeping.reading import read_sweep

    swept = read_sweep(draft, over or [])
    # Data need numpy: a mistake in the file is told before that is imported.
    from lossrun.records.sweep_directory import create
    from lossrun.report.layout.console import stdout
    from lossrun.sweeping.plan import Planned, plan_sweep

    def will_train() -> None:
        if not (dry_run or ray):
            from lossrun.sweeping.pool import prepare_workers

            prepare_workers()

    planned: Planned = plan_sweep(
        swept, runs_dir, chosen_data_dir(data_dir), meanwhile=will_train, elsewhere=ray is not None
    )
    if dry_run:
        from lossrun.report.sweep import print_cost, print_plan
        from lossrun.sweeping.estimate import estimated

        later = planned.later
        if share is not None:
            planned = replace(planned, cells=share.of(planned.cells))
        print_plan(stdout(), planned.cells, planned.facts["seeds"], tunes=planned.tunes, later=later)
        if planned.cells:
            print_cost(stdout(), estimated(planned, draft.directory, chosen_data_dir(data_dir), jobs))
        return
    cluster = cluster_of(ray, cpus, gpus, share)
    shared = resume_or_start or share is not None
    made = create(runs_dir, planned.name, planned.config, planned.cells, planned.facts, shared=shared)
    run_on_screen(
        made, chosen_data_dir(data_dir), jobs=jobs, fail_fast=fail_fast, shard=share, cluster=cluster, quiet=quiet
    )


def shard_of(text: str | None) -> "Shard | None":
    """Read --shard. Raises UsageError."""
    if text is None:
        return None
    from lossrun.sweeping.shards import parse_shard

    return parse_shard(text)


def refuse_unclear(ray: str | None, cpus: float | None, gpus: float | None, shard: "Shard | None") -> None:
    """Raise UsageError for options that do not go together."""
    from lossrun.errors import UsageError

    for option, value in (("--cpus", cpus), ("--gpus", gpus)):
        if ray is None and value is not None:
            raise UsageError(f"{option} {value:g} is about the tasks of --ray, which is missing")
    if ray is not None and shard is not None:
        raise UsageError("--ray and --shard both divide the cells; leave out one of them")


def cluster_of(ray: str | None, cpus: float | None, gpus: float | None, shard: "Shard | None") -> "Cluster | None":
    """Connect to the cluster of --ray; None without it. Raises UsageError, before anything is written."""
    refuse_unclear(ray, cpus, gpus, shard)
    if ray is None:
        return None
    from lossrun.sweeping.cluster.connection import connect

    return connect(ray, 1 if cpus is None else cpus, gpus or 0)


def resume_sweep(
    path: Path,
    changes: Sequence[str],
    data_dir: Path | None,
    *,
    jobs: int | None,
    shard: str | None,
    cluster: "Cluster | None",
    fail_fast: bool,
    quiet: bool,
) -> None:
    """Run the cells of a sweep that are not finished. Raises UsageError for changes: they would make another sweep."""
    from lossrun.errors import UsageError
    from lossrun.records.sweep_directory import SweepDirectory

    if changes:
        raise UsageError(
            f"a sweep cannot be changed once it has begun; start another with `{command('sweep', 'CONFIG')}`"
        )
    run_on_screen(
        SweepDirectory(path),
        data_dir,
        jobs=jobs,
        fail_fast=fail_fast,
        shard=shard_of(shard),
        cluster=cluster,
        quiet=quiet,
    )


def run_on_screen(
    sweep: "SweepDirectory",
    data_dir: Path | None,
    *,
    jobs: int | None,
    fail_fast: bool = False,
    shard: "Shard | None" = None,
    cluster: "Cluster | None" = None,
    quiet: bool = False,
) -> None:
    """Run what is left of a sweep, and print what it has found. Exits with 1 if a cell failed."""
    from lossrun.analysis.sweeps.cells import epochs_done
    from lossrun.analysis.sweeps.result import result_of
    from lossrun.analysis.sweeps.tuning import score_of
    from lossrun.catalog.metric_names import goal
    from lossrun.records.sweep_directory import read_events, warnings_about
    from lossrun.report.layout.console import note, stderr, stdout, warning
    from lossrun.report.sweep import print_sweep
    from lossrun.report.sweep_progress import LiveEpochs, LiveScores, cells_progress
    from lossrun.sweeping.course import missing, run_sweep

    if not quiet:
        note(stderr(), f"sweep {sweep.path}")
    for text in warnings_about(sweep):
        warning(stderr(), text)
    metric = read_events(sweep)[0]["metric"]
    best = LiveScores(metric, goal(metric) or "min", partial(score_of, sweep, metric)) if metric else None
    epochs = LiveEpochs(partial(epochs_done, sweep))
    with ExitStack() as during, cells_progress(stderr(), best, epochs, hidden=quiet) as (begins, ended):
        if cluster is not None:
            during.callback(cluster.leave)
        endings = run_sweep(
            sweep,
            data_dir=data_dir,
            jobs=jobs,
            fail_fast=fail_fast,
            shard=shard,
            cluster=cluster,
            report=lambda cell, how: ended(cell, how.ending, how.problem, how.notes),
            begins=begins,
            trains=epochs.trains,
        )
    failed = any(how.ending == "failed" for how in endings.values())
    if quiet:
        write_data(f"{sweep.path}\n")
    elif shard is not None and (left := missing(sweep)):
        count = f"{len(left)} cell{'s' if len(left) > 1 else ''} of other shards"
        again = command("resume", run_word(sweep.path), options={"--shard": str(shard)})
        note(
            stderr(),
            f"shard {shard} has nothing left to run; {count} {'have' if len(left) > 1 else 'has'} not ended, the first "
            f"is {left[0].directory}. Once they have, continue with:\n  {again}",
        )
    else:
        print_sweep(stdout(), result_of(sweep), everything=False)
        if failed and fail_fast and missing(sweep):
            again = command("resume", run_word(sweep.path))
            note(stderr(), f"stopped at the first cell that failed; to run the others:\n  {again}")
        else:
            note(stderr(), f"to print the result again:\n  {run_command('compare', sweep.path)}")
    if failed:
        raise typer.Exit(1)
