"""Tell labels of classes, whose order means nothing, from amounts: by what the inputs know of them."""

from typing import Final

import numpy as np

# Samples that are looked at, and orders of the labels that are tried.
LOOKED_AT: Final = 1000
ORDERS: Final = 200
# With fewer labels there are too few orders to compare with.
FEWEST: Final = 5
# Labels are arbitrary if this share of their orders suits the inputs better than their own, by so much of the variance.
BETTER: Final = 0.1
BY: Final = 0.02


def are_arbitrary(inputs: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether the inputs explain labels (N,) of 0, 1, 2, ... no better than the same labels in other orders.

    The share of variance that a linear model explains is compared. A rating of 1 to 5 is explained best in its own
    order; digits are not.
    """
    every = -(-len(labels) // LOOKED_AT)
    columns = np.asarray(inputs[::every], np.float64).reshape(len(labels[::every]), -1)
    rows = np.eye(int(labels.max()) + 1)[labels[::every]]
    count = rows.shape[1]
    if count < FEWEST or len(rows) < 2 * count:
        return False
    varying = columns[:, columns.std(axis=0) > 0]
    # With as many columns as samples, any order is explained.
    varying = varying[:, :: -(-varying.shape[1] * 4 // len(rows)) or 1]
    basis, sizes, _ = np.linalg.svd((varying - varying.mean(axis=0)) / varying.std(axis=0), full_matrices=False)
    known = basis[:, sizes > 1e-9 * sizes.max(initial=0)].T @ rows
    own = np.arange(count, dtype=float)
    random = np.random.default_rng(0)
    orders = np.stack([own, *(random.permutation(count).astype(float) for _ in range(ORDERS))])
    whole = (orders @ (rows - rows.mean(axis=0)).T).var(axis=1) * len(rows)
    shares = np.square(orders @ known.T).sum(axis=1) / whole
    return bool(np.quantile(shares[1:], 1 - BETTER) > shares[0] + BY)
