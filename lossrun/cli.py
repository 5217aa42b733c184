"""The command line. Thin: it imports what a command needs inside that command, and turns errors into exit codes."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from lossrun.arguments import (
    DEFAULT_RUNS,
    ConfigFile,
    DataDir,
    Format,
    Framework,
    Kind,
    Overrides,
    Quiet,
    RunName,
    RunsDir,
)
from lossrun.errors import ConfigError, LossrunError, RunError, StoppedError
from lossrun.version import __version__

app = typer.Typer(
    help="Which loss, which optimizer, which learning rate: train from YAML, resume exactly, compare honestly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The entry point: every error of ours becomes one message on stderr and its exit code."""
    if hasattr(signal, "SIGPIPE"):
        # `lossrun ls | head` ends like any other command; a run in progress ignores the signal (screen.py).
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app()
    except OSError as problem:
        from lossrun.report.console import abandon_stdout, error, stderr

        # The rooms turn what they know of into errors of ours: what is left is our own output.
        abandon_stdout()
        error(stderr(), f"cannot write the output: {problem.strerror or problem}")
        sys.exit(RunError.exit_code)
    except LossrunError as problem:
        from lossrun.report.console import error, note, stderr

        console = stderr()
        if isinstance(problem, StoppedError):
            note(console, str(problem))
        elif isinstance(problem, ConfigError):
            for text in problem.problems:
                error(console, text)
        else:
            error(console, str(problem))
        sys.exit(problem.exit_code)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def train(
    config: ConfigFile,
    set_: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    name: Annotated[Optional[str], typer.Option(help="Name of the run.", show_default=False)] = None,  # noqa: UP045
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Train as CONFIG says, into a new directory under --runs-dir."""
    from lossrun.config import read
    from lossrun.lint import examine

    overrides = [*(set_ or []), *([f"name={name}"] if name else [])]
    examined = examine(read(config, overrides), _data_dir(data_dir))

    # Only now, with every mistake of the config told, is torch worth its seconds.
    from lossrun.screen import train_on_screen
    from lossrun.training.start import begin, prepare

    with begin(prepare(examined), runs_dir) as session:
        train_on_screen(session, examined, quiet=quiet)


@app.command()
def resume(
    run: RunName,
    set_: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Go on with RUN from its newest good checkpoint, to the bits that it would have reached without a stop."""
    from lossrun.lint import examine
    from lossrun.report.console import note, stderr, warning
    from lossrun.training.resumable import find_resumable

    console = stderr()
    resumable = find_resumable(_found(run, runs_dir), set_ or [])
    if resumable.finished and not resumable.changes:
        note(console, f"{resumable.run.name} is finished; to train it further: lossrun resume {run} --set epochs=...")
        if quiet:
            typer.echo(resumable.run.path)
        return
    for text in resumable.notes:
        note(console, text)
    examined = examine(resumable.reading, data_dir or resumable.data_dir(_data_dir(None)))

    from lossrun.screen import train_on_screen
    from lossrun.training.start import prepare, resume_at

    def skipped(_path: Path, reason: str) -> None:
        warning(console, f"checkpoint skipped: {reason}")

    prepared = prepare(examined, resumable)
    with resume_at(prepared, resumable, skipped, lambda text: note(console, text)) as session:
        train_on_screen(session, examined, quiet=quiet)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Two runs or more.", show_default=False)],
    format_: Annotated[Format, typer.Option("--format", help="For people or for programs.")] = Format.table,
    metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The yardstick to show, without val_ or test_.", show_default="all"),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Say what differs between runs and which is better by which yardstick."""
    from lossrun.analysis.compare import compare as compared
    from lossrun.errors import UsageError
    from lossrun.records import recorded
    from lossrun.report import formats
    from lossrun.report.compare import print_comparison
    from lossrun.report.console import stdout

    if len(runs) < 2:
        raise UsageError(f"compare wants at least two runs, not {len(runs)}; lossrun ls lists them")
    comparison = compared([recorded.load(_found(run, runs_dir)) for run in runs], metric)
    if format_ is Format.table:
        print_comparison(comparison, stdout())
    else:
        written = {Format.json: formats.to_json, Format.csv: formats.to_csv, Format.md: formats.to_markdown}
        typer.echo(written[format_](comparison), nl=False)


@app.command()
def ls(runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """List the runs: state, epochs, what they were trained with, how well they did."""
    from lossrun.analysis.runs import listing
    from lossrun.records.run_directory import all_runs
    from lossrun.report.console import stdout
    from lossrun.report.runs import print_listing

    print_listing(listing(all_runs(runs_dir)), stdout())


@app.command()
def show(run: RunName, runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """Show one run: config, results, checkpoints, what happened to it."""
    from lossrun.analysis.runs import facts
    from lossrun.records import recorded
    from lossrun.report.console import stdout
    from lossrun.report.runs import print_facts

    print_facts(facts(recorded.load(_found(run, runs_dir))), stdout())


@app.command()
def check(config: ConfigFile, set_: Overrides = None, data_dir: DataDir = None) -> None:
    """Check CONFIG against its data without training; print it with every default filled in."""
    from lossrun.config import read
    from lossrun.errors import DataError
    from lossrun.lint import examine, examine_without_data
    from lossrun.records import config_file
    from lossrun.report.console import note, stderr, warning
    from lossrun.report.facts import facts, layers
    from lossrun.report.training import banner

    reading = read(config, set_ or [])
    missing = ""
    try:
        examined = examine(reading, _data_dir(data_dir))
    except DataError as problem:
        without = examine_without_data(reading, _data_dir(data_dir))
        if without is None:
            raise
        examined, missing = without, str(problem).splitlines()[0].rstrip(":")
    typer.echo(config_file.dumps(examined.config.to_mapping()).removeprefix(config_file.HEADING), nl=False)
    console = stderr()
    console.print()
    banner(console, facts(examined.config, examined.facts, examined.notes), layers(examined.config, examined.facts))
    for text in reading.notes:
        note(console, text)
    for text in [*examined.warnings, *([f"checked without the data: {missing}"] if missing else [])]:
        warning(console, text)


@app.command()
def script(
    config: ConfigFile,
    framework: Annotated[Framework, typer.Option("--as", help="What to write it in.", show_default=False)],
    set_: Overrides = None,
    data_dir: DataDir = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="File to write.", show_default="stdout"),
    ] = None,
) -> None:
    """Write CONFIG as a plain script in PyTorch or Keras that does the same experiment."""
    from lossrun.config import read
    from lossrun.lint import examine
    from lossrun.report.console import note, stderr, warning
    from lossrun.script import experiment, save, write

    console = stderr()
    examined = examine(read(config, set_ or []), _data_dir(data_dir))
    text = write(experiment(examined, str(config)), framework.value)
    for told in examined.reading.notes:
        note(console, told)
    for told in examined.warnings:
        warning(console, told)
    if output is None:
        typer.echo(text, nl=False)
    else:
        save(text, output)
        note(console, f"{output} written; now: python {output}")


@app.command("list")
def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    task: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only what fits regression, binary, multiclass or multilabel.", show_default=False),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="With all parameters and other spellings.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List every loss, optimizer, model, dataset, metric or schedule, and what one chooses it by."""
    from lossrun.catalog.declaration import TASKS
    from lossrun.errors import UsageError
    from lossrun.report.console import stdout
    from lossrun.report.listing import listing, overview, records

    if task is not None and task not in TASKS:
        raise UsageError(f"--task {task}: there is no such task; expected one of {', '.join(TASKS)}")
    declared = "loss" if kind is Kind.losses else kind.value.removesuffix("s")
    if json_:
        import json

        typer.echo(json.dumps(records(declared, task), indent=2))
    else:
        (listing if full else overview)(stdout(), declared, task)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="In any spelling, such as huber or keras.RMSprop.", show_default=False)],
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only the loss (optimizer, rule, diagnosis ...) of that name.", show_default=False),
    ] = None,
) -> None:
    """Explain a loss, optimizer, schedule, model, dataset, metric, lint rule or diagnosis."""
    from lossrun.report.console import stdout
    from lossrun.report.explain import examples, print_topic
    from lossrun.report.pictures import print_loss, print_rates
    from lossrun.report.topics import topics

    console, found = stdout(), topics(name, kind)
    for topic in found:
        print_topic(console, topic)
    for topic in found:
        if topic.kind == "schedule":
            from lossrun.components.schedule_curves import rate_curves

            if curves := rate_curves(topic.name, examples(topic.name) | dict(topic.implies)):
                print_rates(console, topic.name, curves)
        if topic.kind == "loss":
            # Only now, with the text on the screen, is torch worth its seconds.
            from lossrun.components.loss_curves import pictures

            for picture in pictures(topic.name, topic.implies):
                print_loss(console, picture.name, picture.axis, picture.rows, picture.curves, picture.limits)


@app.command()
def schema() -> None:
    """Print the JSON Schema of config files, for editors."""
    import json

    from lossrun.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def new(
    template: Annotated[str, typer.Argument(help="regression, classification or table.")] = "regression",
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - for stdout.")] = Path("config.yaml"),
) -> None:
    """Write a commented config to start from."""
    from lossrun.config.starting import template_text, write_template
    from lossrun.report.console import note, stderr

    if str(output) == "-":
        typer.echo(template_text(template), nl=False)
        return
    write_template(template, output)
    note(stderr(), f"{output} written; now: lossrun train {output}")


@app.command()
def fetch(
    dataset: Annotated[str, typer.Argument(help="mnist, fashion_mnist or kmnist.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Download DATASET ahead of its first run, checked by its published digests."""
    from lossrun.catalog import find
    from lossrun.data import fetch as fetched
    from lossrun.data.images import IMAGE_SETS
    from lossrun.errors import UsageError

    found = find("dataset", dataset)
    if found is None or found.component.name not in IMAGE_SETS:
        raise UsageError(f"{dataset} is not among the datasets to download; expected {', '.join(IMAGE_SETS)}")
    for path in fetched(found.component.name, _data_dir(data_dir)):
        typer.echo(path)


def _found(run: str, runs_dir: Path) -> Path:
    """The run's directory; says which where the argument left room for doubt."""
    from lossrun.records.run_directory import find
    from lossrun.report.console import note, stderr

    path = find(run, runs_dir)
    if path.name != Path(run).name:
        note(stderr(), f"{run} is {path.name}")
    return path


def _data_dir(given: Path | None) -> Path:
    if given is not None:
        return given
    from lossrun.data import default_data_dir

    return default_data_dir()
