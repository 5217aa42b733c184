"""Many runs in one process: a run leaves no thread, open file or model behind."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import lossrun

SMALL: dict[str, Any] = {
    "dataset": {"name": "synthetic_classification", "kind": "blobs", "samples": 60, "features": 4},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "cross_entropy",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 1,
}
# Too large to be stacked, so that its seeds are trained side by side where there are several cores.
LARGE: dict[str, Any] = {
    "dataset": SMALL["dataset"] | {"features": 300},
    "model": {"name": "mlp", "hidden": [300]},
    "seeds": [0, 1, 2, 3],
}


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len([*folder.iterdir()]) if folder.exists() else 0


@contextmanager
def new_models() -> Iterator[Callable[[], int]]:
    """Count the models that are made from now on and still exist."""
    gc.collect()
    gc.freeze()  # what exists is not looked at again: in a process of many tests these are millions of objects

    def count() -> int:
        gc.collect()
        return sum(issubclass(type(one), nn.Module) for one in gc.get_objects())

    try:
        yield count
    finally:
        gc.unfreeze()


def settled(count: Callable[[], int], expected: int) -> int:
    """The count, once it is as expected; a thread that was told to end does so a moment later."""
    deadline = time.monotonic() + 10
    while (found := count()) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "changes", [{}, {"seeds": [0, 1, 2]}, {"step": "eager"}, LARGE], ids=["lone", "stacked", "eager", "large"]
)
def test_a_run_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any]) -> None:
    lossrun.train(SMALL | changes, runs_dir=tmp_path)  # imports, and what torch makes once
    before = open_files(), threading.active_count()
    with new_models() as models:
        for _ in range(2):
            lossrun.train(SMALL | changes, runs_dir=tmp_path)
        assert models() == 0
    assert open_files() == before[0]
    assert settled(threading.active_count, before[1]) == before[1]
