"""Commands to paste: quoted for the shell, and written in one place alone."""

import ast
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lossrun
from lossrun.cli import app
from lossrun.shell import command, join, quoted, run_word

PACKAGE = Path(lossrun.__file__).parent
ANY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
BASH = shutil.which("bash")


@given(st.lists(ANY.filter(str.isprintable), min_size=1, max_size=4))
def test_printable_words_come_back(words: list[str]) -> None:
    assert shlex.split(join(words)) == words
    assert shlex.split(command("show", *words)) == ["lossrun", "show", *words]


@pytest.mark.skipif(BASH is None, reason="needs bash")
@given(st.lists(ANY, min_size=1, max_size=4))
@example(["a\nb", "tab\t1", "\x1b[31m0", "\u202eabc", "it's\n\\", "\xa0", '\n$HOME`id`!"', "f\udcfcr\udce9e"])
def test_any_words_come_back_from_one_printable_line(words: list[str]) -> None:
    line = join(words)
    assert line.isprintable()
    found = subprocess.run([str(BASH), "-c", rf"printf '%s\0' {line}"], capture_output=True, check=True).stdout
    assert [os.fsdecode(word) for word in found.split(b"\0")[:-1]] == words


@pytest.mark.parametrize(
    "word",
    ["my config.yaml", "it's", '"', "$HOME", "*", "~", "~root", "größe", "#", "`id`", "!x", "a;b", "", "{a,b}"],
)
def test_a_shell_gives_the_word_itself(word: str) -> None:
    script = f"printf %s {quoted(word)}"
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode() == word


@pytest.mark.parametrize(
    ("word", "written"),
    [("plain.yaml", "plain.yaml"), ("my config.yaml", '"my config.yaml"'), ("a&b", '"a&b"'), ('a"b', 'a\\"b'),
     ("lr=0.1", "lr=0.1"), ("x>y", '"x>y"')],
)  # fmt: skip
def test_cmd_has_rules_of_its_own(monkeypatch: pytest.MonkeyPatch, word: str, written: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        found = quoted(word)
    assert found == written


def test_what_the_command_needs_is_carried_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSRUN_RUNS_DIR", raising=False)
    monkeypatch.setenv("LOSSRUN_DATA_DIR", "data")
    assert command("ls", runs_dir=Path("runs"), data_dir=Path("data")) == "lossrun ls"
    assert command("ls", runs_dir=Path("my runs")) == "lossrun ls --runs-dir 'my runs'"
    assert command("train", Path("-x.yaml"), set_=["name=a b"], data_dir=Path("d e")) == (
        "lossrun train ./-x.yaml --set 'name=a b' --data-dir 'd e'"
    )
    assert command("compare", options={"--metric": None, "--label": ["a b", "c"]}) == (
        "lossrun compare --label 'a b' --label c"
    )
    monkeypatch.setenv("LOSSRUN_RUNS_DIR", "elsewhere")
    assert command("ls", runs_dir=Path("elsewhere")) == "lossrun ls"
    assert command("ls", runs_dir=Path("runs")) == "lossrun ls --runs-dir runs"


def test_a_name_is_enough_in_the_usual_folder_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSRUN_RUNS_DIR", raising=False)
    assert run_word(Path("runs/a")) == "a"
    assert run_word(tmp_path / "runs" / "a") == "a"
    assert run_word(Path("my runs/a")) == Path("my runs/a")
    Path("a").mkdir()  # which `show a` would take for it
    assert run_word(Path("runs/a")) == Path("runs/a")
    monkeypatch.setenv("LOSSRUN_RUNS_DIR", "elsewhere")
    assert run_word(Path("runs/b")) == Path("runs/b")


def test_no_other_place_writes_commands() -> None:
    """A string of the source that begins a command is a docstring, or it stands in shell.py."""
    names = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    begins = re.compile(rf"\blossrun ({'|'.join(sorted(names))})\b")
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "shell.py"
        for node in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if begins.search(node.value)
    ]
    assert not found


def _strings(tree: ast.Module) -> list[ast.Constant]:
    """The string constants that are not separate statements, as docstrings are."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]
