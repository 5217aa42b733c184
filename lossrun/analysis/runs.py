"""What `ls` and `show` say about runs, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lossrun.analysis import readings
from lossrun.analysis.differences import component_text
from lossrun.analysis.learning_curves import LearningCurve, mean_curve, usual_columns
from lossrun.analysis.readings import Goal, Spread
from lossrun.analysis.remarks import remarks
from lossrun.catalog.metrics import PRIMARY_YARDSTICKS
from lossrun.errors import RunError
from lossrun.records import config_file, ledger, recorded, strict_json
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.rows import Row, Rows
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import Status, status

if TYPE_CHECKING:
    from lossrun.analysis.saved import SavedFile

_LONG_HISTORY: Final = 1_000_000  # bytes; to parse them takes 10 ms


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of `ls`. `yardstick`, `value`: the task's first primary one, or without validation data what chose the
    best epochs, at those epochs. `started`: ISO time, and `age`, seconds since then; None where its ledger does not
    say. `config`: the effective one. `at_best`: everything measured at each seed's best epoch, test included."""

    path: Path
    name: str
    status: Status
    epochs_done: int
    epochs_asked: int
    seeds: int
    loss: str
    optimizer: str
    learning_rate: float
    yardstick: str | None
    value: Spread | None
    age: float | None
    started: str | None
    config: dict[str, Any]
    at_best: dict[int, Row]


@dataclass(frozen=True, slots=True)
class Listing:
    """`problems`: why a directory that looks like a run could not be read, one sentence each. `sorted_by`: the key or
    yardstick by which the rows are sorted, None where they are in the order of their making."""

    rows: tuple[RunRow, ...]
    problems: tuple[str, ...]
    sorted_by: str | None = None


