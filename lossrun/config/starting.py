"""`lossrun new`: commented configs to start from, kept as files beside this module."""

from importlib.resources import files
from pathlib import Path

from lossrun.errors import UsageError
from lossrun.nearby import about_folder, nearest_first
from lossrun.shell import PROGRAM, command


def template_names() -> list[str]:
    folder = files("lossrun.config") / "templates"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def template_text(name: str, file: Path = Path("FILE")) -> str:
    """The template; `file` is what its first line says to train. Raises UsageError for an unknown name."""
    names = template_names()
    if name not in names:
        raise UsageError(f"there is no template {name!r}{nearest_first(name, names, 'template')}")
    text = (files("lossrun.config") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")
    # A line break would end the comment that the command stands in, and bytes that are no text cannot be written.
    if str(file).isprintable():
        for told in ("train", "check"):
            text = text.replace(f"{PROGRAM} {told} FILE", command(told, file))
    return text


def write_template(name: str, path: Path) -> None:
    """Write the template to a file that does not exist yet. Raises UsageError."""
    text = template_text(name, path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already and is left alone; choose another file with --output") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}{about_folder(path)}") from None
