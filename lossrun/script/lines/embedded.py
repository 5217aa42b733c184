"""Copy the source of a function of lossrun into a script, with every definition that it refers to.

So a component needs nothing but its declaration and its function to be written as a script. The source is read, not
imported, because this wing is free of torch.
"""

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from lossrun.script.lines.text import Section

_PACKAGE: Final = Path(__file__).parents[2]
# A formatter of the script must leave the source as it is in lossrun.
_QUOTED: Final = "# fmt: off\n{0}\n# fmt: on"


@dataclass(frozen=True, slots=True)
class _Module:
    """The source of a module.

    Attributes:
        definitions: {name: its source}.
        used: {name: the names that its source refers to}.
        imported: {name in this module: (module, name there)}; a name of "" means the module itself.
    """

    definitions: dict[str, str] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def embedded(*wanted: tuple[str, str]) -> Section:
    """Return imports, constants and functions that make definitions of lossrun run by themselves.

    wanted: each a module and a name in it.
    """
    section, done = Section(), set[tuple[str, str]]()
    for module, name in wanted:
        _add(section, module, name, done)
    return section


def _add(section: Section, module: str, name: str, done: set[tuple[str, str]]) -> None:
    if (module, name) in done:
        return
    done.add((module, name))
    source = _read(module)
    if name in source.definitions:
        others = [
            other for other, same in done if same == name and other != module and name in _read(other).definitions
        ]
        assert not others, f"{module} and {others} both define {name}; a script has room for one"
    if name in source.imported:
        _add_import(section, name, *source.imported[name], done)
    if name not in source.definitions:
        return  # a builtin, or a local name
    for other in sorted(source.used[name] - {name}):
        _add(section, module, other, done)
    if name in source.functions:
        section.functions.append(_QUOTED.format(source.definitions[name]))
    else:
        section.constants.append(source.definitions[name])


def _add_import(section: Section, name: str, module: str, original: str, done: set[tuple[str, str]]) -> None:
    if module.split(".")[0] == "lossrun":
        assert name == original, f"{module}: {original} is imported as {name}; a script needs its own name"
        _add(section, module, original, done)
    elif original:
        section.imports.append(f"from {module} import {original}" + ("" if name == original else f" as {name}"))
    else:
        section.imports.append(f"import {module}" + ("" if name == module.split(".")[0] else f" as {name}"))


@cache
def _read(module: str) -> _Module:
    path = _PACKAGE.joinpath(*module.split(".")[1:])
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    found, lines = _Module(), text.splitlines()
    for node in ast.parse(text).body:
        match node:
            case ast.ImportFrom(module=str(origin)):
                found.imported.update({one.asname or one.name: (origin, one.name) for one in node.names})
            case ast.Import():
                found.imported.update({one.asname or one.name.split(".")[0]: (one.name, "") for one in node.names})
            case ast.FunctionDef() | ast.ClassDef():
                _define(found, node.name, node, lines)
                found.functions.add(node.name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                _define(found, name, node, lines)
    return found


def _define(found: _Module, name: str, node: ast.stmt, lines: list[str]) -> None:
    decorators = node.decorator_list if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else []
    first = min([node.lineno, *(one.lineno for one in decorators)])
    found.definitions[name] = "\n".join(lines[first - 1 : node.end_lineno])
    found.used[name] = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
