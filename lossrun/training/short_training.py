"""Short trainings that leave nothing behind."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from lossrun.training.session import Session


def train_briefly(session: Session, steps: int, rates: Callable[[int], Sequence[float]]) -> Iterator[Tensor]:
    """Train a new session for some steps, epoch after epoch, and write nothing.

    Args:
        rates: The learning rate of each seed at the update that follows so many others.

    Yields:
        The losses of each step, (seeds,), valid until the next step.
    """
    position = session.position
    while position.step < steps:
        session.begin_epoch()
        for start, stop in session.remaining_batches():
            losses = session.step(start, stop, rates(position.step))
            position.step += 1
            yield losses
            if position.step == steps:
                return
        position.epoch += 1
