"""The interface of `replay/`, which records a computation once and replays it. `steps/` does not import `replay/`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


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
