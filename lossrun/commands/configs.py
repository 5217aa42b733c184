"""Before a run: configs, what they may name, and data."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from lossrun.arguments import (
    LISTS,
    ConfigFile,
    DataDir,
    Framework,
    Overrides,
    complete_lists,
    complete_names,
    complete_packaged,
)
from lossrun.commands.importing import torch_is_imported
from lossrun.commands.run_lookup import folder_of_data, read_config
from lossrun.shell import STDIN, command, join

if TYPE_CHECKING:
    from lossrun.catalog.declaration import Layer


def check(config: ConfigFile, set_: Overrides = None, data_dir: DataDir = None) -> None:
    """Check CONFIG against its data without training; print it with every default filled in.

    Your own code is tried on a batch, as `train` does before it starts.
    """
    reading = read_config(config, set_ or [])
    # Data need numpy: a mistake in the file is told before that is imported.
    from lossrun.errors import AbsentDataError
    from lossrun.experiment import experiment_without_data, load_experiment
    from lossrun.lint.size import size_of
    from lossrun.lint.untold import only_torch_tells
    from lossrun.plugins.loading import own_component
    from lossrun.records.files import config_file
    from lossrun.report.facts import facts, layers
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.report.reference.names_in_brackets import where_to_read
    from lossrun.report.training import banner

    absent = ""
    tried: list[str] = []
    own_layers: Sequence[Layer] = ()
    # What the user's own code prints is no part of the config.
    with redirect_stdout(sys.stderr):
        try:
            experiment = load_experiment(reading, folder_of_data(data_dir))
        except AbsentDataError as problem:
            without = experiment_without_data(reading, folder_of_data(data_dir))
            if without is None:
                raise
            experiment, absent = without, str(problem).splitlines()[0].rstrip(":")
            for kind in ("model", "loss", "optimizer"):
                if (choice := getattr(reading.config, kind)).is_plugin:
                    own_component(kind, choice, reading.directory)
        if not absent and (tried := only_torch_tells(experiment.config, experiment.facts, experiment.data.values())):
            with torch_is_imported():
                from lossrun.training.start import prepare
            own_layers = prepare(experiment).layers
    typer.echo(config_file.dumps(experiment.config.to_mapping()).removeprefix(config_file.HEADING), nl=False)
    console = stderr()
    console.print()
    known = facts(experiment.config, experiment.facts, experiment.notes, own_layers, reading.source.written)
    if not experiment.config.model.is_plugin:
        known["size"] = str(size_of(experiment.config, experiment.facts))
    banner(console, known, layers(experiment.config, experiment.facts, own_layers))
    for text in reading.notes:
        note(console, text)
    if tried:
        note(console, f"tried on a batch, as `train` does before it starts: {', '.join(tried)}")
    warnings = [*experiment.warnings, *([f"checked without the data: {absent}"] if absent else [])]
    for text in warnings:
        warning(console, text)
    if more := where_to_read(warnings):
        note(console, more)
    if not warnings:
        next_ = command("train", config, set_=set_ or (), data_dir=data_dir)
        note(console, "no problems found" + ("" if config == STDIN else f". Next:\n  {next_}"))


def script(
    config: ConfigFile,
    framework: Annotated[
        Framework, typer.Option("--as", case_sensitive=False, help="What to write it in.", show_default=False)
    ],
    set_: Overrides = None,
    data_dir: DataDir = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="File to write.", show_default="stdout"),
    ] = None,
) -> None:
    """Write CONFIG as a plain script in PyTorch or Keras that does the same experiment."""
    with redirect_stdout(sys.stderr):
        reading = read_config(config, set_ or [])
    # Data need numpy: a mistake in the file is told before that is imported.
    from lossrun.experiment import load_experiment
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.report.reference.names_in_brackets import where_to_read
    from lossrun.script import save, script_input, write

    console = stderr()
    written_by = command("script", config, "--as", framework.value, set_=set_ or (), data_dir=data_dir)
    # What the user's own code prints must not get into the script.
    with redirect_stdout(sys.stderr):
        experiment = load_experiment(reading, folder_of_data(data_dir), trains=False)
        given = ("standard input",) if config == STDIN else (str(config), written_by)
        text = write(script_input(experiment, *given), framework.value)
    for told in experiment.reading.notes:
        note(console, told)
    for told in experiment.warnings:
        warning(console, told)
    if more := where_to_read(experiment.warnings):
        note(console, more)
    if output is None:
        typer.echo(text, nl=False)
    else:
        save(text, output)
        note(console, f"{output} written. Next:\n  {join(['python', output])}")


def list_(
    kind: Annotated[
        str,
        typer.Argument(help=f"{', '.join(LISTS)}; or one of them.", show_default=False, autocompletion=complete_lists),
    ],
    task: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only what fits regression, binary, multiclass or multilabel.", show_default=False),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With all parameters and other spellings; rules with their examples.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List every loss, optimizer, model, dataset, metric or schedule and how to choose; or lint rules or diagnoses."""
    import json

    from lossrun.catalog.declaration import TASKS
    from lossrun.errors import UsageError
    from lossrun.report.layout.console import stdout
    from lossrun.report.reference.advice_listing import ADVICE, advice_records, print_advice
    from lossrun.report.reference.listing import listing, overview, records

    if task is not None and task not in TASKS:
        raise UsageError(f"--task {task}: there is no such task; expected one of {', '.join(TASKS)}")
    declared = LISTS.get(kind, kind)
    if declared not in LISTS.values():
        raise UsageError(f"list {kind}: there is no such list; expected one of {', '.join(LISTS)}")
    if declared in ADVICE:
        if task is not None:
            raise UsageError(f"list {kind}: --task is for losses, metrics and datasets; leave it out")
        if json_:
            typer.echo(json.dumps(advice_records(declared), indent=2))
        else:
            print_advice(stdout(), declared, full=full)
    elif json_:
        typer.echo(json.dumps(records(declared, task), indent=2))
    else:
        (listing if full else overview)(stdout(), declared, task)


