"""Independent random streams: one per seed and purpose."""

from enum import IntEnum

import numpy as np


class DataStream(IntEnum):
    """The purpose of a stream. The numbers must never change: another number means another split.

    SeedSequence pads with zeros, so [seed, purpose] equals [seed, purpose, 0]; these numbers are far from those that
    training uses in such triples.
    """

    TEST_SPLIT = 101
    VALIDATION_SPLIT = 102
    FOLDS = 103
    LEFT_OUT = 104
    LABEL_NOISE = 111
    OUTLIERS = 112
    SYNTHETIC_INPUTS = 121
    SYNTHETIC_FUNCTION = 122
    SYNTHETIC_NOISE = 123


def generator(seed: int, purpose: DataStream) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, int(purpose)]))
