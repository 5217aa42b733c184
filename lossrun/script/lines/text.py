"""Write Python source, formatted as by `ruff format`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import indent, wrap
from typing import Any, Final

WIDTH: Final = 88  # ruff's and black's own default


@dataclass(slots=True)
class Section:
    """A part of a script: imports, constants, and functions or classes, without blank lines around them."""

    imports: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)

    def __add__(self, other: "Section") -> "Section":
        return Section(self.imports + other.imports, self.constants + other.constants, self.functions + other.functions)


def number(value: float) -> str:
    """Return a number as source: 1e-8 rather than 1e-08, and 6.2 rather than 6.199999999999999."""
    if isinstance(value, float):
        value = float(f"{value:.15g}")
    return re.sub(r"e([-+])0*(\d)", lambda m: f"e{m[1].replace('+', '')}{m[2]}", repr(value))


def literal(value: Any, before: str = "", level: int = 0) -> str:
    """Return a value as source; a list that does not fit on a line has a line for each item.

    Args:
        before: What is before the value on its first line.
        level: The indentation of that line; further lines are indented from 0.
    """
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, str):
        return quoted(value)
    if not isinstance(value, (list, tuple, Mapping)):
        return repr(value)
    opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")") if isinstance(value, tuple) else ("{", "}")
    if isinstance(value, Mapping):
        items = [f"{quoted(key)}: {literal(item, f'{key}__: ', level + 1)}" for key, item in value.items()]
    else:
        items = [literal(item, "", level + 1) for item in value]
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    flat = opening + ", ".join(items) + comma + closing
    if "\n" not in flat and 4 * level + len(before) + len(flat) < WIDTH:
        return flat
    rows = "".join(indent(f"{item},\n", "    ") for item in items)
    return f"{opening}\n{rows}{closing}"


def quoted(text: str) -> str:
    """Return a text in double quotes, or in single quotes if it contains double quotes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain


def assigned(name: str, text: str) -> str:
    """Return a constant that holds a text, in parentheses if the text only fits on its own line."""
    flat, alone = f"{name} = {quoted(text)}", f"    {quoted(text)}"
    return f"{name} = (\n{alone}\n)" if len(alone) <= WIDTH < len(flat) else flat


def call(head: str, arguments: Sequence[str], tail: str = "", level: int = 0) -> str:
    """Return `head(arguments)tail`, on one line if it fits at this level of indentation, else with a line per argument.

    Further lines are indented from 0, and so are those of the arguments.
    """
    flat = f"{head}({', '.join(arguments)}){tail}"
    if "\n" not in flat and 4 * level + len(flat) <= WIDTH:
        return flat
    # A list that is the only argument has no comma after it.
    comma = "" if len(arguments) == 1 and arguments[0].startswith("[") else ","
    rows = "".join(indent(f"{argument}{comma}\n", "    ") for argument in arguments)
    return f"{head}(\n{rows}){tail}"


def keywords(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={literal(value)}" for name, value in values.items()]


def let(left: str, expression: str) -> str:
    """Return `left = expression`, with the expression in brackets on separate lines if it is too long."""
    flat = f"{left} = {expression}"
    if 4 + len(flat) <= WIDTH:
        return flat
    inner = expression[1:-1] if expression.startswith("(") and expression.endswith(")") else expression
    return f"{left} = (\n    {inner}\n)"


def comment(text: str, level: int = 0) -> list[str]:
    """Return the lines of a comment, indented."""
    space = "    " * level
    return [f"{space}# {line}" for line in wrap(text, WIDTH - 2 - len(space), break_on_hyphens=False)]


def docstring(text: str) -> list[str]:
    """Return the lines of a docstring, indented once."""
    space = "    "
    if len(space) + len(text) + 6 <= WIDTH:
        return [f'{space}"""{text}"""']
    lines = wrap(text, WIDTH - 8 - len(space), break_on_hyphens=False)
    return [f'{space}"""{lines[0]}', *(space + line for line in lines[1:]), f'{space}"""']


def function(head: str, about: str, body: Iterable[str]) -> str:
    """Return a function. `head` is `def name(...)` without its colon; `body` lines are indented from 0."""
    lines = [line for text in body for line in text.split("\n")]
    return "\n".join([f"{head}:", *(docstring(about) if about else []), indent("\n".join(lines), "    ")])


def module(about: str, section: Section, last: str) -> str:
    """Return a whole file: docstring, imports in isort's order, constants, functions, and `last` at its end."""
    standard, foreign, own = imports(section.imports)
    head = [f'"""{about}"""', *(block for block in (standard, foreign) if block)]
    if own:
        head.append(own)
    parts = ["\n\n".join(head)]
    if section.constants:
        parts[0] += "\n\n" + "\n".join(section.constants)
    return "\n\n\n".join([*parts, *section.functions, last]) + "\n"


FOREIGN: Final = ("numpy", "torch", "keras", "sklearn")


def imports(lines: Iterable[str]) -> tuple[str, str, str]:
    """Return sorted imports: of the standard library, of packages, and of the user's modules (marked E402)."""
    blocks: tuple[list[str], list[str], list[str]] = ([], [], [])
    for line in sorted(set(lines)):
        top = line.split()[1].split(".")[0]
        blocks[2 if "noqa" in line else 1 if top in FOREIGN else 0].append(line)
    standard, foreign, own = (_merged(block) for block in blocks)
    # The line that finds the user's modules comes before the lines that import them.
    own.sort(key=lambda line: not line.startswith("sys."))
    return "\n".join(standard), "\n".join(foreign), "\n".join(own)


def _merged(lines: list[str]) -> list[str]:
    """Return plain imports, then one `from` line for each module."""
    names: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("from ") and "noqa" not in line:
            module, _, name = line.removeprefix("from ").partition(" import ")
            names.setdefault(module, []).append(name)
    plain = [line for line in lines if not line.startswith("from ") or "noqa" in line]
    return [*plain, *(f"from {module} import {', '.join(found)}" for module, found in names.items())]
