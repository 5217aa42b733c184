"""Commands for the time before a run: they check, write and explain configs, and download data."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from lossrun.commands.run_lookup import chosen_data_dir, read_config, read_draft
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS, STDIN, command, join

if TYPE_CHECKING:
    from lossrun.catalog.declaration import Layer
    from lossrun.config import SourcedConfig
    from lossrun.experiment import Experiment
    from lossrun.sweeping.reading import ReadSweep


def check(config: ConfigFile, set_: Overrides = None, data_dir: DataDir = None) -> None:
    """Check CONFIG for mistakes without training, and print it with every default filled in.

    The config is checked against its data and against the lint rules, and your own code is tried on a batch.
    `lossrun train` does the same before it starts. The alternatives of a sweep block are checked, too.
    """
    draft = read_draft(config, set_ or [])
    swept: ReadSweep | None = None
    if draft.sweep is None:
        reading = draft.validated()
    else:
        from lossrun.sweeping.reading import read_sweep

        swept = read_sweep(draft)
        reading = swept.base
    # Data need numpy, so it is imported only if the file has no mistakes.
    from lossrun.lint.size import size_of
    from lossrun.lint.untold import parts_to_try
    from lossrun.records.files import config_file
    from lossrun.report.facts import facts, layers
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.report.reference.names_in_brackets import where_to_read
    from lossrun.report.training import banner

    tried: list[str] = []
    own_layers: Sequence[Layer] = ()
    experiment, absent = _experiment(reading, chosen_data_dir(data_dir))
    if not absent and (tried := parts_to_try(experiment.config, experiment.facts, experiment.data.values())):
        with torch_is_imported():
            from lossrun.training.starting.prepare import prepare
        own_layers = prepare(experiment).layers
    planned = [] if swept is None else _checked_sweep(swept, chosen_data_dir(data_dir), without_data=bool(absent))
    write_data(config_file.dumps(experiment.config.to_mapping()).removeprefix(config_file.HEADING))
    console = stderr()
    console.print()
    known = facts(
        experiment.config, experiment.facts, (*experiment.done, *experiment.notes), own_layers, reading.source.written
    )
    if not experiment.config.model.is_plugin:
        known["size"] = str(size_of(experiment.config, experiment.facts))
    banner(console, known, layers(experiment.config, experiment.facts, own_layers))
    for text in (*reading.notes, *planned):
        note(console, text)
    if tried:
        note(console, f"tried on a batch, as `train` does before it starts: {', '.join(tried)}")
    warnings = [*experiment.warnings, *([f"checked without the data: {absent}"] if absent else [])]
    for text in warnings:
        warning(console, text)
    if more := where_to_read(warnings):
        note(console, more)
    if not warnings:
        word = "train" if reading.sweep is None else "sweep"
        next_ = command(word, config, set_=set_ or (), data_dir=data_dir)
        note(console, "no problems found" + ("" if config == STDIN else f". Next:\n  {next_}"))


def _experiment(reading: "SourcedConfig", data_dir: Path) -> "tuple[Experiment, str]":
    """Return the experiment of a config, and why its data are absent, if it can be checked without them; else ""."""
    from lossrun.errors import AbsentDataError
    from lossrun.experiment import experiment_without_data, load_experiment
    from lossrun.plugins.loading import own_component

    try:
        return load_experiment(reading, data_dir), ""
    except AbsentDataError as problem:
        experiment = experiment_without_data(reading, data_dir)
        if experiment is None:
            raise
        for kind in ("model", "loss", "optimizer"):
            if (choice := getattr(reading.config, kind)).is_plugin:
                own_component(kind, choice, reading.directory)
        return experiment, str(problem).splitlines()[0].rstrip(":")


def _checked_sweep(swept: "ReadSweep", data_dir: Path, *, without_data: bool) -> list[str]:
    """Check the cells of a sweep against their data, and return a line about what it trains. Raises UsageError."""
    if without_data:
        count = len(swept.cells)
        return [f"the sweep block has {count:,} cell{'s' if count > 1 else ''}"]
    from lossrun.report.sweep import plan_in_words
    from lossrun.sweeping.plan import plan_sweep

    planned = plan_sweep(swept, DEFAULT_RUNS, data_dir)
    text = plan_in_words(planned.cells, swept.base.config.seeds, tunes=planned.tunes, later=planned.later)
    return [f"the sweep block: {text}"]


def script(
    config: ConfigFile,
    framework: Annotated[
        Framework, typer.Option("--as", case_sensitive=False, help="The framework of the script.", show_default=False)
    ],
    set_: Overrides = None,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write.", show_default="stdout"),
    ] = None,
) -> None:
    """Write the experiment of CONFIG as a plain PyTorch or Keras script.

    The script builds the same data, model, loss and optimizer, with all their defaults spelled out.
    """
    reading = read_config(config, set_ or [])
    # Data need numpy, so it is imported only if the file has no mistakes.
    from lossrun.experiment import load_experiment
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.report.layout.files import save_new
    from lossrun.report.reference.names_in_brackets import where_to_read
    from lossrun.script import script_input, write

    console = stderr()
    written_by = command("script", config, "--as", framework.value, set_=set_ or (), data_dir=data_dir)
    experiment = load_experiment(reading, chosen_data_dir(data_dir), trains=False)
    given = ("standard input",) if config == STDIN else (str(config), written_by)
    text = write(script_input(experiment, *given), framework.value)
    for told in experiment.reading.notes:
        note(console, told)
    for told in experiment.warnings:
        warning(console, told)
    if more := where_to_read(experiment.warnings):
        note(console, more)
    if output is None:
        write_data(text)
    else:
        save_new(text, output)
        note(console, f"{output} written. Next:\n  {join(['python', output])}")


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help=f"What to list: {', '.join(LISTS)}.", show_default=False, autocompletion=complete_lists
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="List only what fits this task: regression, binary, multiclass or multilabel.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Add all parameters and other spellings; for rules, add examples.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what a config can name, such as losses or optimizers, or all lint rules or diagnoses."""
    import json

    from lossrun.catalog import COMPONENTS
    from lossrun.catalog.declaration import TASKS
    from lossrun.errors import UsageError
    from lossrun.report.layout.console import stdout
    from lossrun.report.reference.listing import listing, overview, records

    if task is not None and task not in TASKS:
        raise UsageError(f"--task {task}: there is no such task; expected one of {', '.join(TASKS)}")
    declared = LISTS.get(kind, kind)
    if declared not in LISTS.values():
        raise UsageError(f"list {kind}: there is no such list; expected one of {', '.join(LISTS)}")
    if declared not in COMPONENTS:
        from lossrun.report.reference.advice_listing import advice_records, print_advice

        if task is not None:
            raise UsageError(f"list {kind}: --task is for losses, metrics and datasets; leave it out")
        if json_:
            write_data(json.dumps(advice_records(declared), indent=2) + "\n")
        else:
            print_advice(stdout(), declared, full=full)
    elif json_:
        write_data(json.dumps(records(declared, task), indent=2) + "\n")
    else:
        (listing if full else overview)(stdout(), declared, task)


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name in any spelling, such as huber, keras.RMSprop or batch_size.",
            show_default=False,
            autocompletion=complete_names,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="If the name means several things, explain only this one: loss, optimizer, rule, key and so on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Explain a loss, optimizer, schedule, model, dataset, metric, lint rule, diagnosis or config key.

    For a loss: the formula, when to use it and when not, what it expects, its gradient, and a plot of it.
    """
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
            # Importing torch takes a second, so the text is printed first.
            with torch_is_imported():
                from lossrun.components.losses.curves import pictures

            for picture in pictures(topic.name, topic.implies):
                print_loss(console, picture.name, picture.axis, picture.rows, picture.curves, picture.limits)


def schema() -> None:
    """Print the JSON Schema of configs, for editors."""
    from lossrun.config.starting import schema_text

    write_data(schema_text())


def new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="What to start from: regression, classification, table, or any config that comes with lossrun.",
            autocompletion=complete_packaged,
        ),
    ] = "regression",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; - for stdout.")
    ] = Path("config.yaml"),
) -> None:
    """Write a commented config to start from, and a JSON Schema that lets editors complete and check it."""
    from lossrun.config import read
    from lossrun.config.starting import starting_text
    from lossrun.report.layout.console import note, stderr
    from lossrun.report.starting import write_config

    if str(output) == "-":
        write_data(starting_text(name))
        return
    schema, written = write_config(name, output), read(output, [])
    word = "train" if written.sweep is None else "sweep"
    own = "Put the path and the target of your own file into it, then"
    then = own if "path" in written.config.dataset.parameters else "Next"
    note(stderr(), f"{output} written, and {schema} for your editor. {then}:\n  {command(word, output)}")


def fetch(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="The dataset: mnist, fashion_mnist or kmnist.", show_default=False)
    ],
    data_dir: DataDir = None,
) -> None:
    """Download DATASET before its first run, and check it against its published digests."""
    from lossrun.catalog import find
    from lossrun.data import fetch as fetched
    from lossrun.data.sources.images import IMAGE_SETS
    from lossrun.errors import UsageError
    from lossrun.nearby import nearest_first

    found = find("dataset", dataset)
    if found is None or found.component.name not in IMAGE_SETS:
        near = nearest_first(dataset, list(IMAGE_SETS), "dataset", "to download")
        raise UsageError(f"{dataset} is not among the datasets to download{near}")
    for path in fetched(found.component.name, chosen_data_dir(data_dir)):
        write_data(f"{path}\n")
