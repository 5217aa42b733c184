"""How the losses of a batch's outputs become one number."""

from typing import Final, Literal, TypeAlias, get_args

Reduction: TypeAlias = Literal["mean", "sum", "half_sum", "sample_mean", "half_sample_mean"]

REDUCTIONS: Final[tuple[Reduction, ...]] = get_args(Reduction)


def adds_up_samples(reduction: str) -> bool:
    """Return whether the samples of a batch are added up instead of averaged."""
    return reduction in ("sum", "half_sum")


def factor(reduction: str, batch_size: int, outputs: int) -> float:
    """Return how many times as large as the mean over samples and outputs the result of a reduction is."""
    terms = 1 if reduction == "mean" else outputs
    if adds_up_samples(reduction):
        terms *= batch_size
    return terms / 2 if reduction.startswith("half") else float(terms)
