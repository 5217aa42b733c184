"""The losses for real-valued targets.

Unless a docstring says otherwise, outputs and targets have the same shape (N, K), and the result has shape (N,), each
value the mean over the K outputs. e is output - target. All losses raise ValueError for shapes that do not fit, and
TypeError for arguments that are not tensors. Nothing is broadcast.
"""

from math import log, pi
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.losses.arguments import EPSILON, require_tensors, same_shape, target_rows

# Above this |e| subtracting ln 2 loses no digits of log_cosh; below it sinh does not overflow.
_NEAR: Final = 1.0


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error: mean over K of e^2, in [0, inf).

    targets may also be class indices (N,), which mean their one-hot rows. On probabilities this is the Brier score
    divided by K. Source: Gauss 1809, Theoria motus.
    """
    return F.mse_loss(outputs, target_rows(outputs, targets), reduction="none").mean(dim=1)


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error: mean over K of |e|, in [0, inf). The gradient is the sign of e, 0 at e = 0.

    targets are as in `mse`. Source: Laplace 1774.
    """
    return F.l1_loss(outputs, target_rows(outputs, targets), reduction="none").mean(dim=1)


def huber(outputs: Tensor, targets: Tensor, *, delta: float = 1.0) -> Tensor:
    """Huber's loss: mean over K of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), in [0, inf).

    delta is above 0, in units of the target. The gradient is e, clipped to [-delta, delta]. Source: Huber 1964, Robust
    Estimation of a Location Parameter.
    """
    return F.huber_loss(outputs, same_shape(outputs, targets), reduction="none", delta=delta).mean(dim=1)


def smooth_l1(outputs: Tensor, targets: Tensor, *, beta: float = 1.0) -> Tensor:
    """Huber's loss divided by its threshold: mean over K of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2.

    It is in [0, inf). beta is at least 0, in units of the target; with 0 this is `mae`. The gradient is e / beta,
    clipped to [-1, 1]. Source: Girshick 2015, Fast R-CNN, equation 3 (there beta is 1).
    """
    return F.smooth_l1_loss(outputs, same_shape(outputs, targets), reduction="none", beta=beta).mean(dim=1)


def log_cosh(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean over K of ln cosh e: about e^2 / 2 near 0, |e| - ln 2 far from it, in [0, inf). The gradient is tanh e.

    Near 0 it is computed as ln(1 + 2 sinh^2(e / 2)), which keeps every digit. The usual formula, |e| +
    ln(1 + exp(-2 |e|)) - ln 2 as in Keras, has an error of up to 1e-7 in float32, which is as large as the loss itself
    below |e| = 3e-4. Source: Green 1990, IEEE Transactions on Medical Imaging 9.
    """
    errors = outputs - same_shape(outputs, targets)
    near = torch.log1p(2 * (errors.clamp(-_NEAR, _NEAR) / 2).sinh().square())
    sizes = errors.abs()
    far = sizes + F.softplus(-2 * sizes) - log(2)
    return torch.where(sizes < _NEAR, near, far).mean(dim=1)


def quantile(outputs: Tensor, targets: Tensor, *, quantile: float = 0.5) -> Tensor:
    """Pinball loss: mean over K of max(q (t - y), (q - 1) (t - y)), in [0, inf).

    quantile, q, is in (0, 1): the share of the targets that should be below the output. The gradient is -q if the
    output is too low, 1 - q if it is too high. Source: Koenker and Bassett 1978, Regression Quantiles.
    """
    lacking = same_shape(outputs, targets) - outputs
    return torch.maximum(quantile * lacking, (quantile - 1) * lacking).mean(dim=1)


def mape(outputs: Tensor, targets: Tensor, *, eps: float = EPSILON) -> Tensor:
    """Mean absolute percentage error: mean over K of 100 |e| / max(|t|, eps), in per cent, in [0, inf).

    eps is above 0, in units of the target; a target of 0 costs 100 |e| / eps. Source: Makridakis 1993, Accuracy
    measures.
    """
    targets = same_shape(outputs, targets)
    return 100 * ((outputs - targets) / targets.abs().clamp(min=eps)).abs().mean(dim=1)


def msle(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared logarithmic error: mean over K of (ln(1 + y) - ln(1 + t))^2, in [0, inf).

    A y or t below 1e-7 counts as 1e-7, as in Keras; such an output has no gradient. ln(1 + y) is computed by log1p,
    which is exact for small y too; Keras' ln(y + 1) rounds y to a multiple of 1e-7 in float32. Source: Keras 3,
    MeanSquaredLogarithmicError.
    """
    targets = same_shape(outputs, targets)
    logarithms = torch.log1p(outputs.clamp(min=EPSILON)) - torch.log1p(targets.clamp(min=EPSILON))
    return logarithms.square().mean(dim=1)


def poisson_nll(
    outputs: Tensor, targets: Tensor, *, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Tensor:
    """Negative log-likelihood of counts: mean over K of exp(y) - t y, or of y - t ln(y + eps), in nats.

    The values are those of torch.nn.PoissonNLLLoss. The gradient is exp(y) - t, or 1 - t / (y + eps).

    Args:
        outputs: (N, K), logarithms of the mean, or with log_input False the mean itself.
        targets: (N, K), at least 0.
        log_input: Whether outputs are logarithms. Then exp(y) is infinite above y = 88 in float32 (709 in float64).
            Otherwise the loss is NaN for y < -eps, because no Poisson distribution has such a mean.
        full: Whether to add Stirling's t ln t - t + ln(2 pi t) / 2 for ln t! if t > 1 (0! = 1! = 1). Without it the
            loss may be negative.
        eps: Above 0.

    Source: Nelder and Wedderburn 1972, Generalized Linear Models.
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

    It may be any number.

    Args:
        outputs: (N, 2 K): the K means, then the K logarithms s of the variances.
        targets: (N, K).
        full: Whether to add ln(2 pi) / 2.
        eps: Above 0, the lowest variance. If exp(s) is below eps, s has the gradient of a variance of eps, as in
            torch.nn.GaussianNLLLoss; without a gradient the variance could never grow again.

    Raises:
        ValueError: If there are not two outputs for each target.

    Source: Nix and Weigend 1994, Estimating the mean and variance of the target probability distribution.
    """
    require_tensors(outputs, targets)
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

    Lengths below 1e-7 count as 1e-7, as in Keras, so that the cosine with a vector of zeros is 0. The gradient is at a
    right angle to the output, and is smaller for a longer output. offset is added; with 1 the loss is a distance.
    Source: Keras 3, CosineSimilarity.
    """
    targets = same_shape(outputs, targets)
    losses = -(F.normalize(targets, dim=1, eps=EPSILON) * F.normalize(outputs, dim=1, eps=EPSILON)).sum(dim=1)
    return losses + offset if offset else losses
