"""Say what to keep in mind about one run before trusting its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.analysis.values import readings
from lossrun.analysis.values.constant_answers import constant_remark
from lossrun.analysis.values.shared_seeds import listed
from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.records.recorded import RecordedRun
from lossrun.shell import run_command, set_options

# Keys that may change in a run without changing its training; more epochs: see `extended`.
_NO_MATTER: Final = {"epochs", "checkpoint", "tags", "name", "lint", "device"}


def remarks(run: RecordedRun, seeds: Sequence[int] | None = None) -> tuple[str, ...]:
    """Return one sentence for each way in which the run differs from a plain finished one.

    Args:
        seeds: The seeds that means are over; None for all.
    """
    done, asked = readings.epochs_done(run), run.config["epochs"]
    progress = f"{done} of {asked} epochs"
    sentences = {
        "running": f"still running: {progress} so far",
        "interrupted": f"interrupted after {progress}; `{run_command('resume', run.path)}` continues it",
        "stopped": f"stopped after {progress}; `{run_command('resume', run.path)}` continues it",
        "unknown": f"written on another host, where it is running or was interrupted: {progress} so far",
    }
    found = [sentences[run.status]] if run.status in sentences else []
    gone = readings.diverged_seeds(run)
    found += _divergences([event for event in run.ledger if event["event"] == "diverged"], run.seeds[0], gone)
    found += _diagnoses([event for event in run.ledger if event["event"] == "diagnosed"])
    if run.extended:
        found.append("trained further after its results were known, so its length is not an independent choice")
    found += [
        f"{key}: {yaml_text(old)} until step {step}, then {yaml_text(new)}"
        for (key, step), (old, new) in _changes(run).items()
        if step and key.partition(".")[0] not in _NO_MATTER and key != "dataset.path"
    ]
    found += filter(None, (constant_remark(run, seeds), readings.lost_history(run)))
    stops: dict[int, list[int]] = {}
    for seed, facts in (run.finished or {}).get("seeds", {}).items():
        if facts.get("stopped_epoch"):
            stops.setdefault(facts["stopped_epoch"], []).append(int(seed))
    found += [f"early stopping ended {listed(seeds)} after epoch {epoch}" for epoch, seeds in stops.items()]
    return (*dict.fromkeys(found), *run.warnings)


def _changes(run: RecordedRun) -> dict[tuple[str, int], tuple[Any, Any]]:
    """Return the changes of the config that a run was resumed with.

    A run that is resumed from a step before an earlier change keeps that change.

    Returns:
        {(key, the step from which the change applies): (old value, new value)}.
    """
    resumed = [event for event in run.ledger if event["event"] == "resumed"]
    found: dict[tuple[str, int], tuple[Any, Any]] = {}
    for place, event in enumerate(resumed):
        step = min((later["step"] for later in resumed[place:] if "step" in later), default=0)
        for key, (old, new) in event.get("changes", {}).items():
            first, _ = found.get((key, step), (old, new))
            found[key, step] = (first, new)
    return found


def _divergences(events: Sequence[Mapping[str, Any]], first: int, gone: Sequence[int]) -> list[str]:
    """Return one sentence for all seeds that diverged in the same way.

    Args:
        first: The first seed of the run; events of a run with one seed need not name it.
        gone: The seeds that diverged and were not resumed from an earlier step.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for event in events:
        kind = (event.get("diagnosis"), event.get("seed", first) in gone, "seed" in event, "epoch" in event)
        groups.setdefault(kind, []).append(event)
    found = []
    for (diagnosis, is_gone, has_seed, has_epoch), same in groups.items():
        who = listed({event["seed"] for event in same}) if has_seed else "the run"
        where = f" in {_epochs(same)}" if has_epoch else ""
        how = DIAGNOSES.get(str(diagnosis))
        why = f": {how.meaning} [{how.name}]{_cure(same[0])}" if how else ""
        found.append(f"{who} diverged{where}{why}" + ("" if is_gone else "; resumed from an earlier step"))
    return found


def _diagnoses(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one sentence for all seeds with the same diagnosis."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        groups.setdefault(event["diagnosis"], []).append(event)
    return [
        f"{listed({event['seed'] for event in same})}, {_epochs(same)}: "
        f"{DIAGNOSES[name].meaning if name in DIAGNOSES else 'diagnosed by another version'} [{name}]{_cure(same[0])}"
        for name, same in groups.items()
    ]


def _cure(event: Mapping[str, Any]) -> str:
    """Write the settings that were advised; older versions advised none."""
    settings = set_options(*map(str, event.get("cure", ())))
    return f"; to fix it, train again with {settings}" if settings else ""


def _epochs(events: Sequence[Mapping[str, Any]]) -> str:
    """Write the epochs of events: `epoch 3`, or `epochs 3 to 8` from the first to the last."""
    epochs = [event["epoch"] for event in events]
    return f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {min(epochs)} to {max(epochs)}"
