"""Commands that take text arguments as they are typed, without pydantic.

typer passes every argument, even one that was not given, through pydantic, and importing pydantic takes as long as the
rest of `lossrun ls`. typer still converts arguments that are not text, and reports wrong ones.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from inspect import signature
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin

from typer.core import TyperCommand, TyperGroup

from lossrun.arguments import path
from lossrun.packaged import packaged_config
from lossrun.shell import command

_NOT_READY: Final = object()


class Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _leave_words_alone(self, ctx)
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _leave_words_alone(self, ctx)
        show_switches_alone(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. For `help`, and for a config without a command, the error says what to write."""
        word = args[0]
        if self.get_command(ctx, word) is None:
            if word == "help":
                ctx.fail(f"No such command 'help'. Write {command('--help')} or {command('COMMAND', '--help')}.")
            if Path(word).suffix in (".yaml", ".yml") or packaged_config(Path(word)):
                ctx.fail(f"No such command {word!r}. To train this config: {command('train', word)}")
        return super().resolve_command(ctx, args)


def show_switches_alone(params: Sequence[Any]) -> None:
    """Have --help show switches by their names alone: typer 0.29 writes <bool> next to them, as if for a value."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""


def _leave_words_alone(command: Any, ctx: Any) -> None:
    declared = {name: parameter.annotation for name, parameter in signature(command.callback).parameters.items()}
    for param in command.get_params(ctx):
        param.process_value = _processing(param, param.process_value, declared.get(param.name))


def _processing(param: Any, usual: Callable[[Any, Any], Any], annotation: Any) -> Callable[[Any, Any], Any]:
    many = param.multiple or param.nargs == -1

    def process_value(ctx: Any, given: Any) -> Any:
        value = _ready(given, annotation, many=many)
        if value is _NOT_READY or (param.required and not value):
            return usual(ctx, given)
        return value if param.callback is None else param.callback(ctx, param, value)

    return process_value


def _ready(given: Any, annotation: Any, *, many: bool) -> Any:
    """Return the value that the command gets, or _NOT_READY if typer has to convert it or report it.

    It is the text itself, a member of the enumeration, what the argument's parser returns, or the default.
    """
    if given is None:
        return () if many else None
    kind, parser = _kind_and_parser(annotation)
    try:
        items = [item if parser is None else parser(item) for item in (given if many else [given])]
    except ValueError:
        return _NOT_READY
    if kind is None or not all(isinstance(item, kind) for item in items):
        return _NOT_READY
    return items if many else items[0]


def kind_of(annotation: Any) -> type | None:
    """Return the class of an argument, or of an item if it is a list."""
    return _kind_and_parser(annotation)[0]


def _kind_and_parser(annotation: Any) -> tuple[type | None, Callable[[Any], Any] | None]:
    """Return the class of a value, or of an item of a list, and the parser that makes one from text, if it has one."""
    parser = None
    if get_origin(annotation) is Annotated:
        annotation, option = get_args(annotation)
        parser = option.parser
    while len(inner := [one for one in get_args(annotation) if one is not NoneType]) == 1:
        annotation = inner[0]
    if not isinstance(annotation, type) or inner:
        return None, None
    if parser is None:
        parser = path if issubclass(annotation, Path) else annotation if issubclass(annotation, Enum) else None
    return annotation, parser
