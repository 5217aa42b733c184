"""What to keep in mind about one run before believing its numbers, in plain words."""

from collections.abc import Sequence
from typing import Any, Final

from lossrun.analysis import readings
from lossrun.analysis.constant_answers import constant_remark
from lossrun.analysis.diagnosis import DIAGNOSES
from lossrun.analysis.differences import yaml_text
from lossrun.records.recorded import RecordedRun
from lossrun.shell import run_command

# What may change on the way without changing what is trained; more epochs are told of by other words.
_NO_MATTER: Final = {"epochs", "checkpoint", "tags", "name", "lint", "device"}


def remarks(run: RecordedRun, seeds: Sequence[int] | None = None) -> tuple[str, ...]:
    """One sentence for each thing about the run that is not as a plain finished run would have it. `seeds`: those that
    means are over, where not all."""
    done, asked = readings.epochs_done(run), run.config["epochs"]
    progress = f"{done} of {asked} epochs"
    sentences = {
        "running": f"still running: {progress} so far",
        "interrupted": f"interrupted after {progress}; `{run_command('resume', run.path)}` goes on",
        "stopped": f"stopped after {progress}; `{run_command('resume', run.path)}` goes on",
        "unknown": f"written on another host, running or interrupted: {progress} so far",
    }
    found = [sentences[run.status]] if run.status in sentences else []
    gone = readings.diverged_seeds(run)
    found += [
        _divergence(event) + ("" if event.get("seed", run.seeds[0]) in gone else "; taken up again from before that")
        for event in run.ledger
        if event["event"] == "diverged"
    ]
    found += [_diagnosis(event) for event in run.ledger if event["event"] == "diagnosed"]
    if run.extended:
        found.append("extended after it had finished: its length was chosen with its results known")
    found += [
        f"{key}: {yaml_text(old)} until step {step}, then {yaml_text(new)}"
        for (key, step), (old, new) in _changes(run).items()
        if step and key.partition(".")[0] not in _NO_MATTER and key != "dataset.path"
    ]
    if told := constant_remark(run, seeds):
        found.append(told)
    if told := lost_history(run):
        found.append(told)
    stops = {
        seed: facts["stopped_epoch"]
        for seed, facts in (run.finished or {}).get("seeds", {}).items()
        if facts.get("stopped_epoch")
    }
    found += [f"seed {seed} stopped early, after epoch {epoch}" for seed, epoch in stops.items()]
    return (*dict.fromkeys(found), *run.warnings)


def lost_history(run: RecordedRun) -> str:
    """What to say of a finished run whose history has lost rows since; empty if it has not."""
    lost = readings.lost_epochs(run)
    if not lost:
        return ""
    left = [f"{some} of {all_} epochs" for some, all_ in lost.values()]
    if set(lost) == set(run.seeds) and len(set(left)) == 1:
        which = f"{left[0]} are left"
    else:
        which = ", ".join(f"of seed {seed} {some} are left" for seed, some in zip(lost, left, strict=True))
    return f"has lost a part of its history since it finished: {which}"


def _changes(run: RecordedRun) -> dict[tuple[str, int], tuple[Any, Any]]:
    """{(key, step from which on its change holds): (old, new)}. A resume from a checkpoint before the step of an
    earlier change takes that change along."""
    resumed = [event for event in run.ledger if event["event"] == "resumed"]
    found: dict[tuple[str, int], tuple[Any, Any]] = {}
    for place, event in enumerate(resumed):
        step = min((later["step"] for later in resumed[place:] if "step" in later), default=0)
        for key, (old, new) in event.get("changes", {}).items():
            first, _ = found.get((key, step), (old, new))
            found[key, step] = (first, new)
    return found


def _divergence(event: dict[str, object]) -> str:
    who = f"seed {event['seed']}" if "seed" in event else "it"
    where = f" in epoch {event['epoch']}" if "epoch" in event else ""
    how = DIAGNOSES.get(str(event.get("diagnosis")))
    return f"{who} diverged{where}" + (f": {how.meaning} [{how.name}]" if how else "")


def _diagnosis(event: dict[str, object]) -> str:
    found = DIAGNOSES.get(str(event["diagnosis"]))
    meaning = found.meaning if found else "diagnosed by another version"
    return f"seed {event['seed']}, epoch {event['epoch']}: {meaning} [{event['diagnosis']}]"
