"""Read one key of a sweep block: its list of alternatives, or the range that its values come from."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from lossrun.analysis.sweeps.words import word
from lossrun.catalog.parameter import Parameter
from lossrun.config import leaves
from lossrun.config.key_paths import KeyPath, key_paths
from lossrun.config.keys import SWEEP, SWEEP_OPTIONS
from lossrun.config.source import Path
from lossrun.nearby import nearest
from lossrun.shell import command, quoted
from lossrun.sweeping.search_space.ranges import Span, spaced
from lossrun.sweeping.search_space.space import Alternatives, Value

MOST_POINTS: Final = 1_000
_RANGES: Final = {"log_range": True, "range": False}
_LARGEST: Final = 1e300  # of a number in a range; beyond that its width would not be finite
_OF_TUNE: Final = ("metric", "repeats")  # options inside another one
# Keys that are the same in all cells of a sweep, and why.
_SEEDS: Final = "seeds are repetitions, not alternatives; set seeds outside the sweep block"
_FIXED: Final = {
    "seed": _SEEDS,
    "seeds": _SEEDS,
    "name": "each cell is named after what it changes",
    "tags": "tags belong to the sweep; set them outside the sweep block",
}


class RefuseAxis(Protocol):
    """Takes a message about the key, and the way from its value to the part that is wrong.

    `at_key`: whether the key at the end of that way is wrong, not its value.
    """

    def __call__(self, message: str, *inside: str | int, at_key: bool = False) -> None: ...


def read_axis(
    key: str, value: Any, refuse: RefuseAxis, *, may_be_own: bool, by_option: bool
) -> Alternatives | Span | None:
    """Return the values that a sweep tries for a key; None if `refuse` was told what is wrong with them.

    Args:
        key: A key of a config, such as `loss` or `optimizer.momentum`.
        value: What the sweep block or an `--over` option says of it.
        refuse: Called with each mistake.
        may_be_own: Whether the key belongs to the user's own component, which can have any parameter.
        by_option: Whether `--over` gave the value, so that it has no place in the file.
    """
    declared = key_paths().get(key)
    if key in _FIXED:
        refuse(_FIXED[key], at_key=True)
        return None
    if key.partition(".")[0] == SWEEP.name:
        inner = key.partition(".")[2] or "loss"
        refuse(f"this is the sweep itself; name the key as the config has it: {inner}", at_key=True)
        return None
    if declared is None and (hint := _unknown(key, may_be_own=may_be_own)):
        refuse(f"there is no key {_shown(key)}; {hint}", at_key=True)
        return None
    if by_option and isinstance(value, list) and len(value) == 1 and _stands_for_all(value[0], declared):
        value = value[0]
    if isinstance(value, Mapping) and set(value) & set(_RANGES):
        return _range(key, value, refuse, declared, by_option=by_option)
    if not isinstance(value, list):
        refuse(_not_a_list(key, value))
        return None
    if not value:
        refuse("the list is empty; expected at least one alternative")
        return None
    if declared is not None and _is_one_value(declared, value):
        one, several = f"[{','.join(map(str, value))}]", ",".join(f"[{one}]" for one in value)
        if by_option:
            ways = [f"--over {quoted(f'{key}={way}')}" for way in (one, several)]
        else:
            ways = [f"[{way}]".replace(",", ", ") for way in (one, several)]
        text = f"write {ways[0]} for one alternative"
        if all(_is_value(declared, [item]) for item in value):
            text += f", or {ways[1]} for {len(value)}"
        refuse(f"a value of {key} is itself a list: {text}")
        return None
    places = () if by_option else tuple(("sweep", key, number) for number in range(len(value)))
    origins: tuple[Path, ...] = places or ((),) * len(value)
    for number, one in enumerate(value):
        if (first := value.index(one)) < number and type(value[first]) is type(one):
            refuse(f"{word(one)} is given twice; keep one", number)
    return Alternatives(key, tuple(value), origins)


def _stands_for_all(value: Value, declared: KeyPath | None) -> bool:
    """Return whether the only value of an option is what a block would have: `--over "loss=[mse, mae]"`."""
    if isinstance(value, Mapping):
        return bool(set(value) & set(_RANGES))
    if declared is None or not isinstance(value, list) or not value:
        return False
    keys = [variant.key for variant in declared.variants if isinstance(variant.key, Parameter)]
    return not any(key.takes_lists and not leaves.check(key, value)[2] for key in keys)


def _unknown(key: str, *, may_be_own: bool) -> str:
    """Return what was probably meant by a key that no config has.

    "" if it may be one of the user's own component, or is nothing like any key: then the config that gets it is
    refused, with the keys that its component has.
    """
    stem = key.strip().strip(".")
    if stem in _OF_TUNE:
        return f"write tune: {{{stem}: ...}}"
    spelled = next((one for one in key_paths().values() if stem in (one.path, *one.spellings)), None)
    meant = spelled.path if spelled else nearest(stem, [*SWEEP_OPTIONS, *key_paths()])
    if "." in key and all(key.split(".")) and (may_be_own or not meant):
        return ""
    return f"did you mean {meant}?" if meant else f"`{command('schema')}` lists the keys of a config"


def _shown(key: str) -> str:
    """Return the key, in quotes where its end would not be seen."""
    return key if key and key == key.strip() and key.isprintable() else ascii(key)


def _range(
    key: str, value: Mapping[str, Any], refuse: RefuseAxis, declared: KeyPath | None, *, by_option: bool
) -> Alternatives | Span | None:
    kind = next(name for name in _RANGES if name in value)
    log, bounds, points = _RANGES[kind], value[kind], value.get("points")
    if others := [name for name in value if name not in (kind, "points")]:
        refuse(f"there is no {others[0]} in a range; expected {kind} and points", others[0], at_key=True)
        return None
    if declared and (why_not := _why_no_range(declared, bounds)):
        refuse(f"{why_not}, so it cannot have a range; expected a list of alternatives")
        return None
    whole = declared is not None and _kinds_of_numbers(declared) == {"whole"}
    numbers = isinstance(bounds, list) and len(bounds) == 2 and all(_is_number(one, whole=whole) for one in bounds)
    is_range = numbers and bounds[0] < bounds[1] and not (log and bounds[0] <= 0)
    if not is_range:
        above, what = " above 0" if log else "", "integers" if whole else "numbers"
        such = "[8, 128]" if whole else "[1e-4, 1]"
        if by_option:
            such = f"{'log' if log else 'lin'}:{'8:128:5' if whole else '1e-4:1:7'}"
        refuse(f"expected two {what}{above}, the smaller one first, such as {such}", kind)
    counts = isinstance(points, int) and not isinstance(points, bool) and 2 <= points <= MOST_POINTS
    if points is not None and not counts:
        refuse(f"expected an integer from 2 to {MOST_POINTS}", "points")
    if not is_range or (points is not None and not counts):
        return None
    origin: Path = () if by_option else ("sweep", key, kind)
    low, high = bounds if whole else map(float, bounds)
    if points is None:
        return Span(key, low, high, log, whole, origin)
    values = spaced(low, high, points, log=log, whole=whole)
    if len(values) < points:
        text = f"{points} evenly spaced integers are not all different; only {len(values)} of them are"
        refuse(text, "points")
        return None
    return Alternatives(key, tuple(values), (origin,) * len(values), is_range=True)


def _why_no_range(declared: KeyPath, bounds: Any) -> str:
    """Return why a key cannot have values from a range; "" if it can."""
    if not _kinds_of_numbers(declared) - {"none"}:
        return f"{declared.path} does not take numbers"
    ends = bounds if isinstance(bounds, list) else []
    only_lists = all(isinstance(each.key, Parameter) and each.key.takes_lists for each in declared.variants)
    if only_lists and not any(_is_value(declared, one) for one in ends):
        return f"a value of {declared.path} is itself a list"
    return ""


def _kinds_of_numbers(declared: KeyPath) -> set[str]:
    return {each.key.numbers for each in declared.variants if isinstance(each.key, Parameter)}


def _is_number(value: Any, *, whole: bool) -> bool:
    types = int if whole else int | float
    return isinstance(value, types) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_one_value(declared: KeyPath, values: Sequence[Value]) -> bool:
    """Return whether a list is one value of a key that takes lists, and no item is a value of the key itself."""
    return _is_value(declared, list(values)) and not any(item is None or _is_value(declared, item) for item in values)


def _is_value(declared: KeyPath, value: Value) -> bool:
    """Return whether a key of numbers, words or lists can have a value."""
    keys = [variant.key for variant in declared.variants if isinstance(variant.key, Parameter)]
    return any((key.takes_lists or not isinstance(value, list)) and not leaves.check(key, value)[2] for key in keys)


def _not_a_list(key: str, value: Value) -> str:
    """Say what to write where somebody has written alternatives in another way."""
    expected = "expected a list of alternatives"
    inner, given = next(iter(value.items()), ("", None)) if isinstance(value, Mapping) else ("", None)
    if inner in ("values", "name") and isinstance(given, list):
        return f"{expected}; write {key}: [{', '.join(map(word, given))}]"
    if isinstance(value, Mapping) and "name" in value:
        varied, values = next(((name, one) for name, one in value.items() if isinstance(one, list)), ("", []))
        each = [f"{{name: {value['name']}, {varied}: {word(one)}}}" for one in values]
        return f"{expected}; write {key}: [{', '.join(each) if each else word(value['name'])}]"
    if f"{key}.{inner}" in key_paths():
        return f"{expected}; write {key}.{inner}: [...] for those of a key inside {key}"
    return f"{expected}, such as [mse, mae], or {{log_range: [1e-4, 1], points: 7}}"
