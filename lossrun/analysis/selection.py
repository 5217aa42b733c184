"""Select and sort the runs of a listing: `val_loss<0.1`, `loss=mse`, by any key, column, or metric."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final, get_args

from lossrun.analysis.comparison.differences import component_text
from lossrun.analysis.matching import is_number, literal, matches, number, rank
from lossrun.analysis.runs import RunRow
from lossrun.analysis.values import readings
from lossrun.catalog import COMPONENTS, find, metric_names, nearest_name, why_not
from lossrun.catalog.parameter import Key, KeyGroup, Nested, Parameter
from lossrun.errors import UsageError
from lossrun.nearby import nearest
from lossrun.records.names import bare_name
from lossrun.records.status import Status
from lossrun.shell import command

_CONDITION: Final = re.compile(r"\s*(?P<key>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_DURATION: Final = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>s|min|h|d|w)")
_LONGEST: Final = 1e6  # in any unit
_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_ABSENT: Final = object()

# The values of a run in a listing besides its config and metrics. `seeds` is their number.
_COLUMNS: Final[dict[str, Callable[[RunRow], Any]]] = {
    "run": lambda row: row.name,
    "status": lambda row: row.status,
    "epochs_done": lambda row: row.epochs_done,
    "seeds": lambda row: row.seeds,
    "age": lambda row: row.age,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on runs.

    Attributes:
        text: The condition as it was written: `val_loss<0.1`.
        operator: =, !=, <, <=, > or >=; == is read as =.
    """

    text: str
    key: str
    operator: str
    value: str


def condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        UsageError: If `text` is not a condition.
    """
    match = _CONDITION.fullmatch(text)
    if not match:
        raise UsageError(
            f"--where {text}: not a condition; expected, for example, --where loss=mse or --where 'epochs>=10'"
        )
    return Condition(text, match["key"], match["operator"].replace("==", "="), match["value"].strip())


def duration(text: str) -> timedelta:
    """Read a duration such as `30d`, `12h`, `90min`, or `2w`.

    Raises:
        UsageError: For any other text.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match or float(match["number"]) > _LONGEST:
        raise UsageError(f"{text} is not a duration; expected, for example, 30d, 12h, or 90min")
    return timedelta(**{_UNITS[match["unit"]]: float(match["number"])})


def chosen(rows: Sequence[RunRow], conditions: Sequence[Condition]) -> tuple[RunRow, ...]:
    """Return the rows for which all conditions hold, in their order.

    A key is a column of the listing, a dotted key of the config, or a metric, which is the mean over the seeds at the
    best epochs. Other spellings mean the same as in a config. `=` compares numbers as numbers, components by any
    spelling of their name, and text by patterns (`run=mnist-*`); for `tags` it checks for a tag. A run without a value
    is neither less nor greater.

    Raises:
        UsageError: For an unknown key, and for a comparison that makes no sense.
    """
    kept = list(rows)
    for one in conditions if rows else ():  # the runs decide which keys exist
        key = _resolved(one.key, rows, f"--where {one.text}")
        _check(one, key, rows)
        kept = [row for row in kept if _holds(one, key, row)]
    return tuple(kept)


def ordered(
    rows: Sequence[RunRow], by: str | None = None, *, reverse: bool = False, limit: int | None = None
) -> tuple[tuple[RunRow, ...], str | None]:
    """Sort the rows by a key, from lowest to highest, or from best to worst for a metric.

    Runs without a value come last in either direction; equal ones keep their order.

    Args:
        by: A key as for `chosen`; None keeps the order.
        limit: How many rows to keep: the first ones, or without `by` the newest ones.

    Returns:
        The rows, and the name of the key.

    Raises:
        UsageError: For an unknown key.
    """
    if by is None:
        kept = rows if limit is None else rows[max(len(rows) - limit, 0) :]
        return tuple(reversed(kept) if reverse else kept), None
    if not rows:
        return (), by
    key = _resolved(by, rows, f"--sort {by}")
    keyed = [(rank(value(row, key)), row) for row in rows]
    descending = reverse != (_is_metric(key, rows) and metric_names.goal(key) == "max")
    present = [(place, row) for place, row in keyed if place is not None]
    # With reverse=True, equal ones keep their order too.
    present.sort(key=itemgetter(0), reverse=descending)
    missing = [row for place, row in keyed if place is None]
    return tuple([*(row for _, row in present), *missing][:limit]), key


def value(row: RunRow, key: str) -> Any:
    """Return the value of a run under a key, or None; a metric is the mean over the seeds."""
    if key in _COLUMNS:
        return _COLUMNS[key](row)
    configured = _at(row.config, key)
    if configured is not _ABSENT:
        return configured
    spread = readings.column(row.at_best, key)
    return spread.mean if spread else None


def _at(config: Mapping[str, Any], dotted: str) -> Any:
    found: Any = config
    for part in dotted.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _is_metric(key: str, rows: Sequence[RunRow]) -> bool:
    return key not in _COLUMNS and all(_at(row.config, key) is _ABSENT for row in rows)


