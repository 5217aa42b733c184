"""A run stopped at a step, as Ctrl-C would stop it, and the number of the step that it is at."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import lossrun.screen
from lossrun.training.session import Session


def stop_at(step: int) -> None:
    """Interrupt this process once that many steps are done."""
    train = lossrun.screen.train

    def watched(session: Session, asked: Callable[[], Any]) -> Iterator[Any]:
        def ask() -> Any:
            if session.position.step == step:
                os.kill(os.getpid(), signal.SIGINT)
            return asked()

        return train(session, ask)

    lossrun.screen.train = watched  # type: ignore[assignment]
