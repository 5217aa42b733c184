"""What a hostile case is: what is done to the folder of the runs, and the commands that must take it without harm."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.crash import sealed

Command = tuple[str, ...]

# Escape sequences, controls of both sets, an override of the direction, line and paragraph separators, markup of
# HTML, of rich, of Markdown, of LaTeX and of a template.
EVIL = (
    "a\x1b[31m\x1b]0;t\x07\x9b31m\u202eb\u2066\u2028\r\n</script><img src=x onerror=alert(1)>"
    "\"'><svg/onload=alert(1)>[bold red]|[l](javascript:a)\\input{/etc/passwd}%&_$^{{7*7}}"
)
READING: tuple[Command, ...] = (
    ("ls",),
    ("ls", "--format", "json"),
    ("ls", "--format", "csv"),
    ("show", "evil"),
    ("show", "evil", "--format", "json"),
    ("compare", "evil", "good"),
    ("compare", "evil", "good", "--format", "csv"),
    ("compare", "evil", "good", "--format", "latex"),
    ("compare", "evil", "good", "--format", "md"),
    ("compare", "evil", "good", "--html", "page.html"),
    ("plot", "evil"),
    ("plot", "evil", "-o", "plot.svg"),
    ("gc", "--yes"),
)
COMPUTING: tuple[Command, ...] = (
    ("evaluate", "evil"),
    ("predict", "evil", "--input", "new.csv"),
    ("export", "evil", "-o", "exported"),
    ("resume", "evil", "--set", "epochs=3"),
    ("verify", "evil"),
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A case: its name, what puts hostile content into a folder with runs, and the commands that meet it.

    Attributes:
        first: Commands that come before each of them.
    """

    what: str
    write: Callable[[Path], object]
    commands: tuple[Command, ...]
    first: tuple[Command, ...] = ()


def on_run(what: str, write: Callable[[Path], object], *commands: Command) -> Hostile:
    """Return a case that changes the run `evil`."""
    return Hostile(what, lambda folder: write(sealed.run_called(folder, "evil")), commands)


def on_sweep(what: str, write: Callable[[Path], object], *commands: Command) -> Hostile:
    """Return a case that changes the sweep `swept`."""
    return Hostile(what, lambda folder: write(sealed.run_called(folder, "swept")), commands)


def in_place_of(name: str, content: bytes) -> Callable[[Path], None]:
    """Return what writes a file, in the place of what may be there."""

    def write(folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return write
