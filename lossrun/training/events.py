"""What the loop yields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossrun.health.examine import Finding


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Where training stands within an epoch. Known without asking the device."""

    epoch: int
    step_in_epoch: int
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """An epoch that is on disk: its history rows, one per seed that trained, the seeds for which it is the best, and
    what was found out about how they are doing."""

    epoch: int
    rows: Sequence[Mapping[str, Any]]
    best_seeds: frozenset[int]
    findings: Sequence[Finding] = ()