@dataclass(frozen=True, slots=True)
class ShownYardstick:
    name: str
    goal: Goal | None
    at_best: Spread | None
    at_last: Spread | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything `show` says. `seconds`: wall time of all finished epochs. `best_weights`: per seed, of a model small
    enough to print."""

    path: Path
    name: str
    status: Status
    remarks: tuple[str, ...]
    epochs_done: int
    epochs_asked: int
    seeds: tuple[int, ...]
    best_metric: str
    best_epochs: dict[int, int]
    seconds: float
    yardsticks: tuple[ShownYardstick, ...]
    curves: tuple[LearningCurve, ...]
    config: dict[str, Any]
    environment: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    saved: "tuple[SavedFile, ...]"
    best_weights: dict[int, dict[str, float]]


def listing(paths: Sequence[Path], now: datetime | None = None) -> Listing:
    """The runs in `paths`, in their order. One that cannot be read is told of and does not hide the others."""
    rows: list[RunRow] = []
    problems: list[str] = []
    for path in paths:
        try:
            rows.append(_row(_summed_up(path), now or datetime.now(UTC)))
        except RunError as error:
            problems.append(str(error))
    return Listing(tuple(rows), tuple(problems))


def facts(run: RecordedRun) -> RunFacts:
    """What there is to say about one run."""
    # Reads tensors, and so imports numpy, which `ls` does without.
    from lossrun.analysis.saved import best_weights, saved_files

    best, last = readings.best_rows(run), readings.last_rows(run)
    tests_at_best, tests_at_last = (readings.test_rows(run, when) for when in ("test_at_best", "test_at_last"))
    yardsticks = [
        ShownYardstick(name, readings.goal(name), readings.column(at_best, name), readings.column(at_last, name))
        for at_best, at_last in ((best, last), (tests_at_best, tests_at_last))
        for name in readings.yardstick_columns(at_last)
    ]
    rows = run.history.rows
    seconds_per_epoch = dict(zip(rows.column("epoch"), rows.column("seconds"), strict=True))
    return RunFacts(
        path=run.path,
        name=run.name,
        status=run.status,
        remarks=remarks(run),
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=run.seeds,
        best_metric=run.config["best"]["metric"],
        best_epochs={seed: row["epoch"] for seed, row in best.items()},
        seconds=sum(filter(None, seconds_per_epoch.values())),
        yardsticks=tuple(yardsticks),
        curves=tuple(curve for name in usual_columns(run) if (curve := mean_curve(run, name))),
        config=run.config,
        environment=run.environment,
        events=run.ledger,
        saved=saved_files(run.path, run.seeds),
        best_weights=best_weights(run.path, run.seeds),
    )


def _summed_up(path: Path) -> RecordedRun:
    """The run as `recorded.load` reads it, but of a long history that is finished only the rows of the best epochs and
    the last row: a listing needs no more, and a thousand such histories would take minutes."""
    files = RunDirectory(path)
    try:
        if files.history_path.stat().st_size <= _LONG_HISTORY:
            return recorded.load(path)
    except OSError:
        return recorded.load(path)
    events = ledger.read(files.ledger_path)
    epochs = _best_epochs(events)
    rows = _rows_of(files.history_path, epochs) if epochs else None
    if rows is None:
        return recorded.load(path)
    try:
        environment = strict_json.loads(files.run_json.read_bytes())
    except (OSError, ValueError):
        return recorded.load(path)  # says what is wrong
    config = ledger.effective_config(config_file.read(files.config_path), events)
    name, state = path.resolve().name, status(path, events)
    return RecordedRun(path, name, config, environment, History(rows), events, state, ())


def _best_epochs(events: Sequence[dict[str, Any]]) -> set[int] | None:
    """The best and last epochs of all seeds, where the ledger's last word is about them; None where the history has to
    say."""
    if not events or events[-1]["event"] != "finished":
        return None
    if any(key.startswith("best") for event in events for key in event.get("changes", ())):
        return None
    seeds = events[-1]["seeds"].values()
    best: set[Any] = {seed.get("best_epoch") for seed in seeds}
    last: set[Any] = {
        seed.get("stopped_epoch") or seed.get("diverged_epoch") or events[-1].get("epoch") for seed in seeds
    }
    return best | last if best and None not in best | last else None


def _rows_of(history_path: Path, epochs: set[int]) -> Rows | None:
    """The history's rows of some epochs, and its last. None where one of them is not where it should be."""
    content = history_path.read_bytes()
    if not content.endswith(b"\n"):
        return None
    lines = [content[content.rfind(b"\n", 0, -1) + 1 :]]
    for epoch in epochs:
        start = b'{"epoch": %d,' % epoch
        at = 0 if content.startswith(start) else content.find(b"\n" + start) + 1
        if not content.startswith(start, at):
            return None
        while content.startswith(start, at):
            end = content.index(b"\n", at) + 1
            lines.append(content[at:end])
            at = end
    try:
        rows = [strict_json.loads(line) for line in dict.fromkeys(lines)]
    except ValueError:
        return None
    return Rows(sorted(rows, key=itemgetter("epoch")))


def _row(run: RecordedRun, now: datetime) -> RunRow:
    best = readings.best_rows(run)
    tests = readings.test_rows(run, "test_at_best")
    task = readings.task(run)
    names = [*(f"val_{name}" for name in (PRIMARY_YARDSTICKS[task] if task else ())), run.config["best"]["metric"]]
    yardstick = next((name for name in names if readings.column(best, name)), None)
    started = run.ledger[0]["time"] if run.ledger else None
    return RunRow(
        path=run.path,
        name=run.name,
        status=run.status,
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=len(run.seeds),
        loss=component_text("loss", run.config["loss"]),
        optimizer=component_text("optimizer", run.config["optimizer"]),
        learning_rate=run.config["learning_rate"],
        yardstick=yardstick,
        value=readings.column(best, yardstick) if yardstick else None,
        age=(now - datetime.fromisoformat(started)).total_seconds() if started else None,
        started=started,
        config=run.config,
        at_best={seed: {**row, **tests.get(seed, {})} for seed, row in best.items()},
    )
