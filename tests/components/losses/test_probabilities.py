"""Values and gradients of all losses that take probabilities, from 0 to 1, against 60-digit decimals.

The formulas are those of the losses' docstrings, written out for one sample and computed in Python's decimal numbers;
slopes are quotients of differences of 1e-40. The result must be that of inputs, or of their shares of the sum, which
are off by at most two units in the last place: no loss can know them better. At a bound of the clipping there are two
slopes; any number from one to the other is a subgradient.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from itertools import product

import pytest
import torch

from lossrun.catalog.losses import LOSSES
from lossrun.components.lookup import loss_function

PROBABILITIES = [0.0, 1e-38, 1e-12, 1e-7, 1e-3, 0.5, 1 - 1e-7, 1.0]
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
STEP = Decimal("1e-40")
ONE, HALF, TINY = Decimal(1), Decimal("0.5"), Decimal("1e-7")


class Clip:
    """The clipping of a type: 1e-7 and 1 - 1e-7 as it holds them, of a number that may be `off`, relatively."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.low, self.high = (Decimal(torch.tensor(bound, dtype=dtype).item()) for bound in (1e-7, 1 - 1e-7))
        self.off = Decimal(0)

    def __call__(self, p: Decimal) -> Decimal:
        return min(max(p * (1 + self.off), self.low), self.high)


def log(p: Decimal) -> Decimal:
    return p.ln()


# One output p, and the target t, 0 or 1.
def binary_cross_entropy(clip: Clip, t: int, p: Decimal) -> Decimal:
    return -log(clip(p)) if t else -log(1 - clip(p))


def binary_focal(clip: Clip, t: int, p: Decimal) -> Decimal:
    return (1 - p if t else p) ** 2 * binary_cross_entropy(clip, t, p)


def dice(clip: Clip, t: int, p: Decimal) -> Decimal:
    return 1 - (2 * t * p + TINY) / (t + p + TINY)


def tversky(clip: Clip, t: int, p: Decimal) -> Decimal:
    hits, missed, false_alarms = t * p, t * (1 - p), (1 - t) * p
    return 1 - (hits + TINY) / (hits + HALF * missed + HALF * false_alarms + TINY)


# Outputs p of the right class and r of the other one.
def cross_entropy(clip: Clip, p: Decimal, r: Decimal) -> Decimal:
    return -log(clip(p / (p + r)))


def focal(clip: Clip, p: Decimal, r: Decimal) -> Decimal:
    share = clip(p / (p + r))
    return -((1 - share) ** 2) * log(share)


def kl_divergence(clip: Clip, p: Decimal, r: Decimal) -> Decimal:
    return -log(min(max(p, clip.low), ONE))


def generalized_cross_entropy(clip: Clip, p: Decimal, r: Decimal) -> Decimal:
    q = Decimal("0.7")
    return (1 - p**q if p >= clip.low else 1 - p * clip.low ** (q - 1)) / q


def symmetric_cross_entropy(clip: Clip, p: Decimal, r: Decimal) -> Decimal:
    return Decimal("0.1") * cross_entropy(clip, p, r) + 4 * clip(r / (p + r))


OF_ONE_OUTPUT: dict[str, Callable[[Clip, int, Decimal], Decimal]] = {
    one.__name__: one for one in (binary_cross_entropy, binary_focal, dice, tversky)
}
OF_TWO_CLASSES: dict[str, Callable[[Clip, Decimal, Decimal], Decimal]] = {
    one.__name__: one
    for one in (cross_entropy, focal, kl_divergence, generalized_cross_entropy, symmetric_cross_entropy)
}


def test_no_loss_of_probabilities_is_left_out():
    takes = {
        declared.name for declared in LOSSES if "probabilities" in declared.accepts and declared.parameter("inputs")
    }
    assert takes == OF_ONE_OUTPUT.keys() | OF_TWO_CLASSES.keys()


def near(value: float, unit: float) -> list[Decimal]:
    """Return the number, and those that are two units in the last place away; 0 has no error."""
    exact = Decimal(value)
    return [exact, *(exact * (1 + Decimal(2 * sign * unit)) for sign in (-1, 1) if value)]


def check(
    reference: Callable[..., Decimal],
    clip: Clip,
    at: list[list[Decimal]],
    value: float,
    slopes: list[float],
    unit: float,
    given_unit: float,
) -> None:
    """Compare a value and its slopes with the range of the reference over the points `at`."""
    with localcontext() as context:
        context.prec = 80
        values: list[Decimal] = []
        found: list[list[Decimal]] = [[] for _ in slopes]
        for off, *point in product([0, -2, 2], *at):
            clip.off = off * Decimal(unit)
            here = reference(*point)
            values.append(here)
            for place, sign in product(range(len(point)), (-1, 1)):
                if point[place] == 0 and sign < 0:
                    continue
                moved = [one + sign * STEP * (place == index) for index, one in enumerate(point)]
                found[place].append((reference(*moved) - here) / (sign * STEP))
        steepest = max(abs(one) for every in found for one in every)
        units = [unit, *(given_unit for _ in slopes)]  # a gradient has the type of the outputs
        sizes = [max(values), *(steepest for _ in slopes)]
        for result, expected, its, size in zip([value, *slopes], [values, *found], units, sizes, strict=True):
            # Sums of a few rounded terms; numbers below the least normal float32 may be rounded to 0.
            slack = 16 * Decimal(its) * size + Decimal(2) ** -120
            assert min(expected) - slack <= Decimal(result) <= max(expected) + slack


def results(name: str, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, list[float]]:
    given = outputs.clone().requires_grad_()
    value = loss_function(name)(given, targets, inputs="probabilities")
    (slopes,) = torch.autograd.grad(value.sum(), given)
    assert value.isfinite().all()
    assert slopes.isfinite().all()
    return value.item(), slopes[0].double().tolist()


def computed_in(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def units(dtype: torch.dtype) -> tuple[float, float]:
    """Return the unit in the last place of the value, and of the gradient."""
    return torch.finfo(computed_in(dtype)).eps / 2, torch.finfo(dtype).eps / 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OF_ONE_OUTPUT)
def test_losses_of_one_output(name, dtype):
    clip, reference = Clip(computed_in(dtype)), OF_ONE_OUTPUT[name]
    for p, t in product(PROBABILITIES, (0, 1)):
        outputs = torch.tensor([[p]], dtype=dtype)
        value, slopes = results(name, outputs, torch.tensor([[float(t)]], dtype=dtype))
        at = [near(outputs.item(), units(dtype)[0])]
        check(lambda *point, t=t: reference(clip, t, *point), clip, at, value, slopes, *units(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OF_TWO_CLASSES)
def test_losses_of_classes(name, dtype):
    clip, reference = Clip(computed_in(dtype)), OF_TWO_CLASSES[name]
    for p in PROBABILITIES:
        outputs = torch.tensor([[p, 1 - p]], dtype=dtype)
        value, slopes = results(name, outputs, torch.tensor([0]))
        at = [near(one, units(dtype)[0]) for one in outputs[0].double().tolist()]
        check(lambda *point: reference(clip, *point), clip, at, value, slopes, *units(dtype))
