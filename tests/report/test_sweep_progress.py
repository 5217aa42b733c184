"""A sweep while it runs, on a terminal and in a pipe."""

import io

from rich.console import Console

from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.sweep_progress import MOST_PAIRS, LiveEpochs, LiveScores, cells_progress

SCORES = {0.1: 3.0, 0.2: 2.0, 0.3: None, 0.4: 4.0}


def cell(rate: float, loss: str = "mse", phase: str = "tune") -> PlannedCell:
    return PlannedCell(f"{phase}-{loss}-{rate}", phase, {"loss": loss}, {"loss": loss, "learning_rate": rate}, {})  # type: ignore[arg-type]


def best(goal: str = "min") -> LiveScores:
    return LiveScores("val_rmse", goal, lambda one: SCORES[one.changes["learning_rate"]])  # type: ignore[arg-type]


def test_each_pair_has_a_line_with_its_best_score() -> None:
    found = best()
    for rate in SCORES:
        found.add(cell(rate))
    found.add(cell(0.1, "mae"))
    found.add(cell(0.3, "huber"))  # has no score
    found.add(cell(0.2, "mae", "final"))  # is not compared yet
    assert list(found.lines()) == [
        "loss=mse: val_rmse 2.000 with learning_rate=0.2",
        "loss=mae: val_rmse 3.000 with learning_rate=0.1",
    ]


def test_the_direction_of_the_metric_decides() -> None:
    found = best("max")
    for rate in SCORES:
        found.add(cell(rate))
    assert list(found.lines()) == ["loss=mse: val_rmse 4.000 with learning_rate=0.4"]


def test_many_pairs_are_cut() -> None:
    found = best()
    for number in range(MOST_PAIRS + 2):
        found.add(cell(0.1, f"loss{number}"))
    lines = list(found.lines())
    assert len(lines) == MOST_PAIRS + 1
    assert lines[-1] == "... and 2 more pairs"


def printed(*, terminal: bool, width: int = 80) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, _environ={"TERM": "xterm"})
    with cells_progress(console, best(), hidden=False) as (begins, ended):
        begins("tune", 2)
        ended(cell(0.1), "finished", "")
        ended(cell(0.3), "diverged", "")
    return file.getvalue()


def test_a_terminal_shows_the_counts_and_the_best_so_far() -> None:
    text = printed(terminal=True)
    assert "2/2, 1 diverged" in text
    assert "loss=mse: val_rmse 3.000 with learning_rate=0.1" in text
    assert "val_rmse 3.000" in printed(terminal=True, width=24)


def test_a_pipe_gets_a_line_for_each_cell() -> None:
    assert printed(terminal=False).splitlines() == [
        "tuning 1/2: loss=mse learning_rate=0.1: finished",
        "tuning 2/2: loss=mse learning_rate=0.3: diverged",
    ]


def test_cells_that_are_being_trained_are_counted_with_their_epochs() -> None:
    stack = [PlannedCell(f"tune-{number}", "tune", {}, {}, {"epochs": 20}, "tune-1") for number in (1, 2, 3)]
    alone = PlannedCell("tune-4", "tune", {}, {}, {"epochs": 10})
    waiting = PlannedCell("tune-5", "tune", {}, {}, {"epochs": 10})
    epochs = LiveEpochs(lambda one: {"tune-1": 5, "tune-4": 7}.get(one.directory))
    epochs.trains([*stack, alone, waiting])
    assert epochs.shares() == [0.25, 0.25, 0.25, 0.7]
    epochs.ended(stack[0])
    assert epochs.shares() == [0.25, 0.25, 0.7]
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, _environ={"TERM": "xterm"})
    with cells_progress(console, None, epochs, hidden=False) as (begins, ended):
        begins("tune", 5)
        ended(stack[0], "finished", "")
    assert "3 running, 40 % of their epochs done" in file.getvalue()  # (0.25 + 0.25 + 0.7) / 3
