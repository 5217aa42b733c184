"""The command line: the list of commands, and the only place where errors become text and an exit code."""

import os
import sys
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from lossrun import interrupts
from lossrun.commands import comparing, configs, models, rates, reference, removing, runs, sweeping, training, verifying
from lossrun.commands.answers import AnsweringCommand
from lossrun.commands.with_config import WithConfig
from lossrun.commands.words import Group
from lossrun.errors import READER_GONE, LossrunError, OutOfMemoryError, RunError, StoppedError, ran_out_of_memory
from lossrun.interrupts import EndedError
from lossrun.output import escape_unencodable, write_data
from lossrun.shell import command, is_a_width
from lossrun.version import __version__

app = typer.Typer(
    cls=Group,
    help="Find out which loss, optimizer or learning rate is better: train from YAML, resume exactly, compare fairly.",
    epilog=f"`{command('COMMAND', '--help')}` lists the options of a command. `{command('explain', 'NAME')}` explains "
    f"a loss, an optimizer or a key of the config. `{command('manual')}` shows everything on one page, including exit "
    "codes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line. Every error of lossrun becomes one message on stderr, and its exit code."""
    if not is_a_width(os.environ.get("COLUMNS", "")):
        os.environ.pop("COLUMNS", None)  # rich would take a 0 at its word
    # pydantic would read the metadata of every installed package to find its plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    try:
        _run()
    except BrokenPipeError:
        # `lossrun ls | head` ends quietly, by this error and not by a signal, because Python ignores SIGPIPE before our
        # code runs. So we cannot know whether the program that started us had ignored it.
        _leave(READER_GONE)
    except (MemoryError, RuntimeError, ImportError, OSError) as problem:
        if ran_out_of_memory(problem):
            _leave(
                OutOfMemoryError.exit_code,
                "not enough memory; close other programs, or use a machine with more memory",
            )
        if not isinstance(problem, OSError):
            raise
        # The rooms turn known problems into errors of lossrun. The rest concerns our output, which has no name, or a
        # file that disappeared while it was used.
        absent = isinstance(problem, FileNotFoundError)
        if problem.filename is None:
            gone = "the current folder no longer exists; change to another one"
            _leave(RunError.exit_code, gone if absent else f"cannot write the output: {problem.strerror or problem}")
        hint = "; if it has just been removed, try again" if absent else ""
        _leave(RunError.exit_code, f"{problem.filename}: {problem.strerror}{hint}")
    except EndedError as ended:
        _leave(ended.exit_code, f"{ended.reason}; {interrupts.left_behind()}", is_error=False)
    except LossrunError as problem:
        _leave(problem.exit_code, *problem.problems, is_error=not isinstance(problem, StoppedError))


def _leave(code: int, *texts: str, is_error: bool = True) -> NoReturn:
    """Exit with the code, even if nobody can read the texts any more."""
    from lossrun.report.layout.console import abandon_unwritable, error, note, stderr
    from lossrun.report.reference.names_in_brackets import where_to_read

    interrupts.leaving()
    with suppress(OSError):
        console = stderr()
        for text in texts:
            (error if is_error else note)(console, text)
        if more := where_to_read(texts):
            note(console, more)
    abandon_unwritable()
    sys.exit(code)


def _run() -> None:
    """Run the command and write all its output. Raises BrokenPipeError if nobody reads it."""
    for stream in (sys.stdout, sys.stderr):
        escape_unencodable(stream)
    try:
        app()
    except SystemExit as leaving:
        # typer and rich would turn a closed pipe into exit code 1.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        # typer turns every KeyboardInterrupt into its exit code.
        if leaving.code == StoppedError.exit_code and (stop := interrupts.ended()):
            raise stop from None
        if sys.stdout is not None:  # closed by the program that started us
            sys.stdout.flush()
        raise
    except Exception as problem:
        # pydantic turns a KeyboardInterrupt into an error of its own; others may do so, too.
        if not isinstance(problem, StoppedError) and (stop := interrupts.ended()):
            raise stop from problem
        raise


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        write_data(f"{__version__}\n")
        raise typer.Exit
    Path.cwd()  # raises if that folder is gone: there MKL ends the process, with words about a file of torch


# In the order of `lossrun --help`.
COMMANDS: Final = (
    training.train,
    training.resume,
    sweeping.sweep,
    rates.find_lr,
    comparing.compare,
    runs.ls,
    runs.show,
    runs.plot,
    removing.rm,
    removing.gc,
    verifying.verify,
    models.evaluate,
    models.predict,
    models.export,
    configs.check,
    configs.script,
    configs.list_,
    configs.explain,
    reference.manual,
    configs.schema,
    configs.new,
    configs.fetch,
)
# The heading in `lossrun --help` of the commands in each module.
HEADINGS: Final = {
    **dict.fromkeys((training, sweeping, rates), "Train"),
    **dict.fromkeys((comparing, runs), "Compare and look at runs"),
    **dict.fromkeys((removing, verifying), "Check and remove runs"),
    models: "Use a trained model",
    **dict.fromkeys((configs, reference), "Configs and reference"),
}
HEADING_OF: Final = {module.__name__: heading for module, heading in HEADINGS.items()}
for function in COMMANDS:
    takes_keys = "set_" in signature(function).parameters
    # typer would keep the line breaks of the source.
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in (function.__doc__ or "").split("\n\n"))
    name = function.__name__.rstrip("_").replace("_", "-")
    app.command(
        name,
        cls=WithConfig if takes_keys else AnsweringCommand,
        help=text,
        rich_help_panel=HEADING_OF[function.__module__],
    )(function)
