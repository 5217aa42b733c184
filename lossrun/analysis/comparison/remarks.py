"""What to keep in mind about one run before believing its numbers, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.analysis.values import readings
from lossrun.analysis.values.constant_answers import constant_remark
from lossrun.analysis.values.shared_seeds import listed
from lossrun.catalog.diagnoses import DIAGNOSES
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
    found += _divergences([event for event in run.ledger if event["event"] == "diverged"], run.seeds[0], gone)
    found += _diagnoses([event for event in run.ledger if event["event"] == "diagnosed"])
    if run.extended:
        found.append("extended after it had finished: its length was chosen with its results known")
    found += [
        f"{key}: {yaml_text(old)} until step {step}, then {yaml_text(new)}"
        for (key, step), (old, new) in _changes(run).items()
        if step and key.partition(".")[0] not in _NO_MATTER and key != "dataset.path"
    ]
    if told := constant_remark(run, seeds):
        found.append(told)
    if told := readings.lost_history(run):
        found.append(told)
    stops: dict[int, list[int]] = {}
    for seed, facts in (run.finished or {}).get("seeds", {}).items():
        if facts.get("stopped_epoch"):
            stops.setdefault(facts["stopped_epoch"], []).append(int(seed))
    found += [f"{listed(seeds)} stopped early, after epoch {epoch}" for epoch, seeds in stops.items()]
    return (*dict.fromkeys(found), *run.warnings)


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


def _divergences(events: Sequence[Mapping[str, Any]], first: int, gone: Sequence[int]) -> list[str]:
    """One sentence for all seeds that diverged alike. `first`: the seed of a run of one, whose events may name none.
    `gone`: the seeds that were not taken up again."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for event in events:
        likeness = (event.get("diagnosis"), event.get("seed", first) in gone, "seed" in event, "epoch" in event)
        groups.setdefault(likeness, []).append(event)
    found = []
    for (diagnosis, is_gone, has_seed, has_epoch), alike in groups.items():
        who = listed({event["seed"] for event in alike}) if has_seed else "it"
        where = f" in {_epochs(alike)}" if has_epoch else ""
        how = DIAGNOSES.get(str(diagnosis))
        why = f": {how.meaning} [{how.name}]" if how else ""
        found.append(f"{who} diverged{where}{why}" + ("" if is_gone else "; taken up again from before that"))
    return found


def _diagnoses(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for all seeds with one diagnosis."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        groups.setdefault(event["diagnosis"], []).append(event)
    return [
        f"{listed({event['seed'] for event in alike})}, {_epochs(alike)}: "
        f"{DIAGNOSES[name].meaning if name in DIAGNOSES else 'diagnosed by another version'} [{name}]"
        for name, alike in groups.items()
    ]


def _epochs(events: Sequence[Mapping[str, Any]]) -> str:
    """`epoch 3`; of several `epochs 3 to 8`, the first and the last."""
    epochs = [event["epoch"] for event in events]
    return f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {min(epochs)} to {max(epochs)}"
