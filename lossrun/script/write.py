"""The script of a framework, and the file that it goes into."""

from pathlib import Path

from lossrun.errors import RunError, UsageError
from lossrun.nearby import about_folder, joined
from lossrun.script.keras import program as keras
from lossrun.script.lines.script_input import FRAMEWORKS, ScriptInput
from lossrun.script.pytorch import program as pytorch


def write(experiment: ScriptInput, framework: str) -> str:
    """A complete script that does the same experiment, one seed of it: data, model, loss, optimizer, epochs.

    Raises UsageError for an unknown framework, and for what the framework cannot do as lossrun does.
    """
    writers = {"pytorch": pytorch.script, "keras": keras.script}
    if framework not in writers:
        raise UsageError(f"--as {framework}: there is no such framework; expected one of {', '.join(FRAMEWORKS)}")
    return writers[framework](experiment)


def save(text: str, path: Path) -> None:
    """Write a new file. Raises UsageError where there is one already, RunError where the disk refuses."""
    try:
        # "x" fails on an existing file, whatever happens between a look and the opening.
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already; give another --output, or remove it") from error
    except OSError as error:
        told = f"cannot write {path}: {error.strerror or error}{about_folder(path)}"
        raise RunError(joined(told, "give another --output")) from error
