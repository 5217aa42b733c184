"""The worked examples of CONTRIBUTING.md, and a copy of the repository that is changed as they say.

A block says after its language where it belongs: `file=PATH` is a new file; `in=PATH` is added to the end of that
module, `import=PATH` to its imports, `in=PATH:NAME` to the end of the tuple or dictionary of that name, or to the
fields of that class, and `before=PATH:NAME` before it. A `sh` block holds commands.
"""

import ast
import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
_NOT_COPIED: Final = shutil.ignore_patterns(".*", "*.egg-info", "runs", "build", "dist")
_FENCE: Final = re.compile(r"^```(\w+)(?: (file|in|import|before)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """`kind` and `place`: where the text belongs; empty for commands."""

    language: str
    kind: str
    place: str
    text: str


def _worked_examples() -> dict[str, list[Block]]:
    """The blocks below each heading of the section on adding something."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("\n## Add something\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", section, flags=re.MULTILINE)[1:]
    return {
        name: [Block(*found) for found in _FENCE.findall(text)]
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


EXAMPLES: Final = _worked_examples()


def commands(name: str) -> list[str]:
    return [line for block in EXAMPLES[name] if block.language == "sh" for line in block.text.splitlines()]


def copy_with(names: list[str], folder: Path) -> None:
    """Copy the repository to a new folder, and change it as these examples say."""
    shutil.copytree(ROOT, folder, ignore=_NOT_COPIED)
    for block in (block for name in names for block in EXAMPLES[name] if block.kind):
        path, _, name = block.place.partition(":")
        file = folder / path
        if block.kind == "file":
            assert not file.exists(), path
            file.write_text(block.text, encoding="utf-8")
        else:
            source = file.read_text(encoding="utf-8")
            file.write_text(_changed(source, block.kind, name, block.text), encoding="utf-8")


def _assignment(source: str, name: str) -> ast.Assign | ast.AnnAssign:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node
    raise AssertionError(f"nothing is called {name}")


def _changed(source: str, kind: str, name: str, text: str) -> str:
    """`source` with `text` where a block of that kind belongs."""
    lines = source.splitlines(keepends=True)
    if kind == "import":
        return _with_lines_after(lines, [ast.Import, ast.ImportFrom], ast.parse(source).body, text)
    if not name:
        return f"{source.rstrip()}\n\n\n{text}"
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _with_lines_after(lines, [ast.Assign, ast.AnnAssign], node.body, text)
    node = _assignment(source, name)
    if kind == "before":
        at = node.lineno - 1
        while lines[at - 1].startswith("#"):
            at -= 1
        return "".join([*lines[:at], text, "\n\n", *lines[at:]])
    assert node.end_lineno is not None
    at = node.end_lineno - 1
    assert lines[at].strip() in (")", "}", "]"), lines[at]
    return "".join([*lines[:at], text, *lines[at:]])


def _with_lines_after(lines: list[str], kinds: list[type[ast.stmt]], body: list[ast.stmt], text: str) -> str:
    """The lines with `text` after the last statement of these kinds."""
    at = max(node.end_lineno or 0 for node in body if isinstance(node, tuple(kinds)))
    return "".join([*lines[:at], text, *lines[at:]])
