"""The manual: everything that a config may name and every command, as one page to read in a browser."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.core import TyperGroup

from lossrun.commands.importing import torch_is_imported
from lossrun.output import write_data
from lossrun.shell import PROGRAM

if TYPE_CHECKING:
    from lossrun.report.manual.commands import CommandEntry
    from lossrun.report.manual.page import Curves


def manual(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write this file instead of opening a browser; - for stdout.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the manual in a browser: one page with every key, component, lint rule and command. It works offline."""
    import webbrowser

    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.layout.files import save
    from lossrun.report.manual.page import to_html

    page = to_html(_commands(ctx), _curves())
    if output is not None and str(output) == "-":
        write_data(page)
        return
    path = _place() if output is None else output
    save(page.encode(), path, "--output")
    if output is not None:
        note(stderr(), f"{path} written; open it in a browser")
        return
    write_data(f"{path}\n")
    if stdout().is_terminal and webbrowser.open(path.as_uri()):
        note(stderr(), "opened in the browser; if nothing appears, open this file yourself")
    else:
        note(stderr(), f"open it in a browser: {path.as_uri()}")


def _place() -> Path:
    """Return a file in the platform's cache folder, or a temporary file if that folder cannot be written."""
    import os
    import tempfile

    from platformdirs import user_cache_path

    from lossrun.version import __version__

    name = f"lossrun-manual-{__version__}.html"
    folder = user_cache_path("lossrun")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder / name
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="lossrun-")) / name


def _curves() -> "Curves":
    """Return the curves of every loss and schedule, computed by the functions that training uses."""
    from lossrun.catalog.lookup import COMPONENTS
    from lossrun.components.schedule_curves import rate_curves
    from lossrun.report.manual.page import Curves
    from lossrun.report.reference.examples import values_without_default

    with torch_is_imported():
        from lossrun.components.losses.curves import pictures

    return Curves(
        {loss.name: pictures(loss.name) for loss in COMPONENTS["loss"]},
        {one.name: rate_curves(one.name, values_without_default(one.name)) for one in COMPONENTS["schedule"]},
    )


def _commands(context: typer.Context) -> "list[CommandEntry]":
    """Return every command, with the words of its `--help`."""
    from lossrun.report.manual.commands import CommandEntry

    root = context.find_root()
    found = []
    for name, command in cast(TyperGroup, root.command).commands.items():
        inner = typer.Context(command, info_name=name, parent=root)
        records = [parameter.get_help_record(inner) for parameter in command.get_params(inner)]
        paragraphs = [" ".join(text.split()) for text in (command.help or "").split("\n\n")]
        usage = " ".join([PROGRAM, name, *command.collect_usage_pieces(inner)])
        found.append(CommandEntry(name, usage, tuple(paragraphs), tuple(record for record in records if record)))
    return found
