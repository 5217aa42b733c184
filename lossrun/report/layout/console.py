"""Write to the two streams: data to stdout, everything about them to stderr."""

import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from lossrun.output import data_stream, escape_unencodable, harmless
from lossrun.shell import PROGRAM, is_a_width

# Wide enough that nothing is cut if there is no terminal.
_PIPE_WIDTH = 10_000
_LONGEST: Final = 10_000  # characters of a line of a message
# Parts that stay on one line: a word, and a command to copy.
_WORD: Final = re.compile(rf"\S*`{PROGRAM} [^`]*`\S*|\S+")


class _Console(Console):
    def __init__(self, **options: Any) -> None:
        # In a notebook, rich would display everything itself instead of writing it to its file.
        super().__init__(highlight=False, emoji=False, force_jupyter=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is to be written. Names, tags and numbers of a run may be from an untrusted source."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError. rich would exit, but the caller decides whether a closed pipe ends the program."""
        raise BrokenPipeError


def stdout() -> Console:
    """Return a console for data."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return a console for messages."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else data_stream()
    if stream is None:  # closed by the parent process
        return _Console(file=io.StringIO())
    escape_unencodable(stream)
    # In a pipe, messages stay on one line, so that they can be searched.
    width = None if stream.isatty() else _PIPE_WIDTH if stderr else _asked_width()
    return _Console(file=stream, width=width, soft_wrap=not stream.isatty())


def _asked_width() -> int:
    """Return the width of a pipe: COLUMNS if it is a number of columns."""
    asked = os.environ.get("COLUMNS", "")
    return min(int(asked), _PIPE_WIDTH) if is_a_width(asked) else _PIPE_WIDTH


def is_bounded(console: Console) -> bool:
    """Return whether output has to fit a width: a terminal's, or a pipe's if COLUMNS is set."""
    return console.is_terminal or console.width < _PIPE_WIDTH


class CapturingConsole(_Console):
    """A console that keeps what is printed: without colours, as wide as the terminal, or 100 columns."""

    def __init__(self) -> None:
        width, height = shutil.get_terminal_size((100, 24))
        # If both are given, rich does not ask the environment or the real terminal.
        super().__init__(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)

    def taken(self) -> str:
        """Return what has been printed since the last call."""
        assert isinstance(self.file, io.StringIO)
        text = self.file.getvalue()
        self.file = io.StringIO()
        return text


def printed(draw: Callable[[Console], object]) -> str:
    """Return what `draw` prints, without colours, as wide as the terminal, or 100 columns."""
    console = CapturingConsole()
    draw(console)
    return console.taken().rstrip()


def abandon_unwritable() -> None:
    """Discard what is still to be written to stdout or stderr, if its reader is gone or the disk is full.

    Otherwise the interpreter would try again at exit, and report an error or exit with 120.
    """
    for stream in (data_stream(), sys.stderr):
        if stream is not None:  # None: closed by the parent process
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_unicode(console: Console) -> bool:
    """Return whether the stream can show more than ASCII."""
    return console.encoding.lower().startswith("utf")


def plus_minus(console: Console) -> str:
    """Return the plus-minus sign that the stream can show."""
    return "±" if is_unicode(console) else "+-"


def print_text(console: Console, text: Text) -> None:
    """Print a line, wrapped at blanks on a terminal and whole in a pipe. A word is never broken."""
    for line in wrapped(text, console.width) if is_bounded(console) else [text]:
        console.print(line, soft_wrap=True)


def wrapped(text: Text, width: int) -> list[Text]:
    """Break the text at blanks into lines of at most `width` cells; a longer word sticks out.

    rich would break such a word, and then a path or a command could not be copied.
    """
    lines: list[Text] = []
    for paragraph in text.split("\n", allow_blank=True):
        if paragraph.plain.startswith((f"  {PROGRAM} ", "  python ")):
            lines.append(paragraph)  # the terminal wraps it, and copies it as one line
            continue
        breaks, start = [], 0
        for word in re.finditer(_WORD, paragraph.plain):
            if cell_len(paragraph.plain[start : word.end()]) > width and paragraph.plain[start : word.start()].strip():
                start = word.start()
                breaks.append(start)
        pieces = list(paragraph.divide(breaks))
        for piece in pieces:
            piece.rstrip()
        lines += pieces
    return lines


def note(console: Console, text: str) -> None:
    """Print a line of information, marked with `note:`."""
    _print_message(console, ("note:", "dim"), text)


def warning(console: Console, text: str) -> None:
    """Print a line about a possible mistake, marked with `warning:`."""
    _print_message(console, ("warning:", "yellow"), text)


def error(console: Console, text: str) -> None:
    """Print what went wrong, what was expected, and how to fix it, marked with `error:`."""
    _print_message(console, ("error:", "bold red"), text)


def _print_message(console: Console, mark: tuple[str, str], text: str) -> None:
    """Print a message. A line may quote a name of any length from a file: what nobody can read is left out."""
    lines = (
        line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} [...] {line[-_LONGEST // 2 :]}"
        for line in text.split("\n")
    )
    print_text(console, Text.assemble(mark, " ", "\n".join(lines)))
