"""Making runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import ConfigFile, DataDir, NewName, NewTags, Overrides, Quiet, ResumeOrStart, RunName, RunsDir
from lossrun.commands.importing import torch_is_imported
from lossrun.commands.run_lookup import chosen_data_dir, found_run_or_sweep, read_config, with_name_and_tags
from lossrun.commands.sweeping import Cpus, FailFast, Gpus, Jobs, RayOption, ShardOption
from lossrun.interrupts import leave_behind
from lossrun.output import write_data
from lossrun.processes.taking_part import current, is_leader, require_one_process, taking_part
from lossrun.shell import DEFAULT_RUNS, command, run_command

if TYPE_CHECKING:
    from lossrun.config import Override

TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Also write event files for TensorBoard into this folder.",
        show_default=False,
    ),
]


@taking_part()
def train(
    config: ConfigFile,
    set_: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    name: NewName = None,
    tag: NewTags = None,
    data_dir: DataDir = None,
    tensorboard: TensorBoard = None,
    resume_or_start: ResumeOrStart = False,
    quiet: Quiet = False,
) -> None:
    """Train the experiment that CONFIG describes, and write it to a new run directory.

    Ctrl-C or SIGTERM saves the state and stops; SIGUSR1 saves the state and continues. A stopped run continues with
    `lossrun resume`. The epochs go to standard output, everything else to standard error.

    Use --resume-or-start if a batch system stops the job and starts the same command again. It finds the run by its
    config and name and continues it. If the run is finished, it does nothing.

    `torchrun --nproc-per-node=2 -m lossrun train CONFIG` trains one run in two processes, which share each batch. The
    results are the same as in one process, up to rounding.
    """
    reading = read_config(config, with_name_and_tags(set_, name, tag), quiet=quiet)
    if reading.sweep is not None:
        from lossrun.errors import UsageError

        named_so = {"--name": name, "--tag": tag}
        alone = command(
            "train", config, set_=[*(set_ or []), "sweep=null"], options=named_so, runs_dir=runs_dir, data_dir=data_dir
        )
        all_ = command("sweep", config, set_=set_ or [], options=named_so, runs_dir=runs_dir, data_dir=data_dir)
        raise UsageError(
            f"{config} describes a sweep, many runs: `{all_}` runs it; `{alone}` trains its base config alone"
        )
    # Data need numpy, so it is imported only if the file has no mistakes.
    from lossrun.experiment import load_experiment

    experiment = load_experiment(reading, chosen_data_dir(data_dir))
    if resume_or_start:
        from lossrun.records.finding.begun import begun

        if path := begun(experiment.config.to_mapping(), experiment.config.run_name, runs_dir):
            _continue(path, [], data_dir, tensorboard, quiet=quiet)
            return
    # Importing torch takes a second, so it comes after every check of the config.
    with torch_is_imported():
        from lossrun.screen import train_on_screen
        from lossrun.training.starting.prepare import prepare
        from lossrun.training.starting.start import begin, meet

    _require(tensorboard)
    prepared = prepare(experiment, processes=current())
    meet(prepared)
    with begin(prepared, runs_dir) as session:
        train_on_screen(session, experiment, layers=prepared.layers, quiet=quiet, tensorboard=tensorboard)


@taking_part()
def resume(
    run: RunName,
    set_: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    tensorboard: TensorBoard = None,
    jobs: Jobs = None,
    shard: ShardOption = None,
    ray: RayOption = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    fail_fast: FailFast = False,
    quiet: Quiet = False,
) -> None:
    """Continue RUN from its newest intact checkpoint, bit for bit as if it had never stopped.

    --set can change what a run may change: learning rate, schedule, early stopping, checkpoints, epochs, and parameters
    of the optimizer. A warning names what makes the result inexact: another version of lossrun or torch, or another
    device, kind of CPU or number of threads or processes. Like `train` it can be started by `torchrun`.
    """
    path, is_sweep = found_run_or_sweep(run, runs_dir, quiet=quiet)
    if is_sweep:
        from lossrun.commands.sweeping import cluster_of, resume_sweep, shard_of

        require_one_process("a sweep starts its own processes", "start it once, without torchrun")
        cluster = cluster_of(ray, cpus, gpus, shard_of(shard))
        resume_sweep(
            path, set_ or [], data_dir, jobs=jobs, shard=shard, cluster=cluster, fail_fast=fail_fast, quiet=quiet
        )
        return
    of_sweeps = {"--jobs": jobs, "--shard": shard, "--ray": ray, "--cpus": cpus, "--gpus": gpus}
    given = [f"{option} {value}" for option, value in of_sweeps.items() if value is not None]
    if given or fail_fast:
        from lossrun.errors import UsageError

        option = (given or ["--fail-fast"])[0]
        raise UsageError(f"{option}: {run} is a single run, and {option.split()[0]} is about the cells of a sweep")
    _continue(path, set_ or [], data_dir, tensorboard, quiet=quiet)


def _continue(
    path: Path, overrides: "Sequence[Override]", data_dir: Path | None, tensorboard: Path | None, *, quiet: bool
) -> None:
    """Continue a run, or say that it is finished."""
    from lossrun.experiment import load_experiment
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.training.starting.resumable import resuming

    console = stderr()

    def skipped(_path: Path, reason: str) -> None:
        warning(console, f"checkpoint skipped: {reason}")

    with resuming(path, overrides, data_dir, leads=is_leader()) as resumable:
        if resumable.finished and not resumable.changes:
            further = run_command("resume", resumable.run.path, set_=[f"epochs={2 * resumable.before.epochs}"])
            note(console, f"{resumable.run.name} is finished. To train it further:\n  {further}")
            if quiet:
                write_data(f"{resumable.run.path}\n")
            return
        again = run_command("resume", path, set_=resumable.options)
        leave_behind(f"continue with\n  {again}")
        for text in resumable.notes:
            note(console, text)
        experiment = load_experiment(resumable.reading, data_dir or resumable.data_dir(chosen_data_dir(None)))

        with torch_is_imported():
            from lossrun.screen import train_on_screen
            from lossrun.training.starting.prepare import prepare
            from lossrun.training.starting.resume import resume_at
            from lossrun.training.starting.start import meet

        _require(tensorboard)
        prepared = prepare(experiment, resumable, current())
        meet(prepared)
        with resume_at(prepared, resumable, skipped, lambda text: note(console, text)) as session:
            train_on_screen(session, experiment, layers=prepared.layers, quiet=quiet, tensorboard=tensorboard)


def _require(tensorboard: Path | None) -> None:
    """Raise UsageError, before anything is trained, if event files cannot be written."""
    if tensorboard is not None:
        from lossrun.inference.tensorboard import require_tensorboard

        require_tensorboard(tensorboard)
