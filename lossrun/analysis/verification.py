"""List the checks of `verify`, and make those that need only the run's files.

`training/starting/replaying.py` trains again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lossrun.analysis.values.readings import lost_history
from lossrun.errors import CheckpointError, DataError, LossrunError, OutOfMemoryError, RunError
from lossrun.files import is_there
from lossrun.records import best_weights, checkpoints, ledger, predictions
from lossrun.records.files.edits import differences
from lossrun.records.provenance import prepared
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.provenance.own_source import check_copies
from lossrun.records.recorded import UNVERIFIED, RecordedRun
from lossrun.records.run_directory import RunDirectory

# "damaged": a file is not what was written, is missing, or cannot be read. "differs": training again gave other
# numbers. "differs elsewhere": so it did, in another environment than the recorded one. "not checked": the data are
# missing or have changed, or something else that training needs is not here.
Verdict: TypeAlias = Literal["verified", "damaged", "differs", "differs elsewhere", "not checked"]

_BY_WEIGHT: Final[tuple[Verdict, ...]] = ("damaged", "differs", "differs elsewhere", "not checked")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Numbers that differ from the recorded ones.

    Attributes:
        part: The file or state that they are in.
        epoch: The epoch of the row, if they are in the history.
        seed: Its seed.
        names: Columns, tensors, arrays or keys.
    """

    part: Literal["history", "checkpoint", "scores", "predictions", "best_weights"]
    names: tuple[str, ...]
    epoch: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked.

    Attributes:
        what: A file, or a part of the training.
        problem: What does not match; "" if everything does.
        text: What was compared.
        differences: The numbers that differ, in the order of their time.
        environment: {fact: [recorded, here]}: what differs between the two trainings.
        verdict: The verdict if this check fails.
    """

    what: str
    problem: str
    text: str
    differences: tuple[Mismatch, ...] = ()
    environment: Mapping[str, list[Any]] = field(default_factory=dict)
    verdict: Verdict = "damaged"

    @property
    def passed(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`.

    Attributes:
        remarks: What could not be checked, one sentence each.
    """

    run: str
    path: Path
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()

    @classmethod
    def failed(cls, path: Path, error: LossrunError) -> "Verification":
        """Return the result for a run that could not be checked to the end."""
        is_damage = isinstance(error, RunError) and not isinstance(error, OutOfMemoryError)
        what = "data" if isinstance(error, DataError) else "run"
        check = Check(what, "; ".join(error.problems), "", verdict="damaged" if is_damage else "not checked")
        return cls(path.resolve().name, path, (check,))

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> Verdict:
        failed = {check.verdict for check in self.checks if check.problem}
        # A part that differs in its own environment cannot be excused by another part.
        return next((verdict for verdict in _BY_WEIGHT if verdict in failed), "verified")

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(f"{check.what}: {check.problem}" for check in self.checks if check.problem)

    def facts(self) -> dict[str, Any]:
        """Return plain values, for JSON. The keys are always the same."""
        differences = [found for one in self.checks for found in one.differences]
        return {
            "run": self.run,
            "path": str(self.path),
            "verdict": self.verdict,
            "passed": self.passed,
            "reason": self.problems[0] if self.problems else None,
            "first_difference": asdict(differences[0]) if differences else None,
            "environment": {key: pair for one in self.checks for key, pair in one.environment.items()},
            "checks": [
                {
                    "what": one.what,
                    "passed": one.passed,
                    "compared": one.text,
                    "problem": one.problem or None,
                    "differences": [asdict(found) for found in one.differences],
                }
                for one in self.checks
            ],
            "remarks": list(self.remarks),
        }


def file_checks(run: RecordedRun) -> Iterator[Check]:
    """Check every file of a run that was read without an error."""
    files = RunDirectory(run.path)
    for path in (files.config_path, files.run_json):
        found = [text for text in run.edited if text.startswith(path.name)]
        yield Check(path.name, "; ".join(found), "as it was when the run started")
    rows = run.history.rows
    yield Check(files.history_path.name, _gap(run), f"{len(rows)} row{'s' * (len(rows) != 1)}, no epoch missing")
    events = len(run.ledger)
    yield Check(files.ledger_path.name, _broken_change(run), f"{events} event{'s' * (events != 1)}, changes in order")
    belonging, paths = Belonging.to(run), checkpoints.candidates(files.checkpoints)
    if not paths:
        nothing = "there is no checkpoint, so nothing can be trained again; restore one from a copy"
        yield Check(f"{files.checkpoints.name}/", nothing, "")
    for path in reversed(paths):
        problem = _problem_of(path, belonging)
        if not problem or is_there(path):  # a run in progress removes its older checkpoints meanwhile
            yield Check(path.name, problem, "digest, tensors, run, config, history")
    if run.finished is not None:
        yield from _end_checks(run, files)
    if run.ledger and run.ledger[0].get("preparation"):
        problem = _missing(files.preparation_path) or _raised(lambda: prepared.of_run(run))
        yield Check(files.preparation_path.name, problem, "digest")
    if is_there(files.source):
        yield Check(f"{files.source.name}/", _raised(lambda: check_copies(run)), "digests of your own modules")


