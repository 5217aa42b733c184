"""What an epoch showed of each seed, and what happens where a loss cannot tell its floors."""

import warnings
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

import lossrun
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.training import observing
from lossrun.training.events import EpochRecord, RunFinished
from lossrun.training.loop import Event, train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import REGRESSION, Laboratory

# Fails on outputs that are the same for every sample, which a fresh model never gives.
PICKY = """
def picky(outputs, targets):
    if not outputs.requires_grad and (outputs == outputs[:1]).all():
        raise LookupError("all alike")
    return (outputs - targets).square().mean(dim=1)
"""


def events(laboratory: Laboratory, config: dict[str, Any]) -> Iterator[Event]:
    with begin(
        prepare(load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)), laboratory.folder / "runs"
    ) as session:
        yield from train(session, lambda: None)


@pytest.fixture
def picky(laboratory: Laboratory) -> dict[str, Any]:
    (laboratory.folder / "picky_loss.py").write_text(PICKY)
    dataset = {**REGRESSION["dataset"], "split_seed": "seed"}
    return {**REGRESSION, "dataset": dataset, "loss": "picky_loss:picky", "seeds": 2, "epochs": 2}


def test_an_own_loss_that_fails_on_constants_is_told_once(laboratory: Laboratory, picky: dict[str, Any]) -> None:
    told = [event.notes for event in events(laboratory, picky) if isinstance(event, EpochRecord)]
    assert [len(notes) for notes in told] == [1, 0]
    assert "picky_loss:picky" in told[0][0]
    assert "LookupError: all alike" in told[0][0]


def test_from_python_it_is_a_warning(
    laboratory: Laboratory, picky: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(laboratory.folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lossrun.train(picky)
    assert sum("LookupError: all alike" in str(one.message) for one in caught) == 1


def test_a_fault_in_the_floors_of_our_own_losses_is_not_hidden(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not a function of this file, which would count as the user's own code.
    monkeypatch.setattr(observing, "floors", Mock(side_effect=ValueError("a fault of ours")))
    with pytest.raises(ValueError, match="a fault of ours"):
        list(events(laboratory, REGRESSION))


def test_the_last_event_is_what_the_ledger_keeps(laboratory: Laboratory) -> None:
    *_, last = events(laboratory, {**REGRESSION, "seeds": 2, "early_stopping": 1})
    assert isinstance(last, RunFinished)
    run = lossrun.load(next((laboratory.folder / "runs").iterdir()))
    finished = run.finished
    assert finished is not None
    assert last.seeds == finished["seeds"]
    assert (last.epoch, last.step, last.seconds) == (finished["epoch"], finished["step"], finished["seconds"])
    assert last.seeds["0"]["test_at_best"]["test_loss"] > 0
