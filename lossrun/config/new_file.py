"""Write a text into a new file that a user names: a config to start from, or a script."""

from pathlib import Path

from lossrun.errors import RunError, UsageError
from lossrun.nearby import about_folder, joined


def save_new(text: str, path: Path) -> None:
    """Write a new file completely, or not at all.

    Raises:
        UsageError: If it exists already; nothing is overwritten.
        RunError: If it cannot be written.
    """
    try:
        # "x" fails on an existing file, without a gap between checking and opening.
        stream = path.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{path} already exists and was not changed; choose another --output, or remove it") from error
    except OSError as error:
        raise _refused(path, error) from error
    try:
        with stream:
            stream.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> RunError:
    told = f"cannot write {path}: {error.strerror or error}{about_folder(path)}"
    return RunError(joined(told, "choose another --output"))
