"""Write `lossrun show --format json`: everything about one run for programs, in full precision."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lossrun.analysis.run_facts import RunFacts
from lossrun.analysis.values.mean_curve import LearningCurve
from lossrun.analysis.values.readings import Spread
from lossrun.report.layout.for_programs import json_text


def run_as_json(facts: RunFacts) -> str:
    """Write a run as a strict JSON object.

    Metrics are means over the seeds, with the value of each seed. The history is only summarized, because its rows are
    in history.jsonl. NaN and infinity are the strings "nan", "inf", and "-inf".
    """
    metrics = {
        shown.name: {"goal": shown.goal, "at_best": _spread(shown.at_best), "at_last": _spread(shown.at_last)}
        for shown in facts.metrics
    }
    return json_text(
        {
            "run": facts.name,
            "path": str(facts.path),
            "status": facts.status,
            "remarks": list(facts.remarks),
            "seeds": list(facts.seeds),
            "epochs_done": facts.epochs_done,
            "epochs": facts.epochs_asked,
            "seconds": facts.seconds,
            "seconds_are_of": facts.arrangement or "1 seed",
            "best": {"metric": facts.best_metric, "epochs": {str(s): e for s, e in facts.best_epochs.items()}},
            "metrics": {name: values for name, values in metrics.items() if not name.startswith("test_")},
            "test": {name: values for name, values in metrics.items() if name.startswith("test_")},
            "by_class": facts.by_class.facts() if facts.by_class else {},
            "history": {curve.column: dict(_summary(curve)) for curve in facts.curves},
            "config": facts.config,
            "environment": facts.environment,
            "events": list(facts.events),
            "checkpoints": [
                {"file": file.name, "step": file.step, "epochs": file.epochs, "size": file.size} for file in facts.saved
            ],
        }
    )


def _spread(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    per_seed = {str(seed): value for seed, value in spread.per_seed.items()}
    return {"mean": spread.mean, "deviation": spread.deviation, "per_seed": per_seed}


def _summary(curve: LearningCurve) -> Iterator[tuple[str, float | None]]:
    """Yield the first, last, lowest, and highest mean over the seeds."""
    finite: Sequence[float] = [value for value in curve.means if math.isfinite(value)]
    yield "first", curve.means[0]
    yield "last", curve.means[-1]
    yield "least", min(finite) if finite else None
    yield "greatest", max(finite) if finite else None
