"""Write and read ledger.jsonl: what happened to the run as a whole.

Events: `started`; `resumed` (the epoch and step it continued from, changes {dotted key: [old, new]}, environment);
`diagnosed` and `diverged` (seed, epoch, step, what was seen); `stopped` (reason, epoch, step); `finished` (epoch, step,
and for each seed the best epoch and test_<name> at best and at last).

Every line ends with a `digest` of the whole file up to there, so that no line can change unnoticed. `started` and
`resumed` also record the config and the environment; config.yaml and run.json are checked against these.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.records import formats
from lossrun.records.files import durable, json_lines, strict_json
from lossrun.records.files.digests import DAMAGED, DIGITS, GrowingDigest, of_text, with_unix_lines
from lossrun.records.files.shapes import Shape

# A ledger is read as a whole. Most events take less than 1 kB, and the last one about 1 kB for each seed.
LONGEST: Final = 1 << 25  # bytes
_SEAL: Final = b', "digest": "%s"}'
_SEAL_LENGTH: Final = len(_SEAL) - len("%s") + DIGITS


def append(path: Path, event: str, **facts: Any) -> None:
    """Add an event with the current UTC time. An incomplete last line of a killed run is removed first."""
    append_all([(path, [(event, facts)])])


def append_all(additions: Iterable[tuple[Path, Sequence[tuple[str, Mapping[str, Any]]]]]) -> None:
    """Add events with the current UTC time to several ledgers, one write each; all are then on the disk."""
    durable.append_all(
        [(path, lines(events, with_unix_lines(json_lines.whole_lines(path)))) for path, events in additions]
    )


def lines(events: Iterable[tuple[str, Mapping[str, Any]]], before: bytes = b"") -> bytes:
    """Return the lines of events, each a name with its facts, that follow the content `before`."""
    content, found = GrowingDigest(), b""
    content.add(before)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    for event, facts in events:
        body = strict_json.dumps({"event": event, "time": time, **facts}).encode().removesuffix(b"}")
        line = body + _SEAL % content.digest_with(body).encode() + b"\n"
        content.add(line)
        found += line
    return found


def started(
    config: Mapping[str, Any], text: bytes, environment: Mapping[str, Any], **facts: Any
) -> tuple[str, dict[str, Any]]:
    """Return the event `started`, with the content of config.yaml and run.json, to check these against whenever the run
    is read. `text`: the bytes of config.yaml."""
    own = {"config": dict(config), "config_digest": of_text(text), "environment": dict(environment)}
    return "started", {**facts, **own}


def read(path: Path, shapes: Mapping[str, Shape] = formats.EVENTS) -> tuple[dict[str, Any], ...]:
    """Return all events, oldest first, without an incomplete last line.

    Args:
        shapes: What each event holds; a sweep has different events.

    Raises:
        RunError: For a damaged line before it, or a line that is not an event.
    """
    return read_all(path, shapes)[0]


def read_all(path: Path, shapes: Mapping[str, Shape] = formats.EVENTS) -> tuple[tuple[dict[str, Any], ...], bool]:
    """Return all events as `read` does, and whether an incomplete last line was left out."""
    lines: list[bytes] = []
    found: list[dict[str, Any]] = []
    values = 0

    def take_raw(more: bytes) -> None:
        nonlocal values
        values += strict_json.values_in(more)
        if values > strict_json.MOST_VALUES:
            raise RunError(f"{path}: it holds more than {strict_json.MOST_VALUES} values; {DAMAGED}")
        lines.extend(more.splitlines(keepends=True))

    def take(more: list[dict[str, Any]]) -> None:
        for number, event in enumerate(more, len(found) + 1):
            if not isinstance(event.get("event"), str) or not isinstance(event.get("time"), str):
                raise RunError(
                    f"{path}, line {number}: not an event of a run; the file is damaged: restore it from a copy"
                )
        found.extend(map(strict_json.restored, more))

    with suppress(OSError):  # reading it says what is wrong
        if path.stat().st_size > LONGEST:
            raise RunError(f"{path}: longer than {LONGEST} bytes; {DAMAGED}")
    torn = json_lines.read_plain(path, take, take_raw)
    if len(lines) > len(found) + 1:  # only one line is written at a time
        raise RunError(f"{path}, line {len(found) + 1}: it holds NUL bytes; {DAMAGED}")
    check_digests(path, lines[: len(found)])
    formats.check_events(path, found, shapes)
    for event in found:
        event.pop("digest", None)
    return tuple(found), torn


def check_digests(path: Path | str, lines: Iterable[bytes]) -> None:
    """Check the digests of a ledger's lines. Older versions wrote lines without one; these come before those with one.

    Raises:
        RunError: For a line that is not what was written.
    """
    before, sealed = GrowingDigest(), False
    for number, line in enumerate(lines, 1):
        body, seal = line[: -_SEAL_LENGTH - 1], line[-_SEAL_LENGTH - 1 : -1]
        digest = seal[len(_SEAL) - 4 : -2]
        if seal == _SEAL % digest and len(digest) == DIGITS:
            if before.digest_with(body).encode() != digest:
                raise RunError(f"{path}, line {number}: the content does not match its digest; {DAMAGED}")
            sealed = True
        elif sealed:
            raise RunError(f"{path}, line {number}: its digest is missing; {DAMAGED}")
        before.add(line)


def recorded_config(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the config that the run was started with; None if the ledger of an older version lacks it."""
    config = events[0].get("config") if events else None
    return config if isinstance(config, dict) else None


def effective_config(config: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the config that the run last trained with: `config` with the changes of all `resumed` events."""
    changes = [event["changes"] for event in events if event["event"] == "resumed" and event.get("changes")]
    if not changes:
        return dict(config)  # a listing of thousands of runs has no time for copies
    effective = deepcopy(dict(config))
    for changed in changes:
        for key, (_, new) in changed.items():
            _set(effective, key, deepcopy(new))
    return effective


def _set(config: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        if not isinstance(config.get(parent), dict):
            config[parent] = {}
        config = config[parent]
    config[last] = value
