"""Plot losses for `lossrun explain`: values from the functions that training uses, slopes from autograd.

A loss takes outputs and targets; a curve needs one number. Each probe below says which: the error of one output, the
logit of the right answer, the angle between two vectors. Everything is in double precision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import pi
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from lossrun.catalog import get
from lossrun.components.losses.public import loss

# (x, value, slope); the slope is the derivative of the value with respect to x.
Row: TypeAlias = tuple[float, float, float]
# (name, xs, values)
Curve: TypeAlias = tuple[str, tuple[float, ...], tuple[float, ...]]

CLASSES: Final = 10
_POINTS: Final = 241  # of a drawn curve
_ERRORS: Final = (0.01, 0.1, 1.0, 10.0, 100.0)
_SIGNED_ERRORS: Final = (-100.0, -10.0, -1.0, -0.1, 0.1, 1.0, 10.0, 100.0)
_LOGITS: Final = (-10.0, -1.0, 0.0, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class LossPicture:
    """A loss as curves and as a table.

    Attributes:
        name: The loss, with the last layer that it needs, if it needs one.
        axis: What the xs are.
        rows: The loss at a few xs, near and far.
        curves: The loss, then similar losses, all over the same xs.
        limits: The range of values to draw.
    """

    name: str
    axis: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    limits: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Probe:
    """A way to turn one number into outputs and targets.

    Attributes:
        axis: What the number is.
        place: Returns outputs (N, K) and targets for xs (N,).
        span: The xs to draw.
        points: The xs of the table.
        top: The largest value to draw; None for the largest of the loss itself.
    """

    axis: str
    place: Callable[[Tensor], tuple[Tensor, Tensor]]
    span: tuple[float, float]
    points: tuple[float, ...]
    top: float | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One curve of a picture.

    Attributes:
        activation: The last layer, for a loss that takes no logits.
        place: Used instead of the probe's `place`.
    """

    label: str
    loss: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    activation: Callable[[Tensor], Tensor] | None = None
    place: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None


def pictures(name: str, parameters: Mapping[str, Any] | None = None) -> tuple[LossPicture, ...]:
    """Return a loss as curves: one picture, or two if it is for regression and for classes.

    Args:
        name: Its canonical name.
        parameters: Those that differ from the defaults.

    Raises:
        KeyError: For an unknown name.
    """
    get("loss", name)
    settings = dict(parameters or {})
    for key in ("inputs", "reduction", "weight_convention", "class_weights"):
        settings.pop(key, None)
    if name in ("mse", "mae"):
        return (
            _picture(_ERROR, [_Line(name, name, settings), *_others(name, _REGRESSION)]),
            _picture(
                _YES,
                [
                    _Line(f"{name} on sigmoid", name, settings, torch.sigmoid),
                    *_others(name, (_BCE, *_SQUASHED)),
                ],
            ),
        )
    probe, others = _around(name, settings)
    return (_picture(probe, [_own(name, settings), *_others(name, others)]),)


def _around(name: str, settings: Mapping[str, Any]) -> tuple[_Probe, Sequence[_Line]]:
    """Return how to plot a loss, and which others to plot with it."""
    declared = get("loss", name)
    special: dict[str, tuple[_Probe, Sequence[_Line]]] = {
        "quantile": (
            _SIGNED,
            [*(_Line(f"quantile {q}", name, {"quantile": q}) for q in (0.1, 0.9)), _Line("mae", "mae")],
        ),
        "poisson_nll": (
            _LOG_MEAN if settings.get("log_input", True) else _MEAN,
            [_Line(f"target {t}", name, settings, place=_output_against(t)) for t in (0, 4)],
        ),
        "mape": (_NEAR_ONE, [_Line(f"target {t}", name, settings, place=_error_from(t)) for t in (0.5, 2)]),
        "msle": (_BESIDE_ONE, [_Line("mse", "mse"), _Line("mae", "mae")]),
        "gaussian_nll": (
            _UNIT_VARIANCE,
            [_Line(f"variance {v:g}", name, settings, place=_with_variance(v)) for v in (0.1, 10.0)],
        ),
        "cosine_similarity": (_ANGLE, []),
        "dice": (_LABELS, [_BCE, _Line("tversky, beta 0.1", "tversky", {"alpha": 0.9, "beta": 0.1})]),
        "tversky": (_LABELS, [_BCE, _Line("tversky, beta 0.1", "tversky", {"alpha": 0.9, "beta": 0.1})]),
        "multi_margin": (_CLASS, _MARGINS),
        "categorical_hinge": (_CLASS, _MARGINS),
    }
    if name in special:
        return special[name]
    if "regression" in declared.tasks and name != "binary_cross_entropy":
        return _ERROR, _REGRESSION
    if declared.tasks == ("multiclass",):
        return _CLASS, _MULTICLASS
    return _YES, _BINARY


def _own(name: str, settings: Mapping[str, Any]) -> _Line:
    labels = {
        "poisson_nll": "target 1",
        "mape": "target 1",
        "gaussian_nll": "variance 1",
        "quantile": f"quantile {settings.get('quantile', 0.5):g}",
    }
    return _Line(labels.get(name, name), name, settings)


