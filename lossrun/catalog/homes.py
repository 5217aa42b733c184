"""Where the function of a declared component lives: the module of its kind, under its declared name."""

from typing import Final

from lossrun.catalog.losses import FAMILIES

_HOMES: Final = {
    "initializer": "initializers",
    "metric": "metrics.scores",
    "model": "models",
    "optimizer": "optimizers.not_in_torch",
    "schedule": "schedules.shares",
}


def home(kind: str, name: str) -> str:
    """Return the module that holds the function of a loss, metric, model, initializer, optimizer or schedule.

    Optimizers of torch have no function here: `Optimizer.torch_class` names their class. A metric that is computed
    together with others has no function either.
    """
    if kind == "loss":
        module = next(f"losses.{family}" for family, losses in FAMILIES.items() if name in {one.name for one in losses})
    else:
        module = _HOMES[kind]
    return f"lossrun.components.{module}"