def _resolved(key: str, rows: Sequence[RunRow], option: str) -> str:
    """Return the key that a spelling means."""
    if key == "best":
        return _shown_metric(rows, option)
    if key == "name":
        return "run"
    if key in _COLUMNS or any(_at(row.config, key) is not _ABSENT or _has_column(row, key) for row in rows):
        return key
    # Slow to import, and rarely needed.
    from lossrun.config.habits import HABITS
    from lossrun.config.keys import KEYS

    declared = _declared(KEYS)
    if key in declared or key in HABITS:
        return declared.get(key) or HABITS[key]
    part = key.removesuffix(metric_names.bare(key)) or "val_"
    if metric_names.bare(key) == "loss":
        return key
    if metric_names.declaration(key):
        return metric_names.meant(key, {name for row in rows for name in _columns(row)}, part)
    present = [*_COLUMNS, *(name for row in rows for name in (*_paths(row.config), *_columns(row))), *declared]
    near = nearest(key, list(dict.fromkeys(present)))
    hint = f"did you mean {near}?" if near else f"`{command('show', 'RUN')}` lists a run's keys and metrics"
    raise UsageError(f"{option}: there is no key or metric {key}; {hint}")


def _declared(keys: Sequence[Key], before: str = "", meant: str = "", depth: int = 3) -> dict[str, str]:
    """Return every dotted key that a config may have.

    Returns:
        {every spelling: the usual one}.
    """
    found: dict[str, str] = {}
    for key in keys:
        inner: Sequence[Key] = ()
        if isinstance(key, KeyGroup):
            inner = key.parameters
        elif isinstance(key, Nested) and depth:
            name = Parameter("name", str, None, "")
            inner = [name, *(one for component in COMPONENTS[key.kind] for one in component.parameters)]
        for spelling in (*key.aliases, key.name):
            found[before + spelling] = meant + key.name
            found |= _declared(inner, f"{before}{spelling}.", f"{meant}{key.name}.", depth - 1)
    return found


def _shown_metric(rows: Sequence[RunRow], option: str) -> str:
    """Return the metric in the listing's last column, if it is the same for all runs."""
    names = list(dict.fromkeys(row.metric for row in rows if row.metric))
    if len(names) > 1:
        raise UsageError(f"{option}: the runs are listed with different metrics; choose one of {', '.join(names)}")
    return names[0] if names else "val_loss"


def _columns(row: RunRow) -> list[str]:
    return readings.metric_columns(row.at_best)


def _has_column(row: RunRow, key: str) -> bool:
    return any(key in values for values in row.at_best.values())


def _paths(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, item in config.items():
        found.append(prefix + key)
        if isinstance(item, Mapping):
            found += _paths(item, f"{prefix}{key}.")
    return found


def _check(one: Condition, key: str, rows: Sequence[RunRow]) -> None:
    """Refuse a condition that can never hold, or whose meaning is unclear."""
    if key == "status" and one.value not in get_args(Status):
        near = nearest(one.value, list(get_args(Status)))
        meant = f"did you mean {near}?" if near else f"expected one of {', '.join(get_args(Status))}"
        raise UsageError(f"--where {one.text}: there is no status {one.value}; {meant}")
    values = [found for row in rows if (found := value(row, key)) is not None]
    if one.operator in ("=", "!="):
        _check_component(one, key, values)
        return
    if key == "age":
        duration(one.value)
    elif number(one.value) is None:
        raise UsageError(f"--where {one.text}: {one.operator} needs a number, not {one.value or 'nothing'}")
    elif values and not any(is_number(item) for item in values):
        meant = "did you mean val_loss?" if key == "loss" else "use = or != to compare it"
        raise UsageError(f"--where {one.text}: {key} is {component_text(key, values[0])}, not a number; {meant}")


def _check_component(one: Condition, key: str, values: Sequence[Any]) -> None:
    kind = key.removesuffix(".name")
    if kind not in COMPONENTS or literal(one.value) is None or not one.value.replace("_", "").isalnum():
        return
    names = {item.get("name") if isinstance(item, Mapping) else item for item in values}
    if one.value in names or find(kind, one.value):
        return
    reason = why_not(kind, one.value)
    near = nearest_name(kind, one.value)
    shows = f"`{command('list', kind)}` shows every {kind}"
    hint = reason or (f"did you mean {near}?" if near else shows)
    raise UsageError(f"--where {one.text}: there is no {kind} {one.value}; {hint}")


def _holds(one: Condition, key: str, row: RunRow) -> bool:
    found = value(row, key)
    if one.operator in ("=", "!="):
        # A run matches by its directory's name, with or without the time, and by its name in the config.
        meant = (found, bare_name(row.path), row.config.get("name")) if key == "run" else (found,)
        return any(matches(one_of_them, one.value, key) for one_of_them in meant) == (one.operator == "=")
    wanted = duration(one.value).total_seconds() if key == "age" else number(one.value)
    if wanted is None or not is_number(found):
        return False
    return bool({"<": found < wanted, "<=": found <= wanted, ">": found > wanted, ">=": found >= wanted}[one.operator])
