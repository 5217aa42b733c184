"""The losses that a checkpoint keeps of each seed are those of the history, or it is not used."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lossrun.records import checkpoint_headers, recorded
from lossrun.training.starting import kept_losses

RUN = Path(__file__).parents[1] / "records" / "format_3"


@pytest.fixture
def facts() -> dict[str, Any]:
    return deepcopy(checkpoint_headers.metadata(checkpoint_headers.candidates(RUN / "checkpoints")[0]))


def told(facts: dict[str, Any]) -> str:
    return kept_losses.problem(recorded.load(RUN), facts, facts["replicas"])


def test_as_they_were_written_they_are_those_of_the_history(facts: dict[str, Any]) -> None:
    assert len(facts["replicas"][0]["health"]["losses"]) == 3
    assert told(facts) == ""


def test_one_too_few_or_another_value_is_named(facts: dict[str, Any]) -> None:
    for replica, seed in zip(facts["replicas"], facts["seeds"], strict=True):
        losses = replica["health"]["losses"]
        for wrong in (losses[1:], losses[:-1], [*losses, losses[-1]], [*losses[:-1], float("nan")]):
            replica["health"]["losses"] = wrong
            assert told(facts).startswith(f"health.losses of seed {seed} are")
        replica["health"]["losses"] = losses
