"""Commands that take `--set`: for a key of the config as an option, or as a word, their error suggests `--set`."""

from typing import Any

from lossrun.commands.answers import AnsweringCommand


class WithConfig(AnsweringCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)  # parsing empties the list
        try:
            return super().parse_args(ctx, args)
        except Exception as problem:
            # typer does not export the class of this error.
            if option := getattr(problem, "option_name", None):
                _hint(problem, option)
            elif changes := _changes(given):
                options = " ".join(f"{'--over' if self.name == 'sweep' else '--set'} {one}" for one in changes)
                problem.message += f"; for keys of the config, use {options}"  # type: ignore[attr-defined]
            raise


def _changes(args: list[str]) -> list[str]:
    """Return the words such as `epochs=3`, as other programs take them, without the values of options."""
    pairs = zip(["", *args], args, strict=False)
    return [word for before, word in pairs if "=" in word and not word.startswith("-") and not before.startswith("-")]


def _hint(problem: Any, option: str) -> None:
    from lossrun.config.habits import HABITS
    from lossrun.config.keys import KEYS

    key = option.lstrip("-").replace("-", "_")
    key = HABITS.get(key, key)
    if key.split(".")[0] in {declared.name for declared in KEYS}:
        problem.message += f"; to change this key of the config, use --set {key}=..."
        problem.possibilities = None
