"""Plot schedules for `lossrun explain`: rates from the functions that training uses, over a run of 30 epochs."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from lossrun.catalog import get
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.parameter import REQUIRED
from lossrun.components.schedules import rate

# (name, epochs, shares of the learning rate)
Curve: TypeAlias = tuple[str, tuple[float, ...], tuple[float, ...]]

EPOCHS: Final = 30
STEPS_PER_EPOCH: Final = 20
WARMUP_EPOCHS: Final = 3.0


def rate_curves(name: str, parameters: Mapping[str, Any]) -> tuple[Curve, ...]:
    """Return the curve of a schedule, without and with a warm-up; () for a schedule that waits for results.

    Args:
        name: Its canonical name.
        parameters: Those that differ from the defaults, and those without a default.

    Raises:
        KeyError: For an unknown name.
    """
    declared = get("schedule", name)
    if isinstance(declared, Schedule) and declared.waits_for_results:
        return ()
    settings = {key.name: key.default for key in declared.parameters if key.default is not REQUIRED} | dict(parameters)
    steps = range(EPOCHS * STEPS_PER_EPOCH)
    epochs = (*(step / STEPS_PER_EPOCH for step in steps), float(EPOCHS))

    def shares(warmup_epochs: float) -> tuple[float, ...]:
        run: dict[str, Any] = {"steps_per_epoch": STEPS_PER_EPOCH, "epochs": EPOCHS, "learning_rate": 1.0}
        rates = [rate(name, step=step, **run, **(settings | {"warmup_epochs": warmup_epochs})) for step in steps]
        # Each rate is valid until the next step, and the last one until the end.
        return (*rates, rates[-1])

    own = settings.get("warmup_epochs") or 0.0
    warm = WARMUP_EPOCHS if own != WARMUP_EPOCHS else 0.0
    return (name, epochs, shares(own)), (f"warmup_epochs: {warm:g}", epochs, shares(warm))
