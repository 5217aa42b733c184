"""What happens to the loop of a process at a step: it is stopped as by Ctrl-C, or says how far it is."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import lossrun.screen
from lossrun.training.session import Session


def stop_at(step: int) -> None:
    """Interrupt this process once that many steps are done."""

    def reached(done: int) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGINT)

    watch(reached)


def count_steps(log: str) -> None:
    """Keep the number of steps done in a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    watch(lambda done: os.pwrite(descriptor, b"%d" % done, 0))


def watch(reached: Callable[[int], object]) -> None:
    """Have `reached` called before every step with the number of those done."""
    train = lossrun.screen.train

    def watched(session: Session, asked: Callable[[], Any]) -> Iterator[Any]:
        def ask() -> Any:
            reached(session.position.step)
            return asked()

        return train(session, ask)

    lossrun.screen.train = watched  # type: ignore[assignment]
