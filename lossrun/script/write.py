"""Write the script of a framework into a file."""

from pathlib import Path

from lossrun.errors import RunError, UsageError
from lossrun.nearby import about_folder, joined
from lossrun.script.keras import program as keras
from lossrun.script.lines.script_input import FRAMEWORKS, ScriptInput
from lossrun.script.pytorch import program as pytorch


def write(experiment: ScriptInput, framework: str) -> str:
    """Return a complete script of the experiment, for one seed: data, model, loss, optimizer, epochs.

    Raises:
        UsageError: For an unknown framework, or for what the framework cannot do as lossrun does.
    """
    writers = {"pytorch": pytorch.script, "keras": keras.script}
    if framework not in writers:
        raise UsageError(f"--as {framework}: there is no such framework; expected one of {', '.join(FRAMEWORKS)}")
    return writers[framework](experiment)


def save(text: str, path: Path) -> None:
    """Write a new file. Raises UsageError if it exists already, RunError if it cannot be written."""
    try:
        # "x" fails on an existing file, without a gap between checking and opening.
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} already exists; choose another --output, or remove it") from error
    except OSError as error:
        told = f"cannot write {path}: {error.strerror or error}{about_folder(path)}"
        raise RunError(joined(told, "choose another --output")) from error
