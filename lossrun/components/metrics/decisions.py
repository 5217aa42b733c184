"""Compute F1, precision and recall of each class from counts of what was decided."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Decisions:
    """The metrics of each class, (..., K); a division by 0 gives 0, as scikit-learn's zero_division=0."""

    f1: Tensor
    precision: Tensor
    recall: Tensor


def decisions(hits: Tensor, guessed: Tensor, counts: Tensor) -> Decisions:
    """Return F1, precision and recall of each class.

    Args:
        hits: (..., K), the samples that are rightly predicted as the class.
        guessed: (..., K), all samples that are predicted as the class.
        counts: (..., K), all samples that belong to the class.
    """

    def share(part: Tensor, whole: Tensor) -> Tensor:
        whole = whole.double()  # where it is 0, so is the part
        return part.double() / whole.masked_fill(whole == 0, 1.0)

    return Decisions(share(2 * hits, guessed + counts), share(hits, guessed), share(hits, counts))
