"""Pool the training samples of seeds that are computed as one although each is trained on its own split of the data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples

# Bytes of all splits together. The pool is a copy of them.
LARGEST_POOL: Final = 2**28


def may_be_pooled(replicas: Sequence[Replica]) -> bool:
    """Return whether seeds with different data can be computed as one.

    They can if they take the same number of steps, read their samples in the same way, and have the same loss. Class
    weights that are `balanced` depend on the data.
    """
    first = replicas[0]
    size = sum(part.inputs.nbytes for part in {id(each): each for each in _trained_on(replicas)}.values())
    return size <= LARGEST_POOL and all(
        len(train) == len(first.parts.train)
        and (train.weights is None) == (first.parts.train.weights is None)
        and _are_equal(train.scale or (), first.parts.train.scale or ())
        and _are_equal(list(replica.objective.buffers()), list(first.objective.buffers()))
        for replica, train in zip(replicas, _trained_on(replicas), strict=True)
    )


def pooled(replicas: Sequence[Replica]) -> tuple[Samples, dict[Replica, int]]:
    """Return the samples of all seeds one split after the other, and the row of each seed's first sample."""
    distinct = list({id(train): train for train in _trained_on(replicas)}.values())
    first = distinct[0]
    if len(distinct) == 1:
        return first, dict.fromkeys(replicas, 0)
    starts = {id(train): place * len(first) for place, train in enumerate(distinct)}

    def joined(parts: Sequence[Tensor | None]) -> Tensor:
        return torch.cat([part for part in parts if part is not None])

    pool = replace(
        first,
        inputs=joined([train.inputs for train in distinct]),
        targets=joined([train.targets for train in distinct]),
        ids=joined([train.ids for train in distinct]),
        weights=None if first.weights is None else joined([train.weights for train in distinct]),
    )
    return pool, {replica: starts[id(replica.parts.train)] for replica in replicas}


def _trained_on(replicas: Sequence[Replica]) -> list[Samples]:
    return [replica.parts.train for replica in replicas]


def _are_equal(some: Sequence[Tensor | None], others: Sequence[Tensor | None]) -> bool:
    return len(some) == len(others) and all(
        one is other or (one is not None and other is not None and torch.equal(one, other))
        for one, other in zip(some, others, strict=True)
    )