def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="In any spelling, such as huber, keras.RMSprop or batch_size.",
            show_default=False,
            autocompletion=complete_names,
        ),
    ],
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only the loss (optimizer, rule, diagnosis, key ...) of that name.", show_default=False),
    ] = None,
) -> None:
    """Explain a loss, optimizer, schedule, model, dataset, metric, lint rule, diagnosis or key of the config."""
    from lossrun.report.layout.console import stdout
    from lossrun.report.reference.examples import values_without_default
    from lossrun.report.reference.explain import print_topic
    from lossrun.report.reference.pictures import print_loss, print_rates
    from lossrun.report.reference.topics import topics

    console, found = stdout(), topics(name, kind)
    for topic in found:
        print_topic(console, topic)
    for topic in found:
        if topic.kind == "schedule":
            from lossrun.components.schedule_curves import rate_curves

            if curves := rate_curves(topic.name, values_without_default(topic.name) | dict(topic.implies)):
                print_rates(console, topic.name, curves)
        if topic.kind == "loss":
            # Only now, with the text on the screen, is torch worth its second.
            with torch_is_imported():
                from lossrun.components.losses.curves import pictures

            for picture in pictures(topic.name, topic.implies):
                print_loss(console, picture.name, picture.axis, picture.rows, picture.curves, picture.limits)


def schema() -> None:
    """Print the JSON Schema of config files, for editors."""
    from lossrun.config.starting import schema_text

    typer.echo(schema_text(), nl=False)


def new(
    name: Annotated[
        str,
        typer.Argument(
            help="regression, classification, table, or another config that comes with lossrun.",
            autocompletion=complete_packaged,
        ),
    ] = "regression",
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - for stdout.")] = Path("config.yaml"),
) -> None:
    """Write a commented config to start from, and next to it the JSON Schema by which editors complete and check it."""
    from lossrun.config.starting import starting_text, write_config
    from lossrun.report.layout.console import note, stderr

    if str(output) == "-":
        typer.echo(starting_text(name), nl=False)
        return
    schema = write_config(name, output)
    note(stderr(), f"{output} written, and {schema} for your editor. Next:\n  {command('train', output)}")


def fetch(
    dataset: Annotated[str, typer.Argument(help="mnist, fashion_mnist or kmnist.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Download DATASET ahead of its first run, checked by its published digests."""
    from lossrun.catalog import find
    from lossrun.data import fetch as fetched
    from lossrun.data.sources.images import IMAGE_SETS
    from lossrun.errors import UsageError
    from lossrun.nearby import nearest_first

    found = find("dataset", dataset)
    if found is None or found.component.name not in IMAGE_SETS:
        near = nearest_first(dataset, list(IMAGE_SETS), "dataset", "to download")
        raise UsageError(f"{dataset} is not among the datasets to download{near}")
    for path in fetched(found.component.name, folder_of_data(data_dir)):
        typer.echo(path)
