"""Read the rows of a run at the moment of a comparison: its best epoch, its last, or an epoch given by number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lossrun.analysis.values import readings
from lossrun.errors import UsageError
from lossrun.nearby import nearest
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun

Moment: TypeAlias = Literal["best", "last"] | int  # each run's best epoch, its last epoch, or an epoch's number


@dataclass(frozen=True, slots=True)
class Moments:
    """The rows of one run.

    Attributes:
        best: {seed: row at its best epoch}.
        last: {seed: row at its last epoch}.
        shown: {seed: row at the moment of the comparison}.
        diverged: Whether a seed diverged.
    """

    best: dict[int, Row]
    last: dict[int, Row]
    shown: dict[int, Row]
    diverged: bool


def moment_of(text: str) -> Moment:
    """Read a moment: `best`, `last`, or the number of an epoch.

    Raises:
        UsageError: For any other text.
    """
    words: dict[str, Moment] = {"best": "best", "last": "last"}
    if text in words:
        return words[text]
    try:
        return int(text)
    except ValueError:
        near = nearest(text, list(words))
        meant = f"; did you mean {near}?" if near else ""
        raise UsageError(f"--at {text}: expected best, last, or the number of an epoch{meant}") from None


def moments(run: RecordedRun, at: Moment) -> Moments:
    """Return a run's history rows, with the test metrics of the same moment.

    There are no test metrics at the number of an epoch, nor for a run that lost part of its history.
    """
    best = _tested(readings.best_rows(run), readings.test_rows(run, "test_at_best"))
    last = _tested(readings.last_rows(run), readings.test_rows(run, "test_at_last"))
    shown = best if at == "best" else last if at == "last" else readings.rows_at(run, at)
    return Moments(best, last, shown, bool(readings.diverged_seeds(run)))


def in_words(at: Moment) -> str:
    """Name a moment: `each run's best epoch`, `each run's last epoch`, or `epoch 3`."""
    return f"epoch {at}" if isinstance(at, int) else f"each run's {at} epoch"


def _tested(rows: Mapping[int, Row], tests: Mapping[int, Row]) -> dict[int, Row]:
    """Return each seed's history row at a moment, with its test metrics."""
    return {seed: {**row, **tests.get(seed, {})} for seed, row in rows.items()}
