"""The columns of a run's history and of its test scores that are not named after a metric, for `lossrun explain`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class HistoryColumn:
    """A column.

    Attributes:
        meaning: What it holds, in a line.
        why: How to read it.
    """

    name: str
    meaning: str
    why: str


_AS_CONFIGURED: Final = "the configured loss, with its weights, its smoothing and its parameters"

COLUMNS: Final[dict[str, HistoryColumn]] = {
    column.name: column
    for column in (
        HistoryColumn(
            "epoch",
            "how many times training has gone through all training data, from 1",
            "A line is written at the end of each epoch, for each seed.",
        ),
        HistoryColumn(
            "step",
            "how many times the weights have been updated since the start of the run",
            "An epoch has as many steps as there are batches.",
        ),
        HistoryColumn(
            "train_loss",
            f"{_AS_CONFIGURED}, on the training data, averaged over the epoch",
            "It is computed while the weights change and with dropout on, so it may be above val_loss at first. A mean "
            "per sample, whatever the reduction.",
        ),
        HistoryColumn(
            "val_loss",
            f"{_AS_CONFIGURED}, on the validation data after the epoch",
            "It chooses the best epoch, unless the key best says otherwise. Values of different losses cannot be "
            "compared: use a metric such as val_rmse or val_accuracy.",
        ),
        HistoryColumn(
            "test_loss",
            f"{_AS_CONFIGURED}, on the test data at the end of the run",
            "It is computed once with the best weights and once with the last ones, and chooses nothing.",
        ),
        HistoryColumn(
            "grad_norm",
            "the length of the gradient over all weights, at the last step of the epoch",
            "Near 0 nothing is learned any more; if it grows without end, the learning rate is too large.",
        ),
        HistoryColumn(
            "seconds",
            "the time of the epoch, training and validation",
            "Seeds that train together share it.",
        ),
        HistoryColumn(
            "train_seconds",
            "the time of the epoch's training, without validation",
            "Seeds that train together share it.",
        ),
    )
}
# What stands before the name of a metric, and which values these are.
PARTS: Final = {
    "val_": "on the validation data after each epoch",
    "test_": "on the test data at the end of the run, with the best and with the last weights",
}
