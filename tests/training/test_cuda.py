"""On a GPU: the captured step is the eager one, and an epoch does not wait for the device."""

from typing import Any

import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.replay.test_recorded_step import steps_of
from tests.training.conftest import Laboratory, assert_same_bits

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

MOONS = {"name": "synthetic_classification", "kind": "moons", "samples": 500}
CONFIG: dict[str, Any] = {
    "dataset": MOONS,
    "model": {"name": "mlp", "hidden": [32, 16]},
    "loss": "bce",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 3,
    "device": "cuda",
}
CHANGES: list[dict[str, Any]] = [
    {},
    {"optimizer": {"name": "sgd", "momentum": 0.9}, "schedule": "cosine"},
    {"optimizer": "rmsprop"},
    {"model": {"name": "mlp", "hidden": [32], "batch_norm": True, "dropout": 0.2}},
    {"precision": "bf16"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_captured_step_is_the_eager_one(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**CONFIG, **changes}
    captured = steps_of(laboratory, config, "captured")
    eager = steps_of(laboratory, {**config, "step": "eager"}, "eager")
    for number, (one, other) in enumerate(zip(captured, eager, strict=True), 1):
        for a, b in zip(one, other, strict=True):
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6), f"step {number}"


@pytest.mark.parametrize("changes", [*CHANGES, {"seeds": 4}, {"seeds": 4, **CHANGES[3]}], ids=str)
def test_resume_is_bit_equal(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**CONFIG, "checkpoint": "3 steps", **changes}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=0)
    for steps in (1, 5, 15, 22):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_an_epoch_does_not_wait_for_the_device(laboratory: Laboratory) -> None:
    examined = load_experiment(from_mapping({**CONFIG, "seeds": 3}, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        session.begin_epoch()
        batches = list(session.remaining_batches())
        # The first batches of both sizes are captured, the second has the update captured as well.
        for start, stop in (*batches, *batches):
            session.step(start, stop, session.rates(0))
        try:
            torch.cuda.set_sync_debug_mode("error")
            for start, stop in batches:
                losses = session.sums.add([stop - start])
                session.step.several([(start, stop)], [session.rates(session.position.step)], losses)
                session.position.step += 1
        finally:
            torch.cuda.set_sync_debug_mode("default")
