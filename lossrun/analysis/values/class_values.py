"""Read the metrics of each class, over the seeds of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.analysis.values import readings
from lossrun.analysis.values.readings import Spread, spread
from lossrun.catalog.metrics import BY_CLASS
from lossrun.records.recorded import RecordedRun

NAMES: Final = ("samples", *BY_CLASS)


@dataclass(frozen=True, slots=True)
class ClassValues:
    """The metrics of each class.

    Attributes:
        part: "validation" or "test".
        classes: The names of the classes.
        values: {metric, or `samples` for the number of samples: one spread for each class}; None if no seed has a
            value.
    """

    part: str
    classes: tuple[str, ...]
    values: Mapping[str, tuple[Spread | None, ...]]

    def facts(self) -> dict[str, Any]:
        """Return plain values: {class: {metric: mean, deviation, and each seed's value}}."""
        return {
            name: {metric: _plain(values[place]) for metric, values in self.values.items()}
            for place, name in enumerate(self.classes)
        }


def class_values(run: RecordedRun) -> ClassValues | None:
    """Return the metrics of each class at the seeds' best epochs, as recorded at the end of the run.

    None for a run that is not finished, has a single output or very many, or was trained by an older version.
    """
    last = next((event for event in reversed(run.ledger) if event["event"] in ("finished", "resumed")), None)
    if last is None or last["event"] != "finished" or readings.is_short(run):
        return None
    found = {int(seed): end["classes_at_best"] for seed, end in last["seeds"].items() if end.get("classes_at_best")}
    part = next((values["part"] for values in found.values()), "")
    return of_seeds(found, part, run.environment.get("classes") or ())


def of_seeds(found: Mapping[int, Mapping[str, Any]], part: str, names: Sequence[str]) -> ClassValues | None:
    """Combine the values of the seeds into a spread for each class.

    Args:
        found: {seed: {metric: one value for each class}}.
        part: "validation" or "test".
        names: The names of the classes; their numbers are used if the lengths differ.
    """
    found = {seed: values for seed, values in found.items() if values}
    if not found:
        return None
    count = len(next(iter(found.values()))["samples"])
    return ClassValues(
        part=part,
        classes=tuple(names) if len(names) == count else tuple(map(str, range(count))),
        values={
            name: tuple(
                spread({seed: values[name][place] for seed, values in found.items() if len(values[name]) == count})
                for place in range(count)
            )
            for name in NAMES
        },
    )


def _plain(value: Spread | None) -> dict[str, Any] | None:
    if value is None:
        return None
    per_seed = {str(seed): one for seed, one in value.per_seed.items()}
    return {"mean": value.mean, "deviation": value.deviation, "per_seed": per_seed}
