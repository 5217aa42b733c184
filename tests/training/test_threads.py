"""How many threads a run is trained with: by rule, recorded, and kept when it is resumed."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.inference.scoring import score
from lossrun.records import recorded
from lossrun.training.loop import train
from lossrun.training.process import threads
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import REGRESSION, Laboratory

SMALL = {**REGRESSION, "epochs": 2}


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1),
        ({"seeds": 64}, 1),
        ({"batch_size": "full"}, 1),
        ({"model": {"name": "mlp", "hidden": [30_000]}}, 2),
        # 4 * 3,000 + 3,000 + 3,000 + 1 weights, times 16 samples: small for one seed, large for 64.
        ({"model": {"name": "mlp", "hidden": [3_000]}}, 1),
        ({"model": {"name": "mlp", "hidden": [3_000]}, "seeds": 64}, 2),
        # Trained one after the other, each seed is small.
        ({"model": {"name": "mlp", "hidden": [3_000]}, "seeds": 64, "optimizer": "muon"}, 1),
    ],
    ids=str,
)
def test_small_steps_are_computed_on_one_thread(laboratory: Laboratory, changes: dict[str, Any], expected: int) -> None:
    examined = load_experiment(from_mapping({**SMALL, **changes}, laboratory.folder), laboratory.folder)
    assert prepare(examined).threads == expected


def test_it_is_recorded_and_the_caller_keeps_its_own(laboratory: Laboratory) -> None:
    examined = load_experiment(from_mapping(SMALL, laboratory.folder), laboratory.folder)
    seen = []
    with begin(prepare(examined), laboratory.folder / "runs") as session:

        def asked() -> None:
            seen.append(torch.get_num_threads())

        assert "1 thread" in session.where
        for _ in train(session, asked):
            assert torch.get_num_threads() == 2
    assert set(seen) == {1}
    assert recorded.load(session.run.path).environment["threads"] == 1
    assert torch.get_num_threads() == 2
    scores = score(session.run.path)
    assert not any("threads" in note for note in scores.notes)
    assert torch.get_num_threads() == 2


def test_a_run_goes_on_with_the_number_that_it_was_started_with(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those do that were started by a version with another rule."""
    with monkeypatch.context() as patched:
        patched.setattr(threads, "MOST_ON_ONE_THREAD", 0)
        run = laboratory.start(SMALL, stop_at=3)
    assert recorded.load(run.path).environment["threads"] == 2
    told: list[str] = []
    laboratory.resume(run, note=told.append)
    assert told == []
    resumed = recorded.load(run.path).ledger[-2]
    assert (resumed["event"], resumed["environment"]["threads"]) == ("resumed", 2)


def test_a_number_that_the_machine_does_not_have_is_told(laboratory: Laboratory) -> None:
    run = laboratory.start(SMALL, stop_at=3)
    assert threads.recorded_threads(100_000) == 2
    assert threads.recorded_threads(None) == 2
    assert recorded.load(run.path).environment["threads"] == 1
