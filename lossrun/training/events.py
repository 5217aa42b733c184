"""The events that the training loop yields: progress within an epoch, each finished epoch, and the end of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossrun.health.finding import Finding


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Where training stands within an epoch. It is known without waiting for the device."""

    epoch: int
    step_in_epoch: int
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """A finished epoch, which is on disk.

    Attributes:
        rows: Its history rows, one for each seed that trained.
        best_seeds: The seeds for which this is the best epoch so far.
        findings: What is wrong with the seeds.
        notes: Further sentences for the user, each said only once in a run.
    """

    epoch: int
    rows: Sequence[Mapping[str, Any]]
    best_seeds: frozenset[int]
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = ()

    def sentences(self, seeds: int) -> list[str]:
        """Return a sentence for each diagnosis, with the numbers of the first of the run's seeds that has it."""
        texts = []
        for name in dict.fromkeys(finding.name for finding in self.findings):
            same = [finding for finding in self.findings if finding.name == name]
            whose = f", seed {', '.join(str(finding.seed) for finding in same)}" if seeds > 1 else ""
            texts.append(f"epoch {same[0].epoch}{whose}: {same[0].text}")
        return texts


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a run, which is on disk: the last event.

    Attributes:
        epoch: The last epoch that was trained.
        step: The number of updates done.
        seeds: For each seed, as text: `best_epoch`, `best_step`, `stopped_epoch`, `diverged_epoch` and, with test data,
            `test_at_best` and `test_at_last`, the test scores by their names.
        seconds: Time spent on all epochs.
    """

    epoch: int
    step: int
    seeds: Mapping[str, Mapping[str, Any]]
    seconds: float
