"""Find a schedule that lowers the learning rate long before the run ends, and try the run without it."""

from typing import Any, Final

from lossrun.components.schedules import rate
from lossrun.health.circumstances import BRIEFLY, LONGER, Advice, Circumstances, last_of_each_key

CONSTANT: Final = ("schedule=constant",)
# The least mean rate of a schedule, as a share of the configured rate. Usual schedules, such as a tenth of the rate
# after a third of the run and a hundredth after two thirds, have more than twice this.
LEAST_MEAN: Final = 0.15
# A rate below this share is low.
LOW: Final = 0.1
# Places in the run at which the rate is computed.
PLACES: Final = 200


def low_from(known: Circumstances) -> float | None:
    """Return after how many epochs the schedule's rate stays low, if it does so too early; None otherwise."""
    shares = _shares(known)
    if sum(shares) >= LEAST_MEAN * len(shares):
        return None
    last = max((place for place, share in enumerate(shares) if share >= LOW), default=-1)
    return (last + 1) / len(shares) * known.config.epochs if last + 1 < len(shares) else None


def without_schedule(known: Circumstances, below: float) -> Advice | None:
    """Return the advice to keep the rate constant, if this got below a share of the best constant's loss when tried.

    None as well if the schedule does not lower the rate too early.
    """
    epochs = low_from(known)
    if epochs is None:
        return None
    for steps in (BRIEFLY, LONGER):
        share = known.try_out([CONSTANT], steps).get(CONSTANT)
        if share is not None and share < below:
            return Advice(f"{_said(known, epochs)}; a constant rate reached a lower loss in a trial", CONSTANT)
    return None


def also_without_schedule(advice: Advice, known: Circumstances) -> Advice:
    """Return advice that was found at a constant rate, with a constant rate, if the schedule falls too early."""
    epochs = low_from(known)
    if epochs is None or not advice.cure or any(setting.startswith("schedule") for setting in advice.cure):
        return advice
    why = "; ".join(part for part in (advice.why, _said(known, epochs)) if part)
    return Advice(why, last_of_each_key([*advice.cure, *CONSTANT]))


def _said(known: Circumstances, epochs: float) -> str:
    name, rate_, whole = known.config.schedule.name, known.config.learning_rate, known.config.epochs
    return (
        f"the schedule {name} lowers the learning rate too early: to less than a tenth of {rate_:g} after {epochs:.2g} "
        f"of {whole} epochs"
    )


def _shares(known: Circumstances) -> list[float]:
    """Return the scheduled rate at places all over the run, as shares of the configured rate."""
    config, steps = known.config, known.steps_per_epoch
    parameters: dict[str, Any] = dict(config.schedule.parameters)
    count = config.epochs * steps
    places = [count * place // PLACES for place in range(PLACES)] if count > PLACES else list(range(count))
    return [
        rate(
            config.schedule.name,
            step=place,
            steps_per_epoch=steps,
            epochs=config.epochs,
            learning_rate=1.0,
            **parameters,
        )
        for place in places
    ]
