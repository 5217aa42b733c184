"""Commands that take `--set`: for an unknown option that is a key of the config, their error suggests `--set`."""

from typing import Any

from lossrun.commands.answers import AnsweringCommand


class WithConfig(AnsweringCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as problem:
            # typer does not export the class of this error.
            if option := getattr(problem, "option_name", None):
                _hint(problem, option)
            raise


def _hint(problem: Any, option: str) -> None:
    from lossrun.config.habits import HABITS
    from lossrun.config.keys import KEYS

    key = option.lstrip("-").replace("-", "_")
    key = HABITS.get(key, key)
    if key.split(".")[0] in {declared.name for declared in KEYS}:
        problem.message += f"; to change this key of the config, use --set {key}=..."
        problem.possibilities = None
