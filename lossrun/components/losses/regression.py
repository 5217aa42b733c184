"""The losses of numbers: outputs first, targets second, one value per sample.

Shapes, where a docstring gives no others: outputs (N, K) and targets of the very same shape; returned are (N,), each
the mean over the K outputs. e is output - target. ValueError is raised where shapes do not fit; nothing is broadcast.
"""

from math import log, pi
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.losses.arguments import EPSILON, same_shape, target_rows

# Beyond this |e| the subtraction of ln 2 costs log_cosh no digits; below it the sinh does not overflow.
_NEAR: Final = 1.0


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error: mean over K of e^2, in [0, inf).

    targets may also be class indices (N,), which stand for their one-hot rows (on probabilities this is the Brier score
    divided by K). Source: Gauss 1809, Theoria motus.
    """
    return F.mse_loss(outputs, target_rows(outputs, targets), reduction="none").mean(dim=1)


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error: mean over K of |e|, in [0, inf). The gradient is the sign of e, 0 at e = 0.

    targets as for `mse`. Source: Laplace 1774.
    """
    return F.l1_loss(outputs, target_rows(outputs, targets), reduction="none").mean(dim=1)


def huber(outputs: Tensor, targets: Tensor, *, delta: float = 1.0) -> Tensor:
    """Huber's loss: mean over K of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), in [0, inf).

    delta: above 0, in units of the target. The gradient is e, cut off at delta. Source: Huber 1964, Robust Estimation
    of a Location Parameter.
    """
    return F.huber_loss(outputs, same_shape(outputs, targets), reduction="none", delta=delta).mean(dim=1)


def smooth_l1(outputs: Tensor, targets: Tensor, *, beta: float = 1.0) -> Tensor:
    """Huber's loss divided by its threshold: mean over K of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2.

    beta: at least 0, in units of the target; 0 makes it `mae`. The gradient is e / beta, cut off at 1. In [0, inf).
    Source: Girshick 2015, Fast R-CNN, equation 3 (there beta is 1).
    """
    return F.smooth_l1_loss(outputs, same_shape(outputs, targets), reduction="none", beta=beta).mean(dim=1)


