"""What the commands of the command line are given: arguments and options that several of them share, and choices."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A path, a name, its beginning, last or last~1.", show_default=False)
]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045  # typer reads it at run time
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the config; may be repeated.", show_default=False),
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", envvar="LOSSRUN_RUNS_DIR", help="Where runs lie.")]
DataDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--data-dir", envvar="LOSSRUN_DATA_DIR", help="Where datasets lie or go.", show_default="the platform's cache"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory alone.")]

DEFAULT_RUNS = Path("runs")


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


class Framework(StrEnum):
    pytorch = "pytorch"
    keras = "keras"


class Kind(StrEnum):
    losses = "losses"
    optimizers = "optimizers"
    models = "models"
    datasets = "datasets"
    metrics = "metrics"
    schedules = "schedules"
