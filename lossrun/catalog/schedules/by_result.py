"""The schedule that looks at the results of a run."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.parameter import Parameter
from lossrun.catalog.schedules.parameters import WARMUP

BY_RESULT: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="reduce_on_plateau",
        meaning="multiplies the rate by factor when the watched metric stops improving",
        formula="rate factor^k, at least min_rate; k counts how often the watched metric stalled",
        when="When you do not know when progress will stall. Each seed then has its own rate, so seeds train one by "
        "one.",
        source="Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification, section 5 (by hand)",
        parameters=(
            Parameter("factor", float, 0.1, "what the rate is multiplied by", above=0, below=1),
            Parameter("patience", int, 10, "epochs without improvement to allow", unit="epochs", at_least=0),
            Parameter("threshold", float, 1e-4, "improvement that counts", at_least=0, aliases=("min_delta",)),
            Parameter(
                "threshold_mode",
                Literal["rel", "abs"],
                "rel",
                "rel: threshold is a share of the best value so far; abs: it is a difference",
            ),
            Parameter(
                "counting",
                Literal["pytorch", "keras"],
                "pytorch",
                "pytorch: reduce after more than patience epochs without improvement; keras: after patience epochs, "
                "and the last epoch of a cooldown counts already",
            ),
            Parameter("cooldown", int, 0, "epochs to wait after a reduction", unit="epochs", at_least=0),
            Parameter("min_rate", float, 0.0, "the rate never falls below it", at_least=0, aliases=("min_lr",)),
            Parameter("metric", str, "auto", "the metric to watch; auto: val_loss, or train_loss without validation"),
            Parameter(
                "mode",
                Literal["auto", "min", "max"],
                "auto",
                "whether lower or higher is better; auto: as the metric declares",
            ),
            WARMUP,
        ),
        aliases=(
            *also("ReduceLROnPlateau"),
            *also("keras.ReduceLROnPlateau", threshold_mode="abs", counting="keras"),
        ),
    ),
)


def epochs_as_in_pytorch(plateau: Mapping[str, Any]) -> dict[str, int]:
    """Return the patience and cooldown of a reduce_on_plateau, counted in PyTorch's way.

    Keras reduces in the epoch that makes patience full, PyTorch in the next one, and Keras counts the last epoch of a
    cooldown already. A patience or cooldown of 0 is the same as 1 in Keras.
    """
    epochs = {name: plateau[name] for name in ("patience", "cooldown")}
    return {name: max(count - 1, 0) for name, count in epochs.items()} if plateau["counting"] == "keras" else epochs
