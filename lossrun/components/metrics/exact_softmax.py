"""Compute a softmax without losing digits: ln p and ln(1 - p) even where p itself has been rounded to 0 or 1."""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

LOWEST: Final = torch.finfo(torch.float64).min
# Far above the error of log-odds near 0, far below what float32 logits of size 1 can tell apart.
RANKS_PER_UNIT: Final = 2.0**30


def softplus(logits: Tensor) -> Tensor:
    """-log(1 - p) of the logits of p: log(1 + exp(logits)). Beyond the threshold that is the logit, to the last bit.

    Of -logits, -log p. (torch's logsigmoid wakes all threads of a CPU even for a handful of numbers.)
    """
    return F.softplus(logits, threshold=50)


@dataclass(frozen=True, slots=True)
class Softmax:
    """`p`, `log_p` and `log_no`, log(1 - p), (..., K, N); `p_top`: of the likeliest class, and `second`: the second
    greatest logit less the greatest, (..., 1, N)."""

    p: Tensor
    p_top: Tensor
    log_p: Tensor
    log_no: Tensor
    second: Tensor

    def order(self) -> Tensor:
        """Scores that put samples in order by `p`, (..., K, N), float32: the log-odds of p, up to a factor.

        Equal logits tie: rounded to what float32 logits can tell apart, as the last bits of a double depend on where
        in memory a sample lies. Log-odds still differ where p itself has been rounded to 0 or 1.
        """
        return (self.log_p - self.log_no).mul_(RANKS_PER_UNIT).round_().float()


def softmax(raw: Tensor, top: Tensor, likeliest: Tensor) -> Softmax:
    """A softmax over the classes, (..., K, N). Overwrites the logits `raw`.

    top: the greatest logit; likeliest: its class; both (..., 1, N).

    The likeliest class may have p = 1 but for less than the last digit. So the others are looked at by themselves: how
    they share what it leaves, and the log-odds against it, from which all else follows.
    """
    below = raw.sub_(top)
    # Not -inf: where all others are that, too, they would have no shares.
    others = below.scatter(-2, likeliest, LOWEST)
    second = others.amax(dim=-2, keepdim=True)
    shares = others.softmax(dim=-2)
    # The log-sum of the others is the greatest less the logarithm of its share.
    against = second - shares.amax(dim=-2, keepdim=True).log()
    left = against.sigmoid()
    p = shares.mul_(left)
    log_no = (-p).log1p_().scatter_(-2, likeliest, -softplus(-against))
    p_top = 1 - left
    return Softmax(p.scatter_(-2, likeliest, p_top), p_top, below.sub_(softplus(against)), log_no, second)
