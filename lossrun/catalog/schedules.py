"""How the learning rate moves. Every length is in epochs; only reduce_on_plateau looks at results."""

from typing import Final, Literal

from lossrun.catalog.declaration import Parameter, Schedule, also

WARMUP: Final = Parameter(
    "warmup_epochs", float, 0.0, "rate rises in a straight line from near 0, step by step", unit="epochs", at_least=0
)

SCHEDULES: Final[tuple[Schedule, ...]] = (
    Schedule(name="constant", meaning="the same rate throughout", parameters=(WARMUP,), aliases=also("none")),
    Schedule(
        name="step",
        meaning="rate times gamma after every so many epochs",
        parameters=(
            Parameter("every", int, 10, "length of a stair", unit="epochs", at_least=1, aliases=("step_size",)),
            Parameter("gamma", float, 0.1, "factor at each stair", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also("StepLR"),
    ),
    Schedule(
        name="exponential",
        meaning="rate times gamma after every epoch",
        parameters=(Parameter("gamma", float, 0.95, "factor per epoch", above=0, at_most=1), WARMUP),
        aliases=also("ExponentialLR", "ExponentialDecay"),
    ),
    Schedule(
        name="cosine",
        meaning="half a cosine from the rate down to final_fraction of it, step by step, over the whole run",
        parameters=(
            WARMUP,
            Parameter("final_fraction", float, 0.0, "share of the rate left at the end", at_least=0, at_most=1),
        ),
        aliases=also("CosineAnnealingLR", "CosineDecay", "cosine_decay"),
        depends_on_length=True,
    ),
    Schedule(
        name="reduce_on_plateau",
        meaning="rate times factor when the watched value has not improved for more than patience epochs",
        parameters=(
            Parameter("factor", float, 0.1, "what the rate is multiplied by", above=0, below=1),
            Parameter("patience", int, 10, "epochs without improvement to allow", unit="epochs", at_least=0),
            Parameter("threshold", float, 1e-4, "relative improvement that counts", at_least=0),
            Parameter("cooldown", int, 0, "epochs to wait after a reduction", unit="epochs", at_least=0),
            Parameter("min_rate", float, 0.0, "the rate never falls below it", at_least=0, aliases=("min_lr",)),
            Parameter("metric", str, "auto", "what to watch; auto: val_loss, or train_loss without validation"),
            Parameter("mode", Literal["auto", "min", "max"], "auto", "which way is better; auto: as the metric says"),
            WARMUP,
        ),
        aliases=also("ReduceLROnPlateau"),
    ),
)
