"""Declare what each file of a run holds: keys, types and bounds of everything that is read back.

A file that does not fit is refused with its name and the key, before anybody computes with its values.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.records.files.digests import DAMAGED
from lossrun.records.files.shapes import (
    Shape,
    anything,
    each,
    list_of,
    mapping,
    moment,
    number,
    numeral,
    one_of,
    or_none,
    record,
    text,
    truth,
    whole,
)

_COUNT: Final = whole()
_EPOCH: Final = whole(1)
_MARK: Final = record({"length": _COUNT, "digest": text})
_SECONDS: Final = number(at_least=0)
_CHANGE: Final = list_of(anything, length=2)

# A component in a resolved config.
_CHOICE: Final = record({"name": text})
CONFIG: Final = record(
    {
        "dataset": _CHOICE,
        "model": _CHOICE,
        "loss": _CHOICE,
        "optimizer": _CHOICE,
        "learning_rate": number(),
        "epochs": _COUNT,
        "best": record({"metric": text, "mode": one_of("min", "max", "auto")}),
    },
    {
        "name": or_none(text),
        "tags": or_none(list_of(text)),
        "compare_on": or_none(text),
        "seed": _COUNT,
        "seeds": or_none(lambda value, key: (list_of(_COUNT) if isinstance(value, list) else _COUNT)(value, key)),
        "schedule": _CHOICE,
        "early_stopping": or_none(mapping),
        "checkpoint": mapping,
    },
)
_PARTS: Final = lambda value, key: (  # noqa: E731  # one number, or a list with one for each seed
    list_of(_COUNT)(value, key) if isinstance(value, list) else _COUNT(value, key)
)
ENVIRONMENT: Final = record(
    {},
    {
        "id": text,
        "lossrun": text,
        "torch": text,
        "numpy": text,
        "python": text,
        "platform": text,
        "device": text,
        "device_name": text,
        "cpu_capability": text,
        "products": text,
        "threads": whole(1),
        "host": text,
        "git_commit": or_none(text),
        "command": text,
        "directory": text,
        "data_dir": text,
        "from_runs_dir": or_none(text),
        "data_from_runs_dir": or_none(text),
        "step": text,
        "chunks": list_of(whole(1)),
        "stack": list_of(text),
        "task": or_none(text),
        "data": each(or_none(text)),
        "samples": each(_PARTS),
        "class_counts": mapping,
        "classes": list_of(text),
    },
)
_SCORES: Final = or_none(each(number()))
_SEED_RESULT: Final = record(
    {},
    {
        "best_epoch": or_none(_EPOCH),
        "best_step": or_none(_COUNT),
        "stopped_epoch": or_none(_EPOCH),
        "diverged_epoch": or_none(_EPOCH),
        "test_at_last": _SCORES,
        "test_at_best": _SCORES,
        "classes_at_best": mapping,
    },
)
_FINDING: Final = record(
    {},
    {
        "seed": _COUNT,
        "epoch": _EPOCH,
        "step": _COUNT,
        "diagnosis": text,
        "train_loss": number(),
        "learning_rate": number(),
        "grad_norm": number(),
        "history": _MARK,
    },
)
_BEGUN: Final[dict[str, Shape]] = {"epochs": _COUNT, "preparation": text}
_STARTED: Final = record({"config": CONFIG, "config_digest": text, "environment": ENVIRONMENT}, _BEGUN)
_STARTED_WITHOUT_CONFIG: Final = record({}, _BEGUN)
# What a run's ledger says of each event. Its lines carry digests, so no key can get lost unnoticed; versions differ in
# what they write. Those of a sweep are other events, and `sweep_directory` reads them.
EVENTS: Final[Mapping[str, Shape]] = {
    # The first versions did not write the config, with which came its digest and the content of run.json.
    "started": lambda value, key: (_STARTED if "config" in value else _STARTED_WITHOUT_CONFIG)(value, key),
    "resumed": record(
        {},
        {
            "epoch": _EPOCH,
            "step": _COUNT,
            "changes": each(_CHANGE),
            "config": CONFIG,
            "environment": ENVIRONMENT,
            "history": _MARK,
        },
    ),
    "diagnosed": _FINDING,
    "diverged": _FINDING,
    "stopped": record({}, {"reason": text, "epoch": _EPOCH, "step": _COUNT}),
    "finished": record(
        {},
        {
            "epoch": _COUNT,
            "step": _COUNT,
            "seeds": each(_SEED_RESULT, numeral),
            "seconds": _SECONDS,
            "predictions": or_none(text),
            "best_weights": or_none(text),
            "history": _MARK,
        },
    ),
}
_EVENT: Final = record({"event": text, "time": moment})
OWNER: Final = record(
    {"pid": whole(1), "host": text, "since": text, "process_start": or_none(_COUNT)},
    {"digest": text, "heartbeat": or_none(number(at_least=0))},
)

_WATCHED: Final[dict[str, Shape]] = {"metric": text, "mode": one_of("min", "max")}
_HEALTH: Final[dict[str, Shape]] = {
    "first_loss": number(),
    "losses": list_of(number()),
    "recent": number(),
    "suspicious": _COUNT,
    "named": list_of(text),
    "gradient_norm": number(),
}
_LEAST_VALIDATION: Final[dict[str, Shape]] = {"least_validation": number(), "least_epoch": _COUNT}
_SEED_STATE: Final = {
    "best": record({"value": number(), "epoch": _COUNT, "step": _COUNT}),
    "stopped_epoch": or_none(_EPOCH),
    "diverged_epoch": or_none(_EPOCH),
    "health": record(_HEALTH, _LEAST_VALIDATION),
}
_STATE: Final[dict[str, Shape]] = {
    "epoch": _EPOCH,
    "step": _COUNT,
    "epoch_samples": list_of(whole(1)),
    "good_step": _COUNT,
    "seeds": list_of(_COUNT, at_least=1),
    "seconds": _SECONDS,
    "config": text,
    "device": one_of("cpu", "cuda", "mps", "xpu"),
    "data": each(text),
    "history_length": _COUNT,
}
_SINCE_VERSION_2: Final[dict[str, Shape]] = {
    "replicas": list_of(record({**_SEED_STATE, "health": record({**_HEALTH, **_LEAST_VALIDATION}), "thaws": truth})),
    "best_weights": or_none(one_of("model.", "best.")),
    "criteria": record(
        {
            "best": record(_WATCHED),
            "early_stopping": or_none(record({**_WATCHED, "min_delta": number()})),
            "plateau": or_none(record({**_WATCHED, "threshold": number()})),
        }
    ),
    "epoch_seconds": _SECONDS,
    "run": or_none(text),
    "history": _MARK,
}
_MEMBER: Final = record(
    {
        **{name: _SINCE_VERSION_2[name] for name in ("criteria", "run", "history")},
        **{name: _STATE[name] for name in ("good_step", "config", "history_length", "seconds")},
        "directory": text,
        "first": _COUNT,
        "count": whole(1),
        "end": or_none(list_of(_COUNT, length=2)),
        "events": list_of(list_of(anything, length=2)),
    }
)
_SINCE_VERSION_3: Final[dict[str, Shape]] = {"tensors": each(text)}
_BEST: Final[dict[str, Shape]] = {
    "best": list_of(record({"seed": _COUNT, "epoch": _EPOCH, "step": _COUNT}), at_least=1)
}
# The metadata of a checkpoint, and of the file of best weights, by format version.
STATE: Final[Mapping[int, Shape]] = {
    1: record({**_STATE, "replicas": list_of(record(_SEED_STATE))}),
    2: record({**_STATE, **_SINCE_VERSION_2, "replicas": list_of(record(_SEED_STATE, {"thaws": truth}))}),
    3: record({**_STATE, **_SINCE_VERSION_2, **_SINCE_VERSION_3}),
}
# Cells of a sweep that are trained as one share a checkpoint, which says of each what a checkpoint of its own would.
STACK: Final = record(
    {
        **{name: _STATE[name] for name in ("epoch", "step", "epoch_samples", "seeds", "seconds", "device", "data")},
        **{name: _SINCE_VERSION_2[name] for name in ("replicas", "best_weights", "epoch_seconds")},
        **_SINCE_VERSION_3,
        "members": list_of(_MEMBER, at_least=1),
    },
    # What a member would end with if it diverged: a checkpoint of its own, by its directory.
    {"good": each(record({**_STATE, **_SINCE_VERSION_2}))},
)
BEST: Final[Mapping[int, Shape]] = {
    1: record({"seed": _COUNT, "epoch": _EPOCH, "step": _COUNT}),
    2: record(_BEST),
    3: record({**_BEST, **_SINCE_VERSION_3}),
}


def state_problem(metadata: Mapping[str, Any], version: int) -> str:
    """Return what is wrong with a checkpoint's metadata, or ""."""
    if "members" in metadata:
        return STACK(metadata, "")
    if found := STATE[version](metadata, ""):
        return found
    if len(metadata["replicas"]) != len(metadata["seeds"]):
        return (
            f"replicas has {len(metadata['replicas'])} items; expected one for each of {len(metadata['seeds'])} seeds"
        )
    if metadata["good_step"] > metadata["step"]:
        return f"good_step is {metadata['good_step']}; expected at most the step, {metadata['step']}"
    if version > 1 and metadata["best_weights"] is None and any(one["best"]["epoch"] for one in metadata["replicas"]):
        return "best_weights is null, but there was a best epoch"
    if version > 2:
        for key, prefix in (("early_stopping", "stopping."), ("plateau", "schedule.")):
            if (metadata["criteria"][key] is None) == any(name.startswith(prefix) for name in metadata["tensors"]):
                return f"criteria.{key} does not fit the tensors {prefix}*"
    if version < 3 and "tensors" in metadata:
        return f"format_version is {version}, but its tensors are listed, as in version 3"
    return ""


def check(path: Path, value: Any, shape: Shape) -> None:
    """Check the content of a file.

    Raises:
        RunError: If it does not fit, with the file and the key.
    """
    if problem := shape(value, ""):
        raise RunError(f"{path}: {problem}; {DAMAGED}")


def check_events(path: Path, events: Sequence[Mapping[str, Any]], shapes: Mapping[str, Shape] = EVENTS) -> None:
    """Check a ledger. Events that only newer versions know are left alone.

    Raises:
        RunError: For an event that does not fit, with its line and the key.
    """
    for number_, event in enumerate(events, 1):
        problem = _EVENT(event, "") or shapes.get(event["event"], anything)(event, "")
        if problem:
            raise RunError(f"{path}, line {number_}: {event.get('event')}: {problem}; {DAMAGED}")
