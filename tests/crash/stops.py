"""The reference run of 96 steps, stopped at every step and resumed, with one seed and with several.

The quick part of this is `tests/training/test_resume.py`, which has the reference run and tries every step of one seed.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import Laboratory, assert_same_bits, newest
from tests.training.test_resume import EVERYTHING, STEPS

SEEDS = (1, 3)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    for seeds in SEEDS:
        config = {**EVERYTHING, "seeds": seeds}
        whole = laboratory.start(config)
        assert newest(whole).metadata["step"] == STEPS
        for stop in share_of(range(STEPS + 1), share, seed):
            stopped = laboratory.start(config, stop_at=stop)
            laboratory.resume(stopped)
            try:
                assert_same_bits(whole, stopped)
            except AssertionError as error:
                yield Outcome(f"{seeds} seeds, step {stop}", " ".join(str(error).split())[:300])
            else:
                yield Outcome(f"{seeds} seeds, step {stop}")
