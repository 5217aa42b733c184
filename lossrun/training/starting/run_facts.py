"""Collect what run.json and the ledger keep of the machine, the versions and the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lossrun.data import Data
from lossrun.data.samples.dataset import class_amounts
from lossrun.data.samples.hashing import hashes
from lossrun.records.provenance.whereabouts import starting_points
from lossrun.training.process import environment
from lossrun.training.starting.prepare import Prepared

MOST_CLASSES: Final = 1000  # the samples of more classes are not counted in run.json


def environment_of(prepared: Prepared, runs_dir: Path) -> dict[str, Any]:
    """Return what run.json and the ledger keep of the machine, the versions and the data."""
    return {
        **starting_points(runs_dir, prepared.experiment.reading.directory, prepared.experiment.data_dir),
        **environment.environment(prepared.place.device, prepared.experiment.reading, prepared.threads),
        "processes": prepared.processes.count if prepared.processes else 1,
        "step": prepared.step.kind,
        "chunks": list(prepared.grouping.sizes),
        "task": prepared.experiment.facts.task,
        "data": hashes(prepared.experiment.data),
        "samples": _sizes(prepared.experiment.data),
        "class_counts": _class_counts(prepared.experiment.data),
        "classes": list(prepared.experiment.facts.classes[:MOST_CLASSES]),
    }


def _class_counts(data: Mapping[int, Data]) -> dict[str, Any]:
    """Return the total weight of the samples of each class, and of all samples, in the parts that are scored.

    There is a list with a value for each seed if the seeds' splits differ; {} for regression and for very many classes.
    """
    first = next(iter(data.values()))
    if first.task == "regression" or first.target_size > MOST_CLASSES:
        return {}
    found: dict[str, Any] = {}
    for part in ("validation", "test"):
        each = []
        for one in data.values():
            samples = getattr(one, part)
            counts, total = class_amounts(samples, one.task, one.target_size) if samples else ([], 0)
            each.append({"counts": counts, "total": total})
        found[part] = each[0] if all(counts == each[0] for counts in each) else each
    return found


def _sizes(data: Mapping[int, Data]) -> dict[str, int | list[int]]:
    """Return the number of samples in each part; a list, one for each seed, if the seeds' splits differ in size."""
    found = {
        part: [len(samples) if (samples := getattr(one, part)) else 0 for one in data.values()]
        for part in ("train", "validation", "test")
    }
    return {part: counts if len(set(counts)) > 1 else counts[0] for part, counts in found.items()}
