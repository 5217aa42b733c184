"""Parameters that several schedules share."""

from typing import Final

from lossrun.catalog.parameter import Parameter

WARMUP: Final = Parameter(
    "warmup_epochs", float, 0.0, "length of a linear rise from near 0 at the start", unit="epochs", at_least=0
)
OVER: Final = Parameter(
    "over_epochs",
    float | None,
    None,
    "how long the change takes; afterwards the rate stays at its last share. Left out: the rest of the run after the "
    "warm-up",
    unit="epochs",
    above=0,
)
FINAL_FRACTION: Final = Parameter(
    "final_fraction", float, 0.0, "share of the rate left at the end", at_least=0, at_most=1, aliases=("alpha",)
)
BY_EPOCHS: Final = "PyTorch moves the rate once an epoch, lossrun at every step"
