"""The two streams: data on stdout, everything said about it on stderr."""

import sys

from rich.box import ASCII2, SIMPLE_HEAD, Box
from rich.console import Console
from rich.markup import escape

# Wide enough that nothing is ever cut where there is no screen to fit.
_PIPE_WIDTH = 10_000


def stdout() -> Console:
    return _console(stderr=False)


def stderr() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=not stream.isatty(), emoji=False)


def is_unicode(console: Console) -> bool:
    """Whether the stream can show more than ASCII."""
    return console.encoding.lower().startswith("utf")


def box(console: Console) -> Box:
    return SIMPLE_HEAD if is_unicode(console) else ASCII2


def plus_minus(console: Console) -> str:
    return "±" if is_unicode(console) else "+-"


def note(console: Console, text: str) -> None:
    """A line that is no data: on stderr, marked as what it is."""
    console.print(f"[dim]note:[/dim] {escape(text)}")


def warning(console: Console, text: str) -> None:
    console.print(f"[yellow]warning:[/yellow] {escape(text)}")


def error(console: Console, text: str) -> None:
    console.print(f"[bold red]error:[/bold red] {escape(text)}")
