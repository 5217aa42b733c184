"""Arguments and options that several commands share, and their choices.

Completion offers what is fast to find: names of directories, and names that the catalogue declares.
"""

import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from lossrun.files import named_path
from lossrun.packaged import packaged_configs
from lossrun.shell import DEFAULT_RUNS

Weights = Annotated[
    str,
    typer.Option(
        "--checkpoint", metavar="best|last|STEP", help="Which weights to use: the best, the last, or those of a step."
    ),
]
OneSeed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Which seed's model to use, if the run has several.", show_default="the first"
    ),
]


def path(text: str | Path) -> Path:
    """Return the file or folder that an argument names. `commands/words.py` calls this for every argument of type Path.

    Refused are an empty name, as from an unset variable of the shell, and `~` without a home directory.
    """
    if not str(text):
        raise typer.BadParameter("the name is empty; leave the option out, or write a name")
    named = named_path(text)
    if named.parts[:1] == ("~",):
        raise typer.BadParameter(f"{text}: there is no home directory; write the whole path")
    return named


def run(text: str) -> str:
    """Return the words that name a run, with `~` as in a path."""
    return str(path(text)) if text.startswith("~/") else text


def complete_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of runs and `last`, newest first; after a digit, names of directories. The shell completes paths."""
    from lossrun.records.names import bare_name

    folder = named_path(ctx.params.get("runs_dir") or os.environ.get("LOSSRUN_RUNS_DIR") or DEFAULT_RUNS)
    if "/" in incomplete:
        return []
    # Names of directories begin with the time. Reading the files in them would take too long for a completion.
    try:
        found = sorted((name for name in os.listdir(folder) if name[:1].isdigit()), reverse=True)  # noqa: PTH208
    except OSError:
        return []
    names = found if incomplete[:1].isdigit() else ["last", *(bare_name(folder / name) for name in found)]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def complete_labels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return `A=`, `B=` and so on for the runs on the line so far, and their names; people choose the text."""
    from lossrun.analysis.comparison.differences import letters

    # While the option has no value, the words before it are not assigned to arguments.
    runs = list(ctx.params.get("runs") or ctx.args)
    offered = [f"{name}=" for name in (*letters(len(runs)), *runs)]
    return [text for text in dict.fromkeys(offered) if text.startswith(incomplete)]


def complete_configs(incomplete: str) -> list[str]:
    """Return YAML files at the path so far and one folder below, then names of packaged configs.

    Without any, the shell completes files itself.
    """
    folder = Path(incomplete.rpartition("/")[0] + "/") if "/" in incomplete else Path()
    found = [
        path
        for depth in ("*", "*/*")
        for ending in ("yaml", "yml")
        for path in sorted(folder.glob(f"{depth}.{ending}"))
    ]
    files = [text for path in found if "/." not in f"/{(text := str(path))}"]
    return [text for text in (*files, *packaged_configs()) if text.startswith(incomplete)]


def complete_packaged(incomplete: str) -> list[str]:
    return [name for name in packaged_configs() if name.startswith(incomplete)]


# What `list` lists, and the kind that the catalogue calls it.
LISTS: Final = {
    "losses": "loss",
    "optimizers": "optimizer",
    "models": "model",
    "datasets": "dataset",
    "metrics": "metric",
    "schedules": "schedule",
    "activations": "activation",
    "initializers": "initializer",
    "layers": "layer",
    "noises": "noise",
    "rules": "rule",
    "diagnoses": "diagnosis",
}


def complete_lists(incomplete: str) -> list[str]:
    return [name for name in LISTS if name.startswith(incomplete)]


def complete_names(incomplete: str) -> list[str]:
    """Return names for `explain`: those of the catalogue, losses first.

    If no name begins so, return lint rules, diagnoses, keys of the config, and other spellings.
    """
    from lossrun.catalog.lookup import COMPONENTS

    every = [component for kind in COMPONENTS.values() for component in kind]
    ours = [component.name for component in every]
    others = [alias.spelling for component in every for alias in component.aliases]
    if not any(name.startswith(incomplete) for name in ours):
        # Importing the rules takes too long for every completion.
        from lossrun.catalog.diagnoses import DIAGNOSES
        from lossrun.config.key_paths import file_keys
        from lossrun.lint.rules import RULES

        keys = [path for path in file_keys() if "." in incomplete or "." not in path]
        ours = [*RULES, *DIAGNOSES, *keys, *others]
    return [name for name in dict.fromkeys(ours) if name.startswith(incomplete)]


ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or the name of a config that comes with lossrun (quickstart), or - for standard input.",
        show_default=False,
        autocompletion=complete_configs,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        parser=run,
        help="A path, a name, the beginning of a name, last (the newest run), last~1 (the one before), or SWEEP/CELL.",
        show_default=False,
        autocompletion=complete_runs,
    ),
]
RunNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN...",
        parser=run,
        help="Paths, names, beginnings of names, last, last~1, or patterns in quotes such as 'mnist-*' or "
        "'SWEEP/final-*'.",
        show_default=False,
        autocompletion=complete_runs,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Use only runs with this tag; may be repeated.", show_default=False),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="[RUN=]TEXT",
        help="Name a run in the output: A=TEXT (its letter), RUN=TEXT, or TEXT for each run in order; may be repeated.",
        show_default=False,
        autocompletion=complete_labels,
    ),
]
NewName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The name of the run.", show_default="dataset-model-loss-optimizer"),
]
NewTags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Add a tag to those in the config; may be repeated.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of the config; may be repeated. VALUE is YAML, or plain text for a key that holds text.",
        show_default=False,
    ),
]


def folder(text: str | Path) -> Path:
    """Return the folder that an option names. Refused is what cannot be a folder."""
    named = path(text)
    try:
        if not stat.S_ISDIR(named.stat().st_mode):
            raise typer.BadParameter(f"{text} is not a folder; name one, or one that does not exist yet")
    except FileNotFoundError:  # it will be made
        pass
    except OSError as error:
        raise typer.BadParameter(f"{str(text)[:200]} cannot be used: {error.strerror}") from None
    return named


RunsDir = Annotated[
    Path,
    typer.Option(
        "--runs-dir", envvar="LOSSRUN_RUNS_DIR", parser=folder, metavar="PATH", help="The folder that holds the runs."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="LOSSRUN_DATA_DIR",
        parser=folder,
        metavar="PATH",
        help="The folder that holds the datasets. Downloads go there.",
        show_default="the platform's cache",
    ),
]
ResumeOrStart = Annotated[
    bool,
    typer.Option("--resume-or-start", help="Continue what the same command started before; otherwise start it."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the run directory.")]


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    md = "md"
    latex = "latex"

    @property
    def is_data(self) -> bool:
        """Whether programs read it, in full precision."""
        return self in (Format.json, Format.csv)


class ListFormat(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


class Framework(StrEnum):
    pytorch = "pytorch"
    keras = "keras"


class Grouped(StrEnum):
    dataset = "dataset"


class Population(StrEnum):
    seeds = "seeds"
    items = "items"


class RequiredVerdict(StrEnum):
    better = "better"
    not_worse = "not-worse"


class XAxis(StrEnum):
    epoch = "epoch"
    step = "step"
    seconds = "seconds"


class Split(StrEnum):
    test = "test"
    validation = "validation"
    train = "train"


class ScoreFormat(StrEnum):
    table = "table"
    json = "json"


class ExportFormat(StrEnum):
    safetensors = "safetensors"
    torch = "torch"
    onnx = "onnx"
    csv = "csv"
    tensorboard = "tensorboard"
