"""Compute a softmax without losing digits: ln p and ln(1 - p) even where p itself has been rounded to 0 or 1."""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

LOWEST: Final = torch.finfo(torch.float64).min
# Much larger than the error of log-odds near 0, much smaller than the spacing of float32 logits near 1.
RANKS_PER_UNIT: Final = 2.0**30


def softplus(logits: Tensor) -> Tensor:
    """Return log(1 + exp(logits)), which is -log(1 - p) of the logits of p; for -logits it is -log p.

    Above the threshold it equals the logit, to the last bit. (torch's logsigmoid starts all threads of a CPU even for a
    few numbers.)
    """
    return F.softplus(logits, threshold=50)


@dataclass(frozen=True, slots=True)
class Softmax:
    """The results of a softmax over the classes.

    Attributes:
        p, log_p, log_no: The probability p, log p and log(1 - p), (..., K, N).
        p_top: The probability of the likeliest class, (..., 1, N).
        second: The second largest logit minus the largest, (..., 1, N).
    """

    p: Tensor
    p_top: Tensor
    log_p: Tensor
    log_no: Tensor
    second: Tensor

    def order(self) -> Tensor:
        """Scores that rank samples by `p`, (..., K, N), float32: the log-odds of p, up to a factor.

        They are rounded so that equal logits tie, because the last bits of a double depend on where in memory a sample
        is. Log-odds still differ if p itself has been rounded to 0 or 1.
        """
        return (self.log_p - self.log_no).mul_(RANKS_PER_UNIT).round_().float()


def softmax(raw: Tensor, top: Tensor, likeliest: Tensor) -> Softmax:
    """Return a softmax over the classes. Overwrites the logits `raw`, (..., K, N).

    The p of the likeliest class may be rounded to 1. So the others are computed without it: their shares of what the
    likeliest class leaves, and the log-odds against that class, from which everything else follows.

    Args:
        raw: The logits.
        top: The largest logit, (..., 1, N).
        likeliest: The class of the largest logit, (..., 1, N).
    """
    below = raw.sub_(top)
    # Not -inf: if all others were -inf too, they would have no shares.
    others = below.scatter(-2, likeliest, LOWEST)
    second = others.amax(dim=-2, keepdim=True)
    shares = others.softmax(dim=-2)
    # The log-sum of the others is their largest logit minus the logarithm of its share.
    against = second - shares.amax(dim=-2, keepdim=True).log()
    left = against.sigmoid()
    p = shares.mul_(left)
    log_no = (-p).log1p_().scatter_(-2, likeliest, -softplus(-against))
    p_top = 1 - left
    return Softmax(p.scatter_(-2, likeliest, p_top), p_top, below.sub_(softplus(against)), log_no, second)
