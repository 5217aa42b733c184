"""Rules on the course of a run: whether what is planned for later epochs comes to pass in it."""

from collections.abc import Iterator
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.parameter import Parameter
from lossrun.lint.rule import Case, Example, Rule, Violation

# They have rules of their own, or wait for something that may never be.
_OTHER_LENGTHS: Final = ("warmup_epochs", "cooldown", "patience")


def long_warmup(case: Case) -> Iterator[Violation]:
    warmup, epochs = case.config.schedule.parameters.get("warmup_epochs", 0), case.config.epochs
    if warmup >= epochs:
        yield Violation(
            ("schedule", "warmup_epochs"),
            f"a warm-up of {_epochs(warmup)} leaves nothing of the {epochs}: the rate rises to the end",
            "shorten schedule.warmup_epochs, or ask for more epochs",
        )


def schedule_length(case: Case) -> Iterator[Violation]:
    schedule, epochs = case.config.schedule, case.config.epochs
    # By a single epoch a config is tried out.
    if epochs == 1:
        return
    for name, value in schedule.parameters.items():
        declared = get("schedule", schedule.name).parameter(name)
        if not isinstance(declared, Parameter) or declared.unit != "epochs" or name in _OTHER_LENGTHS:
            continue
        # A rate that falls without stairs falls from the start.
        if schedule.parameters.get("staircase") is False and name == "every":
            continue
        beyond = _beyond(declared, value, epochs)
        if beyond is not None:
            yield Violation(
                ("schedule", name),
                f"{schedule.name} with {name}: {value} reaches beyond the run, which ends after epoch {epochs}",
                f"shorten schedule.{name}, or set epochs above {beyond:g}",
            )


def _beyond(declared: Parameter, value: Any, epochs: int) -> float | None:
    """The largest of the lengths, if it does not end within the run."""
    lengths = value if isinstance(value, list) else [] if value is None else [value]
    longest = max(lengths, default=0)
    # Whole numbers count epochs, after which something happens to the next; a length may end with the run.
    counts = declared.type in (int, list[int])
    return longest if longest > epochs or (counts and longest == epochs) else None


def long_patience(case: Case) -> Iterator[Violation]:
    early, schedule, epochs = case.config.early_stopping, case.config.schedule, case.config.epochs
    if epochs == 1:
        return
    patient = [(("early_stopping", "patience"), "early stopping", early.patience)] if early else []
    if "patience" in schedule.parameters:
        patient.append((("schedule", "patience"), schedule.name, schedule["patience"]))
    for path, who, patience in patient:
        if patience >= epochs:
            yield Violation(
                path,
                f"{who} with a patience of {_epochs(patience)} can do nothing in a run of {epochs}",
                f"set a smaller {path[0]}.patience, or epochs above {patience}",
            )


def stopped_before_reduced(case: Case) -> Iterator[Violation]:
    early, schedule = case.config.early_stopping, case.config.schedule
    if early is None or "patience" not in schedule.parameters or early.metric != schedule["metric"]:
        return
    # It stops after as many epochs as its patience; the rate falls after one more than its own, too late if then.
    if early.patience <= schedule["patience"] + 1 and early.patience < case.config.epochs:
        yield Violation(
            ("early_stopping", "patience"),
            f"{early.metric} that has not improved for {_epochs(early.patience)} stops the run, and {schedule.name} "
            f"lowers the rate after {_epochs(schedule['patience'] + 1)}",
            "give early_stopping about twice the patience of the schedule",
        )


def _epochs(count: float) -> str:
    return f"{count:g} epoch{'' if count == 1 else 's'}"


_BLOBS: Final = "dataset: synthetic_classification\nloss: cross_entropy\n"

COURSE_RULES: Final[dict[str, Rule]] = {
    "long_warmup": Rule(
        check=long_warmup,
        severity="warn",
        meaning="The warm-up ends before the run does.",
        why="The rate would rise to the end and never be what the config says.",
        example=Example(
            f"{_BLOBS}epochs: 5\nschedule: {{name: cosine, warmup_epochs: 5}}",
            f"{_BLOBS}epochs: 50\nschedule: {{name: cosine, warmup_epochs: 5}}",
        ),
    ),
    "schedule_length": Rule(
        check=schedule_length,
        severity="warn",
        meaning="The schedule fits into the length of the run.",
        why="A stair after epoch 30 changes nothing in a run of 10 epochs, and half a decay ends at half the rate.",
        example=Example(
            f"{_BLOBS}epochs: 20\nschedule: {{name: step, every: 30}}",
            f"{_BLOBS}epochs: 90\nschedule: {{name: step, every: 30}}",
        ),
    ),
    "long_patience": Rule(
        check=long_patience,
        severity="warn",
        meaning="A patience is shorter than the run.",
        why="So many epochs without improvement cannot come together before the run is over anyway.",
        example=Example(
            f"{_BLOBS}epochs: 10\nearly_stopping: {{patience: 10}}",
            f"{_BLOBS}epochs: 100\nearly_stopping: {{patience: 10}}",
        ),
    ),
    "stopped_before_reduced": Rule(
        check=stopped_before_reduced,
        severity="warn",
        meaning="A plateau lowers the rate before it stops the run.",
        why="Both wait for the same improvement. The one with less patience always comes first, so the schedule never "
        "gets its turn.",
        example=Example(
            f"{_BLOBS}epochs: 100\nschedule: {{name: reduce_on_plateau, patience: 10}}\nearly_stopping: 5",
            f"{_BLOBS}epochs: 100\nschedule: {{name: reduce_on_plateau, patience: 5}}\nearly_stopping: 12",
        ),
    ),
}
