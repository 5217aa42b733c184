"""Train for a few steps, without writing anything."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from lossrun.training.session import Session


def train_briefly(session: Session, steps: int, rates: Callable[[int], Sequence[float]]) -> Iterator[Tensor]:
    """Train a new session for some steps, epoch after epoch, and write nothing.

    Args:
        rates: Returns the learning rate of each seed after a number of updates.

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
