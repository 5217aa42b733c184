"""The two streams: data on stdout, everything said about it on stderr."""

import io
import os
import re
import shutil
import sys
from typing import Any, Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lossrun.output import accept_any_text
from lossrun.shell import PROGRAM, is_a_width

# Wide enough that nothing is ever cut where there is no screen to fit.
_PIPE_WIDTH = 10_000
# What stays on one line: a word, and a command to be copied.
_WORD: Final = re.compile(rf"\S*`{PROGRAM} [^`]*`\S*|\S+")


class _Console(Console):
    def __init__(self, **options: Any) -> None:
        # In a notebook rich would display everything itself, whatever file it was given, and leave that empty.
        super().__init__(highlight=False, emoji=False, force_jupyter=False, **options)

    def on_broken_pipe(self) -> None:
        """rich's own leaves the program; whether a lost reader ends it is for the caller to say."""
        raise BrokenPipeError


def stdout() -> Console:
    return _console(stderr=False)


def stderr() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if stream is None:  # closed by whoever started us
        return _Console(file=io.StringIO())
    accept_any_text(stream)
    # Messages stay whole, for whoever looks for words in them.
    width = None if stream.isatty() else _PIPE_WIDTH if stderr else _asked_width()
    return _Console(stderr=stderr, width=width, soft_wrap=not stream.isatty())


def _asked_width() -> int:
    """Of a pipe: what COLUMNS says, where that is a number of columns."""
    asked = os.environ.get("COLUMNS", "")
    return min(int(asked), _PIPE_WIDTH) if is_a_width(asked) else _PIPE_WIDTH


def is_bounded(console: Console) -> bool:
    """Whether there is a width to keep to: a terminal's, or for a pipe what COLUMNS says."""
    return console.is_terminal or console.width < _PIPE_WIDTH


def in_memory() -> Console:
    """As a terminal without colours, as wide as the one there is, or 100 columns; its `file` holds the text."""
    width, height = shutil.get_terminal_size((100, 24))
    # With both given rich asks neither the environment nor the real terminal.
    return _Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


def abandon_stdout() -> None:
    """Send what is still to be written to stdout nowhere: its reader is gone, or its disk is full.

    Without it the interpreter tries again when it exits, and complains.
    """
    _abandon(sys.stdout)


def abandon_unwritable() -> None:
    """The same of stdout and stderr, where either can no longer be written: the reader is gone, the disk is full, or
    the terminal is closed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started us
            try:
                stream.flush()
            except OSError:
                _abandon(stream)


def _abandon(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_unicode(console: Console) -> bool:
    """Whether the stream can show more than ASCII."""
    return console.encoding.lower().startswith("utf")


def plus_minus(console: Console) -> str:
    return "±" if is_unicode(console) else "+-"


def print_text(console: Console, text: Text) -> None:
    """Print a line, wrapped at blanks in a terminal and left whole in a pipe; a word is never broken."""
    for line in wrapped(text, console.width) if is_bounded(console) else [text]:
        console.print(line, soft_wrap=True)


def wrapped(text: Text, width: int) -> list[Text]:
    """The text in lines of at most `width` cells, broken at blanks alone: a longer word stands out.

    rich's own wrapping breaks such a word, and a path or a command in two pieces cannot be copied.
    """
    lines: list[Text] = []
    for paragraph in text.split("\n", allow_blank=True):
        if paragraph.plain.startswith((f"  {PROGRAM} ", "  python ")):
            lines.append(paragraph)  # to be copied; the terminal itself breaks it, and copies it whole
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
    """A line that is no data, marked as what it is."""
    print_text(console, Text.assemble(("note:", "dim"), f" {text}"))


def warning(console: Console, text: str) -> None:
    """A line about something that may not be as meant."""
    print_text(console, Text.assemble(("warning:", "yellow"), f" {text}"))


def error(console: Console, text: str) -> None:
    """What went wrong, what was expected and how to mend it."""
    print_text(console, Text.assemble(("error:", "bold red"), f" {text}"))
