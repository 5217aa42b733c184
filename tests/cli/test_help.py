"""The reference on the screen: every command, argument and option says in a sentence what it does, and it fits."""

import re
from itertools import pairwise

import pytest
import typer

from lossrun.cli import app
from tests.cli.conftest import Run

COMMANDS = typer.main.get_group(app).commands  # type: ignore[attr-defined]  # typer's own command, by name
WIDTH = 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_told_in_a_sentence(name: str) -> None:
    for parameter in COMMANDS[name].params:
        text = getattr(parameter, "help", None)
        assert text, parameter.name
        assert text[0].isupper(), text
        assert text.endswith("."), text


@pytest.mark.parametrize("name", COMMANDS)
def test_paragraphs_fill_the_width_and_nothing_is_cut(name: str, lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    shown = lossrun(name, "--help").out
    assert all(len(line) <= WIDTH for line in shown.splitlines())
    text, _, boxes = shown.partition("╭")
    sentences = text.split("\n")
    for line, next_line in pairwise(sentences):
        if line.strip() and next_line.strip():
            # One character is the margin on either side.
            assert len(line.rstrip()) + 1 + len(next_line.split()[0]) >= WIDTH - 1, (line, next_line)
    for word in " ".join(parameter.help for parameter in COMMANDS[name].params).split():
        assert word in boxes, word


@pytest.mark.parametrize("name", COMMANDS)
def test_a_switch_does_not_seem_to_take_a_value(name: str, lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "bool" not in lossrun(name, "--help").out.lower()


def test_the_list_of_commands_has_the_first_sentence_of_each(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = lossrun("--help").out
    for name, command in COMMANDS.items():
        first = (command.help or "").split("\n\n")[0]
        assert first.endswith("."), name
        assert first in shown, name


def test_the_end_of_the_list_says_where_to_read_on(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = lossrun("--help").out.rpartition("╯")[2]
    named = re.findall(r"`lossrun ([a-z]+)", told)
    assert named
    assert set(named) <= set(COMMANDS)


def test_train_sweep_and_resume_take_the_same_options() -> None:
    """What concerns one run only, or the beginning of one, is named here; everything else all three take."""
    train, sweep, resume = (
        {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
        for name in ("train", "sweep", "resume")
    )
    assert train - sweep == {"--tensorboard"}
    assert train - resume == {"--name", "--tag", "--resume-or-start"}
    assert sweep - resume == {"--name", "--tag", "--resume-or-start", "--over", "--dry-run"}