def _others(name: str, lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines of other losses, and of the same loss with another activation or other parameters."""
    return [line for line in lines if line.label not in (name, f"{name} on sigmoid")]


def _picture(probe: _Probe, lines: Sequence[_Line]) -> LossPicture:
    first, last = probe.span
    xs = tuple(first + (last - first) * number / (_POINTS - 1) for number in range(_POINTS))
    curves = [(line.label, xs, _values_and_slopes(line, probe, xs)[0]) for line in lines]
    least = min(min(values) for _, _, values in curves)
    top = probe.top if probe.top is not None else max(curves[0][2])
    rows = tuple(zip(probe.points, *_values_and_slopes(lines[0], probe, probe.points), strict=True))
    name = lines[0].label if lines[0].activation else lines[0].loss
    return LossPicture(name, probe.axis, rows, tuple(curves), (min(least, 0.0), top))


def _values_and_slopes(line: _Line, probe: _Probe, xs: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    at = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    outputs, targets = (line.place or probe.place)(at)
    if line.activation is not None:
        outputs = line.activation(outputs)
    # Samples do not depend on each other, so the gradient of the sum holds the gradient of each.
    values = loss(line.loss, **line.parameters)(outputs, targets)
    (slopes,) = torch.autograd.grad(values.sum(), at)
    return tuple(values.tolist()), tuple(slopes.tolist())


def _error_from(target: float) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def place(xs: Tensor) -> tuple[Tensor, Tensor]:
        outputs = (target + xs).unsqueeze(1)
        return outputs, torch.full_like(outputs, target)

    return place


def _output_against(target: float) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def place(xs: Tensor) -> tuple[Tensor, Tensor]:
        outputs = xs.unsqueeze(1)
        return outputs, torch.full_like(outputs, target)

    return place


def _with_variance(variance: float) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def place(xs: Tensor) -> tuple[Tensor, Tensor]:
        logarithm = torch.full_like(xs, variance).log()
        return torch.stack([xs, logarithm], dim=1), torch.zeros_like(xs).unsqueeze(1)

    return place


def _directions(xs: Tensor) -> tuple[Tensor, Tensor]:
    radians = xs * (pi / 180)
    outputs = torch.stack([radians.cos(), radians.sin()], dim=1)
    return outputs, torch.tensor([1.0, 0.0], dtype=xs.dtype).expand_as(outputs)


def _yes(xs: Tensor) -> tuple[Tensor, Tensor]:
    outputs = xs.unsqueeze(1)
    return outputs, torch.ones_like(outputs)


def _right_class(xs: Tensor) -> tuple[Tensor, Tensor]:
    others = torch.zeros(len(xs), CLASSES - 1, dtype=xs.dtype)
    return torch.cat([xs.unsqueeze(1), others], dim=1), torch.zeros(len(xs), dtype=torch.int64)


def _two_labels(xs: Tensor) -> tuple[Tensor, Tensor]:
    targets = (torch.arange(CLASSES) < 2).to(xs.dtype).expand(len(xs), CLASSES)
    return xs.unsqueeze(1) * (2 * targets - 1), targets


_ERROR: Final = _Probe("error e = output - target", _error_from(0.0), (-3.0, 3.0), _ERRORS, top=4.0)
_SIGNED: Final = _Probe(_ERROR.axis, _ERROR.place, _ERROR.span, _SIGNED_ERRORS, top=3.0)
_NEAR_ONE: Final = _Probe(f"{_ERROR.axis}, for a target of 1", _error_from(1.0), (-2.0, 2.0), _SIGNED_ERRORS)
_BESIDE_ONE: Final = _Probe(
    _NEAR_ONE.axis, _NEAR_ONE.place, (-2.0, 6.0), (-2.0, -1.0, -0.5, -0.1, 0.1, 1.0, 10.0, 100.0), top=4.0
)
_UNIT_VARIANCE: Final = _Probe(f"{_ERROR.axis}, for a variance of 1", _with_variance(1.0), (-3.0, 3.0), _ERRORS, 5.0)
_LOG_MEAN: Final = _Probe(
    "output (logarithm of the mean), for a target of 1",
    _output_against(1.0),
    (-3.0, 3.0),
    (-10.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0),
    top=8.0,
)
_MEAN: Final = _Probe(
    "output (the mean), for a target of 1", _output_against(1.0), (0.05, 8.0), (0.01, 0.1, 1.0, 10.0, 100.0), top=8.0
)
_ANGLE: Final = _Probe(
    "angle between output and target, in degrees",
    _directions,
    (-180.0, 180.0),
    (0.0, 1.0, 10.0, 45.0, 90.0, 135.0, 180.0),
)
_YES: Final = _Probe("logit of the right answer (one output)", _yes, (-4.0, 4.0), _LOGITS, top=4.0)
_CLASS: Final = _Probe(
    f"logit of the right class, the {CLASSES - 1} others at 0", _right_class, (-5.0, 8.0), _LOGITS, top=6.0
)
_LABELS: Final = _Probe(
    f"logit towards the right answer of {CLASSES} labels, 2 of them true",
    _two_labels,
    (-4.0, 4.0),
    _LOGITS,
    top=2.0,
)

_BCE: Final = _Line("binary_cross_entropy", "binary_cross_entropy")
_SQUASHED: Final = tuple(_Line(f"{name} on sigmoid", name, activation=torch.sigmoid) for name in ("mse", "mae"))
_REGRESSION: Final = tuple(_Line(name, name) for name in ("mse", "mae", "huber", "log_cosh"))
_BINARY: Final = (_BCE, _Line("hinge", "hinge"), _Line("squared_hinge", "squared_hinge"), _SQUASHED[0])
_MULTICLASS: Final = tuple(
    _Line(name, name) for name in ("cross_entropy", "focal", "generalized_cross_entropy", "symmetric_cross_entropy")
)
_MARGINS: Final = tuple(_Line(name, name) for name in ("cross_entropy", "multi_margin", "categorical_hinge"))
