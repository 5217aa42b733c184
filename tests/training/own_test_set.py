"""A dataset that brings its own test set."""

import numpy as np

from lossrun import Dataset


def dataset() -> Dataset:
    draw = np.random.default_rng(0)
    return Dataset(
        train=(draw.normal(size=(20, 2)), draw.normal(size=20)),
        test=(draw.normal(size=(5, 2)), draw.normal(size=5)),
        task="regression",
    )