def log_cosh(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean over K of ln cosh e: about e^2 / 2 near 0, |e| - ln 2 far from it, in [0, inf). The gradient is tanh e.

    Near 0 it is taken as ln(1 + 2 sinh^2(e / 2)), which keeps every digit. The usual |e| + ln(1 + exp(-2 |e|)) - ln 2,
    as in Keras, is wrong by up to 1e-7 in float32, which is the whole of it below |e| = 3e-4.
    Source: Green 1990, IEEE Transactions on Medical Imaging 9.
    """
    errors = outputs - same_shape(outputs, targets)
    near = torch.log1p(2 * (errors.clamp(-_NEAR, _NEAR) / 2).sinh().square())
    sizes = errors.abs()
    far = sizes + F.softplus(-2 * sizes) - log(2)
    return torch.where(sizes < _NEAR, near, far).mean(dim=1)


def quantile(outputs: Tensor, targets: Tensor, *, quantile: float = 0.5) -> Tensor:
    """Pinball loss: mean over K of max(q (t - y), (q - 1) (t - y)), in [0, inf).

    quantile q: within (0, 1), the share of the targets that should lie below the output. The gradient is -q where the
    output is too low, 1 - q where it is too high. Source: Koenker and Bassett 1978, Regression Quantiles.
    """
    lacking = same_shape(outputs, targets) - outputs
    return torch.maximum(quantile * lacking, (quantile - 1) * lacking).mean(dim=1)


def mape(outputs: Tensor, targets: Tensor, *, eps: float = EPSILON) -> Tensor:
    """Mean absolute percentage error: mean over K of 100 |e| / max(|t|, eps), in per cent, in [0, inf).

    eps: above 0, in units of the target. A target of 0 costs 100 |e| / eps. Source: Makridakis 1993, Accuracy measures.
    """
    targets = same_shape(outputs, targets)
    return 100 * ((outputs - targets) / targets.abs().clamp(min=eps)).abs().mean(dim=1)


def msle(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared logarithmic error: mean over K of (ln(1 + y) - ln(1 + t))^2, in [0, inf).

    y and t are taken as at least 1e-7, as in Keras; an output below that has no gradient. ln(1 + y) is log1p, exact
    also for small y, where Keras' ln(y + 1) has rounded y to a multiple of 1e-7 (in float32). Source: Keras 3,
    MeanSquaredLogarithmicError.
    """
    targets = same_shape(outputs, targets)
    logarithms = torch.log1p(outputs.clamp(min=EPSILON)) - torch.log1p(targets.clamp(min=EPSILON))
    return logarithms.square().mean(dim=1)


def poisson_nll(
    outputs: Tensor, targets: Tensor, *, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Tensor:
    """Negative log-likelihood of counts: mean over K of exp(y) - t y, or of y - t ln(y + eps), in nats.

    log_input: outputs are logarithms of the mean; exp(y) is infinite above y = 88 in float32 (709 in float64). Without
    it they are the mean itself, and nan for y < -eps: no Poisson distribution has such a mean.
    full: adds Stirling's t ln t - t + ln(2 pi t) / 2 for ln t!, where t > 1 (0! = 1! = 1).
    targets at least 0. The gradient is exp(y) - t, or 1 - t / (y + eps). May be negative unless full.
    All as torch.nn.PoissonNLLLoss. Source: Nelder and Wedderburn 1972, Generalized Linear Models.
    """
    targets = same_shape(outputs, targets)
    losses = outputs.exp() - targets * outputs if log_input else outputs - targets * (outputs + eps).log()
    if full:
        many = targets.clamp(min=1)
        stirling = many * many.log() - many + (2 * pi * many).log() / 2
        losses = losses + torch.where(targets > 1, stirling, 0.0)
    return losses.mean(dim=1)


def gaussian_nll(outputs: Tensor, targets: Tensor, *, full: bool = False, eps: float = 1e-6) -> Tensor:
    """Negative log-likelihood of a Gaussian: mean over K of (ln v + e^2 / v) / 2, v = max(exp(s), eps), in nats.

    outputs (N, 2 K): the K means, then the K logarithms s of the variances; targets (N, K).
    full: adds ln(2 pi) / 2. eps: above 0, least variance. Where exp(s) is below eps, s has the gradient of a variance
    of eps, as in torch.nn.GaussianNLLLoss: with none it could never come back. In (-inf, inf).
    Raises ValueError where there are not two outputs for each target. Source: Nix and Weigend 1994.
    """
    if outputs.ndim != 2 or targets.ndim != 2 or outputs.shape != (targets.shape[0], 2 * targets.shape[1]):
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit targets of shape {tuple(targets.shape)} and type "
            f"{targets.dtype}; expected (N, 2 K), means and then logarithms of variances, for targets (N, K)"
        )
    means, given = outputs.chunk(2, dim=1)
    log_variances = given.clamp(min=log(eps)).detach() + (given - given.detach())
    squares = (means - targets.to(outputs.dtype)).square()
    losses = (log_variances + squares * (-log_variances).exp()).mean(dim=1) / 2
    return losses + log(2 * pi) / 2 if full else losses


def cosine_similarity(outputs: Tensor, targets: Tensor, *, offset: float = 0.0) -> Tensor:
    """Minus the cosine of the angle between output and target: -(t . y) / (|t| |y|), one for all K, in [-1, 1].

    Lengths below 1e-7 count as 1e-7, as in Keras, so that the cosine with nothing is 0. The gradient is at a right
    angle to the output and shrinks with its length. offset: added; 1 makes it a distance.
    Source: Keras 3, CosineSimilarity.
    """
    targets = same_shape(outputs, targets)
    losses = -(F.normalize(targets, dim=1, eps=EPSILON) * F.normalize(outputs, dim=1, eps=EPSILON)).sum(dim=1)
    return losses + offset if offset else losses
