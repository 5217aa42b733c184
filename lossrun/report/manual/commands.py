"""The commands on the page: each with its arguments and options, and the meaning of the exit codes."""

from collections.abc import Sequence
from dataclasses import dataclass

from lossrun.errors import exit_codes
from lossrun.report.html.markup import Markup, element
from lossrun.report.manual.prose import prose, sentence
from lossrun.report.manual.sections import searched
from lossrun.report.manual.tables import table
from lossrun.shell import PROGRAM


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """The help of a command.

    Attributes:
        name: The name of the command.
        usage: Its usage, without the name of the program.
        help: Its paragraphs.
        rows: For each argument or option, its names and its help.
    """

    name: str
    usage: str
    help: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def command_section(told: CommandEntry, level: int) -> Markup:
    identity = f"command-{told.name}"
    rows = [[element("code", names), prose(text)] for names, text in told.rows]
    return element(
        "article",
        element(
            "header",
            element(f"h{level}", element("a", told.name, href=f"#{identity}")),
            element("span", "command", class_="noun"),
        ),
        *(element("p", sentence(text), class_="meaning") for text in told.help),
        element("pre", element("code", told.usage), tabindex="0"),
        table(("argument or option", "what it does"), rows, "options") if rows else None,
        id=identity,
        **searched(told.name, "command", [f"{PROGRAM} {told.name}", *(names for names, _ in told.rows)]),
    )


def commands_table(commands: Sequence[CommandEntry]) -> Markup:
    """Return a table with a row for each command."""
    rows = [
        [element("a", element("code", told.name), href=f"#command-{told.name}"), sentence(told.help[0])]
        for told in commands
    ]
    return table(("command", "what it does"), rows)


def exit_code_table() -> Markup:
    rows = [[element("code", str(code)), sentence(meaning)] for code, meaning in exit_codes().items()]
    return table(("exit code", "what happened"), rows)
