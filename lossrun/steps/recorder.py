"""The interface of `replay/`, which records a computation once and replays it. `steps/` does not import `replay/`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import SeedGroup


class Replayable(Protocol):
    """A recorded function. `outputs` is its result, in memory that `replay` fills again."""

    outputs: Any

    def replay(self) -> None: ...


Record: TypeAlias = Callable[[Callable[[], Any]], Replayable]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Ways to record a function. Each runs the function at least once.

    Attributes:
        kind: The name of a step that is recorded this way.
        any_number: Records a function that may be run several times, to warm up.
        once: Records a function that must be run only once.
        exact: Like `any_number`, with the kernels of an ordinary call, so with the same bits.
        deferring: Like `any_number`, with the `defer` of `Recording`; None where nothing can be deferred.
        apart: Makes a recorder like this one, whose recordings may be replayed at the same time as this one's.
    """

    kind: str
    any_number: Record
    once: Record
    exact: Record
    deferring: Callable[..., Replayable] | None
    apart: "Callable[[], Recorder] | None" = None


class RepeatedComputation:
    """What a group computes in the same way again and again, such as its scores after each epoch.

    Recorded at the first call, and again if other seeds are computed: a recording belongs to the memory of a stack,
    which moves when seeds leave it.

    Args:
        function: Computes it from the memory of the group.
        record: How it is recorded; None to call the function each time.
    """

    def __init__(self, group: SeedGroup, function: Callable[[], Tensor], record: Record | None) -> None:
        self.group = group
        self.function = function
        self.record = record
        self._recorded: Replayable | None = None
        self._of: Sequence[Replica] = ()

    def __call__(self) -> Tensor:
        """Return what the function returns, in memory that the next call may fill again."""
        if self.record is None:
            return self.function()
        if self._recorded is None or self._of != self.group.computed:
            self._recorded, self._of = self.record(self.function), self.group.computed
        # Replay also right after recording, because recording computed with the kernels of an ordinary call.
        self._recorded.replay()
        outputs: Tensor = self._recorded.outputs
        return outputs
