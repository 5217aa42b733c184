"""Chains of 2 to 10 resumes, with changes on the way: where else a run was interrupted makes no difference."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from lossrun.errors import LossrunError
from lossrun.records.run_directory import RunDirectory
from tests.crash.outcomes import Outcome, count_of
from tests.training.conftest import Laboratory, assert_same_bits, newest
from tests.training.test_resume import EVERYTHING, STEPS

CHAINS = 100
CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"seeds": 2},
    {"optimizer": {"name": "sgd", "momentum": 0.9}, "schedule": {"name": "reduce_on_plateau", "patience": 1}},
    {"optimizer": "rmsprop", "precision": "float64"},
    {"early_stopping": {"patience": 4}},
)
CHANGES = (
    *("learning_rate=0.003", "learning_rate=0.02", "schedule=constant", "schedule={name: exponential, gamma: 0.8}"),
    *("schedule={name: cosine, warmup_epochs: 0}", "optimizer.weight_decay=0.01", "early_stopping=9", "tags=[later]"),
    *("checkpoint=5 steps", "checkpoint={every: 11 steps, keep: 4}", "epochs=5", "epochs=6"),
)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    for number in range(count_of(CHAINS, share)):
        draw = Random(f"{seed} {number}")
        config = {**EVERYTHING, **draw.choice(CONFIGS)}
        stops = sorted(draw.sample(range(1, STEPS), draw.randint(2, 10)))
        changes = {stop: [draw.choice(CHANGES)] if draw.random() < 0.5 else [] for stop in stops}
        case = ", ".join(f"{stop}{' ' + changes[stop][0] if changes[stop] else ''}" for stop in stops)
        try:
            straight = chain(laboratory, config, {stop: made for stop, made in changes.items() if made})
            assert_same_bits(straight, chain(laboratory, config, changes))
        except (AssertionError, LossrunError) as error:
            yield Outcome(case, " ".join(str(error).split())[:300])
        else:
            yield Outcome(case)


def chain(laboratory: Laboratory, config: dict[str, Any], changes: dict[int, list[str]]) -> RunDirectory:
    """Train, stopping at each of these steps to resume with its changes."""
    stops = [*changes, None]
    run = laboratory.start(config, stop_at=stops[0])
    for stop, following in zip(changes, stops[1:], strict=True):
        if newest(run).metadata["step"] == stop:  # unless early stopping ended it before
            laboratory.resume(run, *changes[stop], stop_at=following)
    return run
