"""How a computation is recorded once and replayed: what `replay/` offers to whoever computes the same thing often."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


class Replayable(Protocol):
    """`outputs`: what the function returned, in memory that `replay` fills anew."""

    outputs: Any

    def replay(self) -> None: ...


Record: TypeAlias = Callable[[Callable[[], Any]], Replayable]


@dataclass(frozen=True, slots=True)
class Recorder:
    """How functions are recorded; either way the function has been run afterwards. `any_number`: it may be run more
    often, to warm up. `once`: it must not. `exact`: as `any_number`, with the kernels of an ordinary call.
    `deferring`: as `any_number`, with `Recording`'s `defer`; None where nothing can be deferred. `kind`: of the steps
    that are made so."""

    kind: str
    any_number: Record
    once: Record
    exact: Record
    deferring: Callable[..., Replayable] | None
