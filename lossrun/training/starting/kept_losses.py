"""Compare the losses in a checkpoint with the history, because they decide what counts as a plateau."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.health.window import Window
from lossrun.records import ledger
from lossrun.records.recorded import RecordedRun

_SINCE: Final = 3  # the format version; older versions kept other losses


def problem(run: RecordedRun, checkpoint: Mapping[str, Any], replicas: Sequence[Mapping[str, Any]]) -> str:
    """Name the seed whose losses differ from the history; "" if no seed's do.

    Args:
        checkpoint: The metadata.
        replicas: The metadata of the run's seeds.
    """
    if checkpoint.get("format_version", _SINCE) < _SINCE:
        return ""
    kept: dict[int, tuple[float, ...]] = dict.fromkeys(run.seeds, ())
    plans, rows = _planned(run), run.history.rows
    for epoch, seed, loss in zip(*map(rows.column, ("epoch", "seed", "train_loss")), strict=True):
        if epoch < checkpoint["epoch"]:
            planned = next(epochs for begins, epochs in reversed(plans) if begins <= epoch)
            kept[seed] = Window(planned).after(kept.get(seed, ()), loss, epoch)
    for seed, replica in zip(run.seeds, replicas, strict=True):
        found, expected = ([float(loss) for loss in losses] for losses in (replica["health"]["losses"], kept[seed]))
        if repr(found) != repr(expected):  # as text, because NaN is not equal to itself
            return f"health.losses of seed {seed} are {found}, but history.jsonl has {expected}"
    return ""


def _planned(run: RecordedRun) -> list[tuple[int, int]]:
    """Return pairs of an epoch and how many epochs were planned from that epoch on, in order."""
    started = ledger.recorded_config(run.ledger) or run.config
    plans = [(1, started["epochs"])]
    for event in run.ledger:
        if event["event"] == "resumed" and isinstance(event.get("config"), dict):
            plans = [plan for plan in plans if plan[0] < event["epoch"]] or plans[:1]
            plans.append((event["epoch"], event["config"]["epochs"]))
    return plans
