"""Commands that use the trained model of a run."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lossrun.arguments import (
    DataDir,
    ExportFormat,
    OneSeed,
    RunName,
    RunsDir,
    ScoreFormat,
    Split,
    Weights,
)
from lossrun.commands.importing import torch_is_imported
from lossrun.commands.run_lookup import found_run
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS


def evaluate(
    run: RunName,
    split: Annotated[
        Split | None,
        typer.Option(help="The part of the data to score.", show_default="test, or validation without test data"),
    ] = None,
    checkpoint: Weights = "best",
    per_sample: Annotated[
        Path | None,
        typer.Option(
            "--per-sample", metavar="FILE", help="Also write a CSV file with one row per sample.", show_default=False
        ),
    ] = None,
    format_: Annotated[ScoreFormat, typer.Option("--format", help="The output format.")] = ScoreFormat.table,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
) -> None:
    """Score the model of RUN again by every loss and metric, for each seed and over all seeds.

    The run itself does not change. lossrun looks for its data where they were, next to the run, in the folders above
    it, in the current folder, and in --data-dir.
    """
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.layout.rows import save_csv
    from lossrun.report.scores import print_scores, scores_to_json

    with torch_is_imported():
        from lossrun.inference.scoring import score

    scores = score(
        found_run(run, runs_dir),
        split=split.value if split else None,
        checkpoint=checkpoint,
        data_dir=data_dir,
        per_sample=per_sample is not None,
    )
    for text in scores.notes:
        note(stderr(), text)
    if format_ is ScoreFormat.json:
        write_data(scores_to_json(scores.facts(), scores.seeds))
    else:
        print_scores(stdout(), scores.heading, scores.seeds, scores.epochs, scores.classes)
    if per_sample is not None:
        save_csv(scores.rows, per_sample, "--per-sample")
        note(stderr(), f"{per_sample} written, {len(scores.rows)} rows")


def predict(
    run: RunName,
    input_: Annotated[
        Path,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="The new samples: a csv, npz or IDX file, or - for a table on standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write, csv or npz.", show_default="csv to stdout"
        ),
    ] = None,
    checkpoint: Weights = "best",
    seed: OneSeed = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line of a table names its columns.",
            show_default="as in training",
        ),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
) -> None:
    """Predict new samples with the model of RUN.

    The samples are prepared like the training data: the same columns, encoding and scaling.
    """
    from lossrun.errors import UsageError
    from lossrun.report.layout.console import note, stderr
    from lossrun.report.layout.rows import rows_to_csv, save_csv, save_npz

    if output is not None and output.suffix not in (".csv", ".npz"):
        raise UsageError(f"--output {output}: expected a name that ends in .csv or .npz")
    with torch_is_imported():
        from lossrun.inference.predicting import predict as predicted

    path = found_run(run, runs_dir)
    with _as_file(input_) as file:
        found = predicted(path, file, checkpoint=checkpoint, seed=seed, data_dir=data_dir, header=header)
    for text in found.notes:
        note(stderr(), text)
    if output is None:
        write_data(rows_to_csv(found.rows()))
        return
    if output.suffix == ".csv":
        save_csv(found.rows(), output, "--output")
    else:
        save_npz(found.arrays, output, "--output")
    note(stderr(), f"{output} written")


@contextmanager
def _as_file(given: Path) -> Iterator[Path]:
    """Yield the file that was given; for `-`, a temporary one with what comes from standard input."""
    if str(given) != "-":
        yield given
        return
    from lossrun.errors import DataError
    from lossrun.records.files.scratch import scratch_folder

    with scratch_folder("lossrun-") as folder:
        path = folder / "input.csv"
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        except (AttributeError, OSError) as error:  # there is no stream if it was closed
            reason = getattr(error, "strerror", None) or "it is closed"
            raise DataError(f"--input -: standard input cannot be read: {reason}") from error
        try:
            yield path
        except DataError as error:
            raise DataError(str(error).replace(str(path), "standard input")) from error


def export(
    run: RunName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The folder to write to.", show_default=False)
    ],
    format_: Annotated[
        list[ExportFormat] | None,
        typer.Option("--format", help="The format to write; may be repeated.", show_default="safetensors"),
    ] = None,
    checkpoint: Weights = "best",
    seed: OneSeed = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
) -> None:
    """Export the model or the history of RUN for other programs, with a README that says how to load it.

    safetensors: the weights, with the architecture as JSON. torch: a `torch.export` program. onnx: a model that runs
    without torch. csv: the history. tensorboard: event files of the history.
    """
    from lossrun.report.layout.console import note, stderr

    with torch_is_imported():
        from lossrun.inference.exporting import export as exported

    formats = [one.value for one in format_ or [ExportFormat.safetensors]]
    written = exported(found_run(run, runs_dir), output, formats, checkpoint=checkpoint, seed=seed, data_dir=data_dir)
    for text in written.notes:
        note(stderr(), text)
    for path in written.files:
        write_data(f"{path}\n")
