"""Declare what the plan and the ledger of a sweep hold: keys, types and bounds of everything that is read back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.records import formats
from lossrun.records.files.shapes import (
    Shape,
    anything,
    each,
    list_of,
    mapping,
    one_of,
    or_none,
    pattern,
    record,
    text,
    whole,
)

_DIRECTORY: Final = pattern("[a-z0-9_][a-z0-9._-]*", "the name of a folder in the sweep")
_WITH_SEEDS: Final = record({}, {"seeds": list_of(whole(), at_least=1)})
# A line of a sweep's plan.
CELL: Final = record(
    {
        "directory": _DIRECTORY,
        "phase": one_of("tune", "final"),
        "pair": mapping,
        "changes": mapping,
        "config": lambda value, key: formats.CONFIG(value, key) or _WITH_SEEDS(value, key),
    },
    {"stack": lambda value, key: "" if value == "" else _DIRECTORY(value, key)},
)
_FAILED: Final = {"failed": each(text)}
_PLAN: Final = {"plan_digest": text}
# What a sweep's ledger says of each event.
EVENTS: Final[Mapping[str, Shape]] = {
    "started": record(
        {**_PLAN, "config_digest": text, "metric": or_none(text), "seeds": list_of(whole(), at_least=1)},
        {
            "directory": text,
            "data_dir": text,
            "from_runs_dir": or_none(text),
            "data_from_runs_dir": or_none(text),
            "repeats": whole(1),
            "extend": or_none(mapping),
            "samples": or_none(whole(1)),
            "sampler": or_none(mapping),
            "halving": or_none(record({"factor": whole(2), "epochs": list_of(whole(1))})),
        },
    ),
    "sampled": record({**_PLAN, "keys": list_of(text)}),
    "halved": record({**_PLAN, "epochs": or_none(whole(1))}),
    "extended": record({**_PLAN, "key": text, "values": list_of(anything)}),
    "tuned": record(
        {**_PLAN, "metric": or_none(text), "chosen": list_of(record({"pair": mapping, "changes": mapping}))}, _FAILED
    ),
    "divided": record({"stack": text, "why": text}),
    "shard": record({"shard": text}, _FAILED),
    "finished": record({}, _FAILED),
}


def plan_problem(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which line of a plan does not fit the others, and why; "" if all do.

    A cell changes what its pair changes, and all pairs change the same keys.
    """
    directories: set[str] = set()
    for number, row in enumerate(rows, 1):
        line = f"line {number}"
        pair, first = row["pair"], rows[0]["pair"]
        if pair.keys() != first.keys():
            return f"{line}: pair has the keys {', '.join(pair) or 'none'}; expected {', '.join(first) or 'none'}"
        if any(row["changes"].get(key, row) != value for key, value in pair.items()):
            return f"{line}: changes does not hold what pair does"
        if row["directory"] in directories:
            return f"{line}: directory is {row['directory']} again"
        directories.add(row["directory"])
    return ""
