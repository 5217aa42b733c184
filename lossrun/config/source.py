"""Where every value of a config came from, so that a message can point at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text; line and column count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Source:
    """The text that a config was read from.

    `keys` and `values` say where each key and value stands; `options` which `--set` option gave a value.
    """

    name: str
    text: str = ""
    keys: Mapping[Path, Mark] = field(default_factory=dict)
    values: Mapping[Path, Mark] = field(default_factory=dict)
    options: Mapping[Path, str] = field(default_factory=dict)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> "Problem":
        """A problem at `path`, or at its nearest ancestor that was written down."""
        for length in range(len(path), -1, -1):
            ancestor = path[:length]
            if ancestor in self.options:
                return Problem((-1, 0), f"{self.options[ancestor]}: {_dotted(path)}{message}")
            marks = self.keys if at_key and length == len(path) else self.values
            if ancestor in marks:
                return self.problem_at(marks[ancestor], _dotted(path) + message)
        return Problem((0, 0), f"{self.name}: {_dotted(path)}{message}")

    def problem_at(self, mark: Mark, message: str) -> "Problem":
        """`file:line:column: message`, the line, and a caret under the place."""
        lines = self.text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        caret = " " * len(line[: mark.column].expandtabs(4)) + "^"
        place = f"{self.name}:{mark.line + 1}:{mark.column + 1}"
        return Problem((mark.line, mark.column), f"{place}: {message}\n    {line.expandtabs(4)}\n    {caret}")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake, told; problems sort by where they stand."""

    place: tuple[int, int]
    text: str


def dotted(path: Path) -> str:
    """`('model', 'layers', 0, 'kernel')` -> `model.layers[0].kernel`."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def _dotted(path: Path) -> str:
    return f"{dotted(path)}: " if path else ""
