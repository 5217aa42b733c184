"""What an attack found: one outcome a case, and how many of the cases are tried."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
part = (1, 1)  # which of how many parts of the cases is tried, where several processes share an attack


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case of an attack.

    Attributes:
        case: What was done, in words that find it again.
        problem: What lossrun did that it must not do; "" if it held.
        figure: What was measured on the way.
    """

    case: str
    problem: str = ""
    figure: str = ""


def share_of(cases: Iterable[T], share: float, seed: int) -> list[T]:
    """Return `some_of` the cases; of them, the part that this process tries."""
    number, parts = part
    return some_of(cases, share, seed)[number - 1 :: parts]


def some_of(cases: Iterable[T], share: float, seed: int) -> list[T]:
    """Return a random share of the cases, in their order: all of them for a share of 1, never none."""
    found = list(cases)
    count = min(len(found), max(1, round(share * len(found))))
    chosen = sorted(random.Random(seed).sample(range(len(found)), count))
    return [found[place] for place in chosen]


def count_of(count: int, share: float) -> int:
    """Return that share of a number of tries, at least one."""
    return max(1, round(share * count))
