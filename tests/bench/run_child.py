"""lossrun in the child: a run through its real loop into a real run directory, with the times of its epochs."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.experiment import load_experiment
from lossrun.records import checkpoints


def run(config: Mapping[str, Any], time_checkpoints: bool = False) -> dict[str, Any]:
    """Train as `config` says. Times in seconds.

    seconds, train_seconds: of each epoch, as the history has them
    between: from the end of one epoch to the end of the next, writing included (one fewer than epochs)
    checkpoints: what of that went into writing checkpoints, which hold the best weights; only with `time_checkpoints`
    whole: all of it, except for the imports of lossrun's own modules
    loading, building: the parts of it before the first epoch; what torch imports meanwhile, the run directory and the
        checkpoint of step 0 belong to building
    last: the last history row of the first seed
    samples: those trained on
    dataset: bytes of all parts, inputs as float32
    parameters: how many the model of one seed has
    """
    spent = [0.0]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if time_checkpoints:
            # Before training is imported, so that it finds this function however it imports it.
            stack.enter_context(patch.object(checkpoints, "save", _timed(checkpoints.save, spent)))
        from lossrun.training.events import EpochRecord
        from lossrun.training.loop import train
        from lossrun.training.starting.prepare import prepare
        from lossrun.training.starting.start import begin

        started = time.perf_counter()
        examined = load_experiment(from_mapping(config, Path(folder)), default_data_dir())
        data_there = time.perf_counter()
        records, ends, written = [], [], []
        with begin(prepare(examined), Path(folder)) as session:
            built = time.perf_counter()
            for event in train(session, lambda: None):
                if isinstance(event, EpochRecord):
                    ends.append(time.perf_counter())
                    written.append(spent[0])
                    records.append(event.rows[0])
        whole = time.perf_counter() - started
        data = next(iter(examined.data.values()))
        parts = [part for part in (data.train, data.validation, data.test) if part is not None]
        best = checkpoints.read(next(Path(folder).glob("*/checkpoints/best-*.safetensors")))
    if time_checkpoints and not spent[0]:
        raise RuntimeError("no checkpoint was seen: has the writing moved out of lossrun.records.checkpoints?")
    return {
        "seconds": [row["seconds"] for row in records],
        "train_seconds": [row["train_seconds"] for row in records],
        "between": [after - before for before, after in pairwise(ends)],
        "checkpoints": [after - before for before, after in pairwise(written)] if time_checkpoints else [],
        "whole": whole,
        "loading": data_there - started,
        "building": built - data_there,
        "last": dict(records[-1]),
        "samples": len(data.train),
        "dataset": sum(part.inputs.size * 4 + part.targets.nbytes for part in parts),
        "parameters": sum(array.size for array in best.tensors.values()),
    }


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[0] += time.perf_counter() - started

    return timed


def import_torch() -> dict[str, Any]:
    """Nothing but that, for its memory."""
    import torch

    return {"torch": torch.__version__}


def read_history(path: str) -> dict[str, Any]:
    """Seconds of reading a history, and how many rows it had."""
    from lossrun.records import history

    started = time.perf_counter()
    found = history.read(Path(path))
    return {"seconds": time.perf_counter() - started, "rows": len(found.rows)}
