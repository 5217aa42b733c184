"""Arguments that need no conversion reach the command as they do by typer alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
import typer
from typer.core import TyperCommand
from typer.testing import CliRunner

from lossrun.arguments import folder
from lossrun.commands.words import Command


class Format(StrEnum):
    table = "table"
    json = "json"


def app(cls: type[TyperCommand], got: list[Any]) -> typer.Typer:
    made = typer.Typer(pretty_exceptions_enable=False)

    @made.command(cls=cls)
    def command(
        name: Annotated[str, typer.Argument()],
        more: Annotated[Optional[list[str]], typer.Argument()] = None,  # noqa: UP045
        text: Annotated[Optional[str], typer.Option()] = None,  # noqa: UP045
        tag: Annotated[Optional[list[str]], typer.Option()] = None,  # noqa: UP045
        at: Annotated[str, typer.Option()] = "best",
        format_: Annotated[Format, typer.Option("--format")] = Format.table,
        loose: Annotated[Format, typer.Option(case_sensitive=False)] = Format.table,
        margin: Annotated[Optional[float], typer.Option()] = None,  # noqa: UP045
        limit: Annotated[int, typer.Option(min=1)] = 3,
        runs_dir: Annotated[Path, typer.Option(parser=folder, envvar="RUNS")] = Path("runs"),
        file: Annotated[Optional[Path], typer.Option()] = None,  # noqa: UP045
        full: Annotated[bool, typer.Option("--full")] = False,
        log: Annotated[Optional[bool], typer.Option("--log/--no-log")] = None,  # noqa: UP045
        squared: Annotated[int, typer.Option(callback=lambda value: value * value)] = 4,
    ) -> None:
        got.append({name: (type(value), value) for name, value in locals().items() if name != "got"})

    return made


@pytest.mark.parametrize(
    "line",
    ["a", "a b c", "", "a --text ''", "a --text 7 --at last", "-- -a --b", "a --tag x --tag y", "a --format json",
     "a --format JSON", "a --format ''", "a --loose JSON", "a --margin 0.5", "a --margin x", "a --limit 2",
     "a --limit 0", "a --limit 1.5", "a --runs-dir there", "a --runs-dir ''", "a --file f.html", "a --full", "a --log",
     "a --no-log", "a --squared 3", "a --unknown", "a --text", "--help", "a é\udce9"],
)  # fmt: skip
@pytest.mark.parametrize("environment", [{}, {"RUNS": "elsewhere"}, {"RUNS": ""}])
def test_a_command_gets_what_typer_alone_would_give_it(line: str, environment: dict[str, str]) -> None:
    arguments = ["" if word == "''" else word for word in line.split()]
    outcomes = []
    for cls in (TyperCommand, Command):
        got: list[Any] = []
        result = CliRunner().invoke(app(cls, got), arguments, env=environment)
        outcomes.append((result.exit_code, result.output, got))
    assert outcomes[0] == outcomes[1]
