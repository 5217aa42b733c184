"""Read `--over`, which gives a key its alternatives on the command line."""

import re
from collections.abc import Iterable
from typing import Any, Final

from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.reader import parse_value
from lossrun.errors import ConfigError, Problem
from lossrun.shell import set_options

_SPAN: Final = re.compile(r"(log|lin):([^:]+):([^:]+)(?::([^:]+))?")
# As other programs write ranges. The user's own component has one colon only.
_LIKE_A_SPAN: Final = re.compile(
    r"(log|lin|range|uniform|geom)\w*:[^:]*:|[\d.]+(e[-+]?\d+)?:[\d.]+(e[-+]?\d+)?", re.IGNORECASE
)


def over_options(texts: Iterable[str]) -> tuple[dict[str, tuple[str, Any]], list[Problem]]:
    """Return {key: (the option as it was given, the value as the sweep block would have it)}, and every mistake."""
    found: dict[str, tuple[str, Any]] = {}
    problems: list[Problem] = []

    def refuse(key: str, text: str) -> None:
        problems.append(Problem((-1, 0), text, ("sweep", key)))

    for text in texts:
        try:
            key, value = over_option(text)
        except ConfigError as error:
            refuse(text.partition("=")[0].strip(), str(error))
            continue
        inside = key.removeprefix("sweep.")
        option = inside.partition(".")[0]
        if option in SWEEP_OPTIONS and key != "seed":
            how = set_options(f"sweep.{inside}={text.partition('=')[2].strip()}")
            refuse(key, f"--over {text}: {option} says how the sweep is run and is not a key to vary; write {how}")
        elif key in found:
            refuse(key, f"--over {text}: {key} is given twice; write all of its values in one option")
        else:
            found[key] = f"--over {text}", value
    return found, problems


def over_option(text: str) -> tuple[str, Any]:
    """Return the key and the value for the sweep block of `--over KEY=V,V`, `KEY=log:LOW:HIGH:POINTS` or `KEY=lin:...`.

    Raises ConfigError for anything else.
    """
    option = f"--over {text}"
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ConfigError([f"{option}: expected KEY=V,V or KEY=log:LOW:HIGH:POINTS, such as loss=mse,mae"])
    if match := _SPAN.fullmatch(values.strip()):
        numbers = [parse_value(part, option) for part in match.groups()[1:] if part is not None]
        block: dict[str, Any] = {"log_range" if match[1] == "log" else "range": numbers[:2]}
        return key.strip(), {**block, "points": numbers[2]} if len(numbers) > 2 else block
    if _LIKE_A_SPAN.match(values.strip()):
        raise ConfigError([f"{option}: expected KEY=log:LOW:HIGH:POINTS, or KEY=lin:... for even steps"])
    parts = _split(values)
    if not all(part.strip() for part in parts):
        raise ConfigError([f"{option}: a value between two commas is empty; write null for a key's default"])
    return key.strip(), [parse_value(part, option) for part in parts]


def _split(values: str) -> list[str]:
    """Split at commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for char in values:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (parts[-1].rstrip() or ",")[-1] in "[{:,":  # not an apostrophe
            quote = char
        else:
            depth += (char in "[{(") - (char in "]})")
        if char == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return parts