def remarks(run: RecordedRun) -> list[str]:
    """Return what the files of a run cannot prove."""
    found = [text for text in run.warnings if text not in run.edited]
    return found if run.verified else [*found, UNVERIFIED]


def _end_checks(run: RecordedRun, files: RunDirectory) -> Iterator[Check]:
    finished = run.finished or {}
    if finished.get("best_weights"):
        problem = _raised(lambda: best_weights.of_run(files, [finished], None))
        yield Check(finished["best_weights"], problem, "digest, seeds, best epochs")
    if finished.get("predictions"):
        read = partial(predictions.read, files.predictions_path, finished["predictions"])
        problem = _missing(files.predictions_path) or _raised(read)
        yield Check(files.predictions_path.name, problem, "digest")
    yield Check("best epochs", _wrong_best(run, finished), "those of the history")


def _missing(path: Path) -> str:
    return "" if is_there(path) else "it is missing; restore it from a copy"


def _raised(check: Callable[[], object]) -> str:
    try:
        check()
    except RunError as error:
        return str(error)
    return ""


def _problem_of(path: Path, belonging: Belonging) -> str:
    try:
        found = checkpoints.read(path).metadata
    except CheckpointError as error:
        return str(error).removeprefix(f"{path.name}: ")
    named = int(path.name.split("-")[1])
    return f"it holds step {found['step']}" if found["step"] != named else belonging.problem(found)


def _gap(run: RecordedRun) -> str:
    """Return where a seed's epochs do not follow each other, or where the steps of one do not fit the others."""
    if lost := lost_history(run):
        return lost
    rows = run.history.rows
    last: dict[int, tuple[int, int]] = {}
    steps = 0
    for epoch, step, seed in zip(rows.column("epoch"), rows.column("step"), rows.column("seed"), strict=True):
        before = last.get(seed, (0, 0))
        steps = steps or step
        if epoch != before[0] + 1 or step != before[1] + steps:
            return f"seed {seed}: epoch {epoch} at step {step} follows epoch {before[0]} at step {before[1]}"
        if seed not in run.seeds:
            return f"the run has no seed {seed}"
        last[seed] = (epoch, step)
    return ""


def _broken_change(run: RecordedRun) -> str:
    """Name a change in the ledger that does not fit the config before it, or the config after it."""
    config = ledger.recorded_config(run.ledger)
    if config is None:
        return ""
    for number, event in enumerate(run.ledger, 1):
        if event["event"] != "resumed":
            continue
        for key, (old, _) in event.get("changes", {}).items():
            before: Any = config
            for part in key.split("."):
                before = before.get(part) if isinstance(before, Mapping) else None
            if before != old:
                return f"line {number}: {key} was {before}, but the change says {old}"
        config = ledger.effective_config(config, [event])
        if isinstance(event.get("config"), dict):
            changed = differences(config, event["config"])
            # Settings that were left to lossrun are recorded with their resolved values.
            if wrong := [key for key, (old, _) in changed.items() if old != "auto"]:
                return f"line {number}: {', '.join(wrong)} is not what the changes lead to"
    return ""


def _wrong_best(run: RecordedRun, finished: Mapping[str, Any]) -> str:
    """Name a seed whose best epoch is not the best one of its history."""
    metric, mode = run.config["best"]["metric"], run.config["best"].get("mode")
    if any(key.startswith("best") for event in run.ledger for key in event.get("changes", ())):
        return ""
    rows = run.history.rows
    for seed, facts in finished.get("seeds", {}).items():
        values = [
            (value, epoch)
            for value, epoch, its in zip(rows.column(metric), rows.column("epoch"), rows.column("seed"), strict=True)
            if its == int(seed)
            and isinstance(value, float)
            and not isnan(value)
            and epoch != facts.get("diverged_epoch")
        ]
        sign = -1 if mode == "max" else 1
        best = min(values, key=lambda pair: (sign * pair[0], pair[1]))[1] if values else None
        if best != facts.get("best_epoch"):
            return f"seed {seed}: {metric} is best in epoch {best}, but the ledger says {facts.get('best_epoch')}"
    return ""
