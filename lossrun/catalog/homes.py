"""Where the function of a declared component lives: the module of its kind, under its declared name."""

from typing import Final

from lossrun.catalog.losses import FAMILIES

_HOMES: Final = {
    "metric": "metrics.scores",
    "model": "models",
    "optimizer": "optimizers.not_in_torch",
    "schedule": "schedules.shares",
}


def home(kind: str, name: str) -> str:
    """Return the module that holds the function of a loss, metric, model, optimizer or schedule, by its full name.

    torch's own optimizers have no function here: `Optimizer.torch_class` names their class. Nor has a metric that is
    computed together with others.
    """
    if kind == "loss":
        module = next(f"losses.{family}" for family, losses in FAMILIES.items() if name in {one.name for one in losses})
    else:
        module = _HOMES[kind]
    return f"lossrun.components.{module}"
