"""ledger.jsonl: what happened to the run as a whole.

Events: `started`; `resumed` (the epoch and step it went on from, changes {dotted key: [old, new]}, environment);
`diagnosed` and `diverged` (seed, epoch, step, what was seen); `stopped` (reason, epoch, step); `finished` (epoch, step,
and per seed the best epoch and test_<name> at best and at last).
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lossrun.errors import RunError
from lossrun.records import json_lines


def append(path: Path, event: str, **facts: Any) -> None:
    """Add an event with the present UTC time. An incomplete last line of a run that was killed is removed first."""
    json_lines.drop_torn_line(path)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    json_lines.append(path, [{"event": event, "time": time, **facts}])


def read(path: Path) -> tuple[dict[str, Any], ...]:
    """All events, oldest first, without an incomplete last line. Raises RunError for a damaged one before it, and for
    what is no event."""
    return checked(path, json_lines.read(path)[0])


def checked(path: Path, events: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The events, each of which must say what happened and when. Raises RunError."""
    found = tuple(events)
    for number, event in enumerate(found, 1):
        if not isinstance(event.get("event"), str) or not isinstance(event.get("time"), str):
            raise RunError(f"{path}, line {number}: no event of a run; the file is damaged: restore it from a copy")
    return found


def effective_config(config: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The config as the run last went on with it: `config` with the changes of every `resumed` event replayed."""
    effective = deepcopy(dict(config))
    for event in events:
        if event["event"] != "resumed":
            continue
        for key, (_, new) in event.get("changes", {}).items():
            _set(effective, key, deepcopy(new))
    return effective


def _set(config: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        if not isinstance(config.get(parent), dict):
            config[parent] = {}
        config = config[parent]
    config[last] = value
