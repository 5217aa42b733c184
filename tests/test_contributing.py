"""The worked examples of CONTRIBUTING.md: a copy of the repository is changed as they say, and its commands are run.

A block says after its language where it belongs: `file=PATH` is a new file; `in=PATH` is added to the end of that
module, `in=PATH:NAME` to the end of the tuple or dictionary of that name, and `before=PATH:NAME` before it. A `sh`
block is run.
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "runs", "build", "dist", "golden")
FENCE = re.compile(r"^```(\w+)(?: (file|in|before)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def worked_examples() -> dict[str, list[tuple[str, str, str, str]]]:
    """The blocks below each heading of the section on adding something: language, kind of place, place, text."""
    section = CONTRIBUTING.partition("\n## Add something\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", section, flags=re.MULTILINE)[1:]
    return {name: FENCE.findall(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


EXAMPLES = worked_examples()


def assignment(source: str, name: str) -> ast.Assign | ast.AnnAssign:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node
    raise AssertionError(f"nothing is called {name}")


def changed(source: str, kind: str, name: str, text: str) -> str:
    """`source` with `text` where a block of that kind belongs."""
    if not name:
        return f"{source.rstrip()}\n\n\n{text}"
    node, lines = assignment(source, name), source.splitlines(keepends=True)
    if kind == "before":
        at = node.lineno - 1
        while lines[at - 1].startswith("#"):
            at -= 1
        return "".join([*lines[:at], text, "\n\n", *lines[at:]])
    assert node.end_lineno is not None
    at = node.end_lineno - 1
    assert lines[at].strip() in (")", "}", "]"), lines[at]
    return "".join([*lines[:at], text, *lines[at:]])


def apply(blocks: list[tuple[str, str, str, str]], folder: Path) -> list[str]:
    """Change the copy; the commands to run in it."""
    commands: list[str] = []
    for language, kind, place, text in blocks:
        path, _, name = place.partition(":")
        if kind == "file":
            assert not (folder / path).exists(), path
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        elif kind:
            source = (folder / path).read_text(encoding="utf-8")
            (folder / path).write_text(changed(source, kind, name, text), encoding="utf-8")
        elif language == "sh":
            commands += text.splitlines()
    return commands


def test_there_is_an_example_of_each_kind() -> None:
    assert list(EXAMPLES) == ["A loss", "An optimizer", "A lint rule", "A command"]
    for name, blocks in EXAMPLES.items():
        tests = [place for _, kind, place, _ in blocks if kind == "file" and place.startswith("tests/")]
        assert tests or name == "A lint rule", name  # the tests of rules take their examples


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_works_as_it_stands(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "lossrun"
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    commands = apply(EXAMPLES[name], folder)
    assert len(commands) >= 2
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "100"}
    environment.pop("PYTEST_ADDOPTS", None)
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        options = ["-n", "0", "-p", "no:cacheprovider"] if program == "pytest" else []
        result = subprocess.run(
            [sys.executable, "-m", program, *arguments, *options],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, (command, result.stdout, result.stderr)
