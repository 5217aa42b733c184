"""Record where every value of a config came from, so that a message can point at it."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from lossrun.errors import ConfigError, Problem

Path: TypeAlias = tuple[str | int, ...]

# Only part of a longer line is shown, around the caret, so that it fits a terminal of 80 columns with indentation.
MAX_WIDTH: Final = 76
# Checking stops after this many mistakes.
MAX_PROBLEMS: Final = 200


@dataclass(frozen=True, slots=True)
class TextPosition:
    """A place in a text; line and column count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """The text that a config was read from.

    Attributes:
        lines: The text in lines.
        keys: {path: the place of the key}.
        values: {path: the place of the value}.
        options: {path: the option that set the value}.
    """

    name: str
    lines: Sequence[str] = ()
    keys: Mapping[Path, TextPosition] = field(default_factory=dict)
    values: Mapping[Path, TextPosition] = field(default_factory=dict)
    options: Mapping[Path, str] = field(default_factory=dict)

    @property
    def written(self) -> frozenset[Path]:
        """The keys that were given a value."""
        return frozenset((*self.values, *self.options))

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem at `path`, or at its nearest ancestor that is in the text."""
        for length in range(len(path), -1, -1):
            ancestor = path[:length]
            if ancestor in self.options:
                return self._by_option(self.options[ancestor], path, message)
            marks = self.keys if at_key and length == len(path) else self.values
            if ancestor in marks:
                return replace(self.problem_at(marks[ancestor], _dotted(path) + message), path=path)
            if option := self._option_below(ancestor):
                return self._by_option(option, path, message)
        return Problem((0, 0), f"{self.name}: {_dotted(path)}{message}", path, message=_dotted(path) + message)

    @staticmethod
    def _by_option(option: str, path: Path, message: str) -> Problem:
        return Problem((-1, 0), f"{option}: {_dotted(path)}{message}", path, option, _dotted(path) + message)

    def problem_at(self, mark: TextPosition, message: str) -> Problem:
        """Return `file:line:column: message`, the line, and a caret below the place."""
        before, after = _around(self.lines[mark.line] if mark.line < len(self.lines) else "", mark.column)
        place = f"{self.name}:{mark.line + 1}:{mark.column + 1}"
        caret = " " * _columns(before) + "^"
        text = f"{place}: {message}\n    {before}{after}\n    {caret}"
        return Problem((mark.line, mark.column), text, message=message)

    def error(self, problems: Sequence[Problem]) -> ConfigError:
        """Return the problems as one error, in the order of their places."""
        found: list[Problem | str] = [*sorted(problems)]
        if len(found) >= MAX_PROBLEMS:
            found.append(f"{self.name}: {len(found)} mistakes; the rest was not checked")
        return ConfigError(found)

    def _option_below(self, path: Path) -> str | None:
        """Return the option that set something inside `path`, which is not in the text."""
        return next((option for at, option in self.options.items() if path and at[: len(path)] == path), None)


def dotted(path: Path) -> str:
    """Write a path: `('model', 'layers', 0, 'kernel')` -> `model.layers[0].kernel`."""
    name = ""
    for part in path:
        word = f"[{part}]" if isinstance(part, int) else part if part.isprintable() else ascii(part)
        name += f".{word}" if name and isinstance(part, str) else word
    return name


def _around(line: str, column: int) -> tuple[str, str]:
    """Return both sides of a place in a line, cut to MAX_WIDTH characters together."""
    # Cut it first, because a line may be the whole file.
    before = _printable(line[max(0, column - MAX_WIDTH - 1) : column]).expandtabs(4)
    after = _printable(line[column : column + MAX_WIDTH + 1]).expandtabs(4)
    if len(before) + len(after) <= MAX_WIDTH:
        return before, after
    # Show as much as fits before the place, but keep room for the place itself.
    room = max(MAX_WIDTH // 2, MAX_WIDTH - len(after))
    before = before if len(before) <= room else "..." + before[len(before) - room + 3 :]
    room = MAX_WIDTH - len(before)
    return before, after if len(after) <= room else after[: room - 3] + "..."


def _printable(line: str) -> str:
    """Replace characters that would move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)


def _columns(text: str) -> int:
    """Return the width of a text on a terminal: wide characters take two columns, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _dotted(path: Path) -> str:
    return f"{dotted(path)}: " if path else ""
