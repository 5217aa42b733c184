"""Compute the metrics of regression, in original units, several from one pass. See `metrics.compute_metrics`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import torch
from torch import Tensor

from lossrun.catalog.declaration import Prediction
from lossrun.components.losses.arguments import EPSILON
from lossrun.components.metrics.declared import plain
from lossrun.components.metrics.exact_softmax import softplus
from lossrun.components.metrics.sample_means import exact_weights, mean, over_samples
from lossrun.components.network import Output, activated

HUBER_DELTA: Final = plain("huber", "delta")
MAPE_EPS: Final = plain("mape", "eps")
VARIANCE_EPS: Final = plain("gaussian_nll", "eps")


@dataclass(frozen=True, slots=True)
class RegressionTargets:
    """Regression targets, in the forms that the formulas need.

    Attributes:
        values: (K, N), as the model should predict them.
        originals: The same in original units, t below: values * scale + shift.
        scale, shift: (K, 1) or (); None for 1 and 0.
        variance: (K,), of t; NaN if it is 0.
        range, least_magnitude: The lowest and highest of the targets that decide which metrics have a meaning, and the
            absolute value of the one nearest to 0.
        percents: (K, N), 100 / |t|; None if no metric needs it.
        logarithms: (K, N), log(1 + t); None if no metric needs it.
        directions: (K, N), t of each sample divided by its length; None if no metric needs it.
        weights: (N,), float64, at least 0; they also weight the variance. None if all samples count the same.
    """

    values: Tensor
    originals: Tensor
    scale: Tensor | None
    shift: Tensor | None
    variance: Tensor
    range: tuple[float, float]
    least_magnitude: float
    percents: Tensor | None
    logarithms: Tensor | None
    directions: Tensor | None
    weights: Tensor | None = None


def regression_targets(
    targets: Tensor,
    *,
    mean: float | Tensor,
    std: float | Tensor,
    deciding: Sequence[Tensor],
    weights: Tensor | None,
) -> RegressionTargets:
    """See `metrics.prepared_targets`."""
    values = targets.mT.to(torch.float64, memory_format=torch.contiguous_format)
    scale, shift = _scaling(mean, std, values)
    originals = _in_original_units(values, targets.dtype, scale, shift)
    # Distances from the first sample, because for a constant they are exactly 0, unlike distances from the mean.
    distances = values - values[:, :1]
    distances = distances if scale is None else distances * scale
    if weights is None:
        variance = distances.var(dim=1, correction=0)
    else:
        weights = exact_weights(weights)
        # Samples of weight 0 may have any target, so distances are from the first sample that counts.
        distances = distances - distances.index_select(1, weights.argmax().reshape(1))
        middle = over_samples(distances, weights)
        variance = over_samples((distances - middle.unsqueeze(1)).square_(), weights)
    judges = [_in_original_units(other.mT.double(), other.dtype, scale, shift) for other in deciding] or [originals]
    least = torch.stack([judge.min() for judge in judges]).min()
    greatest = torch.stack([judge.max() for judge in judges]).max()
    nearest = torch.stack([judge.abs().min() for judge in judges]).min()
    low, high, magnitude = torch.stack([least, greatest, nearest]).tolist()
    lengths = originals.norm(dim=0).clamp(min=EPSILON)
    return RegressionTargets(
        values,
        originals,
        scale,
        shift,
        variance.where(variance > 0, torch.nan),
        (low, high),
        magnitude,
        percents=100 / originals.abs().clamp(min=MAPE_EPS) if magnitude > 0 else None,
        logarithms=originals.clamp(min=EPSILON).log1p() if low >= 0 else None,
        directions=originals / lengths if len(originals) > 1 else None,
        weights=weights,
    )


def _scaling(mean: float | Tensor, std: float | Tensor, values: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    scale, shift = _column(std, values), _column(mean, values)
    return (None, None) if bool((scale == 1).all() & (shift == 0).all()) else (scale, shift)


def _column(moment: float | Tensor, values: Tensor) -> Tensor:
    tensor = torch.as_tensor(moment).to(values.device, torch.float64)
    return tensor.unsqueeze(-1) if tensor.ndim else tensor


def _in_original_units(values: Tensor, rounded_to: torch.dtype, scale: Tensor | None, shift: Tensor | None) -> Tensor:
    """Return the values in original units; a target that was 0 before it was standardized and rounded is 0 again."""
    if scale is None or shift is None:
        return values
    originals = torch.addcmul(shift, values, scale)
    rounding = torch.finfo(rounded_to).eps if rounded_to.is_floating_point else 0.0
    return originals.masked_fill(originals.abs() <= rounding * shift.abs(), 0.0)


def means(raw: Tensor, output: Output, reads_as: Prediction | None) -> Tensor:
    """Return the predictions (..., K, N), of scaled targets, from pre-activations (..., K or 2 K, N)."""
    if reads_as == "log_mean":
        return raw.exp()
    if reads_as == "mean_and_log_variance":
        raw = raw.narrow(-2, 0, raw.shape[-2] // 2)
    return raw if output == "none" else activated(raw.mT, output).mT


def regression_metrics(
    raw: Tensor, targets: RegressionTargets, output: Output, reads_as: Prediction | None, names: Collection[str]
) -> dict[str, Tensor]:
    """Return the metrics among `names` that have a formula here. Overwrites `raw` (..., K or 2 K, N)."""
    values, weights = {}, targets.weights
    if "binary_cross_entropy" in names:
        values["binary_cross_entropy"] = mean(torch.lerp(softplus(raw), softplus(-raw), targets.values), weights)
    outputs = means(raw, output, reads_as)
    errors = outputs - targets.values
    if targets.scale is not None:
        errors.mul_(targets.scale)
    squares = errors.square()
    squared = over_samples(squares, weights)
    values["mse"] = squared.mean(dim=-1)
    values["rmse"] = values["mse"].sqrt()
    values["r2"] = 1 - (squared / targets.variance).mean(dim=-1)
    if "gaussian_nll" in names:
        log_variances = raw.narrow(-2, raw.shape[-2] // 2, raw.shape[-2] // 2)
        if targets.scale is not None:
            log_variances = log_variances + 2 * targets.scale.log()
        log_variances = log_variances.clamp(min=log(VARIANCE_EPS))
        values["gaussian_nll"] = mean(log_variances.neg().exp_().mul_(squares).add_(log_variances), weights) / 2
    # huber: error^2 / 2 within delta, delta * (|error| - delta / 2) beyond
    clipped = errors.clamp(-HUBER_DELTA, HUBER_DELTA)
    values["huber"] = mean(errors.sub(clipped, alpha=0.5).mul_(clipped), weights)
    sizes = errors.abs_()
    values["mae"] = mean(sizes, weights)
    if "mape" in names:
        assert targets.percents is not None
        values["mape"] = mean(sizes * targets.percents, weights)
    # ln cosh e = |e| - ln(1 + tanh |e|): two passes, exact to the last digit of |e|. Rounding may make it less than 0.
    values["log_cosh"] = (values["mae"] - mean(sizes.tanh_().log1p_(), weights)).clamp_(min=0)
    if targets.logarithms is not None or targets.directions is not None:
        values |= _of_values(raw, outputs, targets, reads_as)
    return {name: values[name] for name in names if name in values}


def _of_values(
    raw: Tensor, outputs: Tensor, targets: RegressionTargets, reads_as: Prediction | None
) -> dict[str, Tensor]:
    """Return the metrics that need the predictions, not only their errors. Overwrites its arguments."""
    values = {}
    scale, shift, weights = targets.scale, targets.shift, targets.weights
    predicted = outputs if scale is None or shift is None else torch.addcmul(shift, outputs, scale)
    if targets.directions is not None:
        lengths = predicted.square().sum(dim=-2).sqrt_().clamp_(min=EPSILON)
        cosines = (predicted * targets.directions).sum(dim=-2).div_(lengths)
        values["cosine_similarity"] = -over_samples(cosines, weights)
    if targets.logarithms is None:
        return values
    if reads_as == "log_mean" and scale is None:
        # The model gives the logarithm, so small predictions lose no digits.
        values["poisson_nll"] = mean(torch.addcmul(outputs, targets.originals, raw, value=-1), weights)
    predicted.clamp_(min=EPSILON)
    if "poisson_nll" not in values:
        values["poisson_nll"] = mean(torch.addcmul(predicted, targets.originals, predicted.log(), value=-1), weights)
    values["msle"] = mean(predicted.log1p_().sub_(targets.logarithms).square_(), weights)
    return values
