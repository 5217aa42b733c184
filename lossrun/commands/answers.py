"""Commands that answer a wrong value of an option with what they expect, and with the nearest choice."""

import sys
from collections.abc import Callable
from enum import Enum
from inspect import signature
from typing import Any, Final

from lossrun.commands.words import Command, kind_of, show_switches_alone
from lossrun.errors import UsageError
from lossrun.output import data_to
from lossrun.processes.taking_part import is_silent

_NUMBERS: Final[dict[Any, tuple[Callable[[str], float], str]]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
}
_PREFIX: Final = "Value error, "  # pydantic's, before the message of typer


class AnsweringCommand(Command):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        declared = {name: one.annotation for name, one in signature(self.callback or self.main).parameters.items()}
        show_switches_alone(self.get_params(ctx))
        for param in self.get_params(ctx):
            param.process_value = _answering(param.process_value, declared.get(param.name or ""))  # type: ignore[method-assign,assignment]
        try:
            return super().parse_args(ctx, args)
        except Exception as problem:
            # typer does not export the class of this error.
            if getattr(problem, "exit_code", None) == UsageError.exit_code and is_silent():
                sys.exit(UsageError.exit_code)
            raise

    def invoke(self, ctx: Any) -> Any:
        with data_to(sys.stdout):
            return super().invoke(ctx)


def _answering(usual: Callable[[Any, Any], Any], annotation: Any) -> Callable[[Any, Any], Any]:
    def process_value(ctx: Any, given: Any) -> Any:
        try:
            return usual(ctx, given)
        except Exception as problem:
            # typer does not export the class of this error.
            if isinstance(message := getattr(problem, "message", None), str) and given is not None:
                problem.message = _answer(given, annotation) or message.removeprefix(_PREFIX)  # type: ignore[attr-defined]
            raise

    return process_value


def _answer(given: Any, annotation: Any) -> str:
    """Return what is wrong with the first value that has a wrong type or is not a choice; "" if something else is."""
    kind = kind_of(annotation)
    for text in map(str, given if isinstance(given, list | tuple) else [given]):
        if isinstance(kind, type) and issubclass(kind, Enum):
            if answer := _not_a_choice(text, [str(member.value) for member in kind]):
                return answer
        elif kind in _NUMBERS:
            read, called = _NUMBERS[kind]
            try:
                read(text)
            except ValueError:
                return f"{text!r} is not {called}"
    return ""


def _not_a_choice(text: str, names: list[str]) -> str:
    if text in names:
        return ""
    from lossrun.nearby import nearest

    begun = [name for name in names if len(text) > 1 and name.startswith(text.lower())]
    near = begun[0] if begun else nearest(text, names)
    meant = f"; did you mean {near}?" if near else ""
    return f"{text!r} is not one of {', '.join(names)}{meant}"
