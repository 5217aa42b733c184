"""Check the course of a run: whether what is planned for later epochs happens within the run."""

from collections.abc import Iterator
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.parameter import Parameter
from lossrun.lint.rule import Case, Example, Rule, Violation

# Other rules check these, or they wait for an event that may never happen.
_OTHER_LENGTHS: Final = ("warmup_epochs", "cooldown", "patience")


def long_warmup(case: Case) -> Iterator[Violation]:
    """Find a warm-up that does not end before the run does."""
    warmup, epochs = case.config.schedule.parameters.get("warmup_epochs", 0), case.config.epochs
    if warmup >= epochs:
        yield Violation(
            ("schedule", "warmup_epochs"),
            f"the warm-up of {_epochs(warmup)} does not end before the run of {epochs}: the learning rate rises to "
            "the end",
            f"set a smaller schedule.warmup_epochs, such as {epochs // 10}, or more epochs",
            (f"schedule.warmup_epochs={epochs // 10}",),
        )


def schedule_length(case: Case) -> Iterator[Violation]:
    """Find parameters of the schedule that take effect after the end of the run."""
    schedule, epochs = case.config.schedule, case.config.epochs
    # A run of a single epoch only tries out a config.
    if epochs == 1:
        return
    for name, value in schedule.parameters.items():
        declared = get("schedule", schedule.name).parameter(name)
        if not isinstance(declared, Parameter) or declared.unit != "epochs" or name in _OTHER_LENGTHS:
            continue
        # Without stairs, the learning rate falls from the start.
        if schedule.parameters.get("staircase") is False and name == "every":
            continue
        beyond = _beyond(declared, value, epochs)
        if beyond is not None:
            yield Violation(
                ("schedule", name),
                f"{schedule.name} with {name}: {value} goes beyond the run, which ends after epoch {epochs}",
                f"set a smaller schedule.{name}, or epochs above {beyond:g}",
                (f"epochs={int(beyond) + 1}",),
            )


def _beyond(declared: Parameter, value: Any, epochs: int) -> float | None:
    """Return the largest of the lengths if it does not end within the run, or None."""
    lengths = value if isinstance(value, list) else [] if value is None else [value]
    longest = max(lengths, default=0)
    # Integers are epochs after which something happens to the next one; other lengths may end with the run.
    counts = declared.type in (int, list[int])
    return longest if longest > epochs or (counts and longest == epochs) else None


def long_patience(case: Case) -> Iterator[Violation]:
    """Find a patience as long as the run."""
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
                f"{who} with a patience of {_epochs(patience)} never takes effect in a run of {_epochs(epochs)}",
                f"set a smaller {path[0]}.patience, or epochs above {patience}",
                (f"epochs={patience + 1}",),
            )


def stopped_before_reduced(case: Case) -> Iterator[Violation]:
    """Find early stopping that always comes before the schedule lowers the learning rate."""
    early, schedule = case.config.early_stopping, case.config.schedule
    if early is None or "patience" not in schedule.parameters or early.metric != schedule["metric"]:
        return
    # Early stopping acts after `patience` epochs, the schedule after `patience` + 1, which is too late if equal.
    if early.patience <= schedule["patience"] + 1 and early.patience < case.config.epochs:
        yield Violation(
            ("early_stopping", "patience"),
            f"early stopping ends the run after {_epochs(early.patience)} without improvement of {early.metric}, "
            f"before {schedule.name} lowers the learning rate, after {_epochs(schedule['patience'] + 1)}",
            f"set early_stopping.patience to about twice the patience of the schedule: {2 * schedule['patience'] + 2}",
            (f"early_stopping.patience={2 * schedule['patience'] + 2}",),
        )


def _epochs(count: float) -> str:
    return f"{count:g} epoch{'' if count == 1 else 's'}"


_BLOBS: Final = "dataset: synthetic_classification\nloss: cross_entropy\n"

COURSE_RULES: Final[dict[str, Rule]] = {
    "long_warmup": Rule(
        check=long_warmup,
        severity="warn",
        meaning="The warm-up must end before the run does.",
        why="Otherwise the learning rate rises to the end and never reaches the configured value.",
        example=Example(
            f"{_BLOBS}epochs: 5\nschedule: {{name: cosine, warmup_epochs: 5}}",
            f"{_BLOBS}epochs: 50\nschedule: {{name: cosine, warmup_epochs: 5}}",
        ),
    ),
    "schedule_length": Rule(
        check=schedule_length,
        severity="warn",
        meaning="The schedule must fit into the run.",
        why="A drop after epoch 30 has no effect in a run of 10 epochs, and a decay that is cut in half leaves half "
        "of the learning rate.",
        example=Example(
            f"{_BLOBS}epochs: 20\nschedule: {{name: step, every: 30}}",
            f"{_BLOBS}epochs: 90\nschedule: {{name: step, every: 30}}",
        ),
    ),
    "long_patience": Rule(
        check=long_patience,
        severity="warn",
        meaning="A patience must be shorter than the run.",
        why="Otherwise the run ends before there can be that many epochs without improvement.",
        example=Example(
            f"{_BLOBS}epochs: 10\nearly_stopping: {{patience: 10}}",
            f"{_BLOBS}epochs: 100\nearly_stopping: {{patience: 10}}",
        ),
    ),
    "stopped_before_reduced": Rule(
        check=stopped_before_reduced,
        severity="warn",
        meaning="On a plateau, the schedule must lower the learning rate before early stopping ends the run.",
        why="Both wait for the same improvement. The one with less patience always acts first, so the schedule never "
        "takes effect.",
        example=Example(
            f"{_BLOBS}epochs: 100\nschedule: {{name: reduce_on_plateau, patience: 10}}\nearly_stopping: 5",
            f"{_BLOBS}epochs: 100\nschedule: {{name: reduce_on_plateau, patience: 5}}\nearly_stopping: 12",
        ),
    ),
}
