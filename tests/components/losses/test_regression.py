"""The losses of numbers against torch's own classes, and against numbers worked out by hand."""

from functools import partial
from math import cosh, e, exp, log, pi, sqrt

import pytest
import torch
from torch import Tensor, nn

from lossrun.components.losses.regression import (
    cosine_similarity,
    gaussian_nll,
    huber,
    log_cosh,
    mae,
    mape,
    mse,
    msle,
    poisson_nll,
    quantile,
    smooth_l1,
)


def drawn(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numbers(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def values(result: Tensor) -> list[float]:
    return result.tolist()


# --- by hand


def test_errors_by_hand():
    outputs, targets = torch.tensor([[1.0, 5.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.5, 0.0]])
    # Errors (1, 3) and (-1/2, 0).
    assert values(mse(outputs, targets)) == [(1 + 9) / 2, 0.25 / 2]
    assert values(mae(outputs, targets)) == [(1 + 3) / 2, 0.5 / 2]
    # Delta 2: 1/2 is quadratic, 3 is linear: 2 (3 - 1) = 4; then 1/8 and 0.
    assert values(huber(outputs, targets, delta=2.0)) == [(0.5 + 4) / 2, 0.125 / 2]
    # The same divided by 2; at beta 0 mae.
    assert values(smooth_l1(outputs, targets, beta=2.0)) == [(0.25 + 2) / 2, 0.0625 / 2]
    assert values(smooth_l1(outputs, targets, beta=0.0)) == values(mae(outputs, targets))
    # Too high by 1 and 3 costs 1/4 of it at the 3/4 quantile; too low by 1/2, 3/4 of it.
    assert values(quantile(outputs, targets, quantile=0.75)) == [0.25 * (1 + 3) / 2, 0.75 * 0.5 / 2]
    assert values(log_cosh(outputs.double(), targets)) == pytest.approx(
        [(log(cosh(1)) + log(cosh(3))) / 2, log(cosh(0.5)) / 2], rel=1e-14
    )


def test_squared_error_on_class_indices_is_that_on_one_hot_rows():
    # Probabilities (0.7, 0.2, 0.1) of class 0: (0.09 + 0.04 + 0.01) / 3 and (0.3 + 0.2 + 0.1) / 3.
    outputs = numbers([0.7, 0.2, 0.1])
    assert values(mse(outputs, torch.tensor([0]))) == pytest.approx([0.14 / 3], rel=1e-12)
    assert values(mae(outputs, torch.tensor([0]))) == pytest.approx([0.6 / 3], rel=1e-12)


@pytest.mark.parametrize("error", [1e-20, 1e-8, 1e-4, 3e-4, 0.01, 0.5, 0.999, 1.0, 1.001, 3.0, 50.0, 1e4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_log_cosh_keeps_its_digits(error, sign):
    # Near 0: e^2/2 - e^4/12 + e^6/45 to 1e-7 below 0.02; far: |e| - ln 2 + ln(1 + exp(-2 |e|)), in double precision.
    series = error**2 / 2 - error**4 / 12 + error**6 / 45
    exact = series if error < 0.02 else error - log(2) + log(1 + exp(-2 * error))
    single = log_cosh(torch.tensor([[sign * error]]), torch.zeros(1, 1))
    # The square of 1e-20 is not a float32.
    assert single.item() == pytest.approx(exact, rel=3e-7, abs=1e-38)
    double = log_cosh(numbers([sign * error]), torch.zeros(1, 1))
    assert double.item() == pytest.approx(exact, rel=1e-13)


def test_slope_of_log_cosh_is_tanh_everywhere():
    outputs = torch.tensor([[-1e4], [-3.0], [-1.0], [-1e-6], [0.0], [1e-6], [0.5], [1.0], [1e4]], requires_grad=True)
    (slope,) = torch.autograd.grad(log_cosh(outputs, torch.zeros(9, 1)).sum(), outputs)
    torch.testing.assert_close(slope, outputs.detach().tanh(), rtol=1e-6, atol=0)


def test_percentages_by_hand():
    # Errors 1 of 4 and 3 of -2: 25 and 150 per cent. A target of 0 divides by eps.
    assert values(mape(numbers([5.0, 1.0]), numbers([4.0, -2.0]))) == [(25 + 150) / 2]
    assert values(mape(numbers([5.0]), numbers([0.0]))) == pytest.approx([100 * 5 / 1e-7])
    assert values(mape(numbers([5.0]), numbers([0.1]), eps=0.5)) == pytest.approx([100 * 4.9 / 0.5])


def test_logarithmic_errors_by_hand():
    # ln(1 + (e - 1)) = 1, ln(1 + (e^3 - 1)) = 3, ln 1 = 0: squares 4 and 1.
    assert values(msle(numbers([e - 1, 0.0]), numbers([e**3 - 1, e - 1]))) == pytest.approx([(4 + 1) / 2], rel=1e-6)
    # What is below 0 counts as 1e-7, and is not pulled.
    outputs = numbers([-3.0]).requires_grad_()
    loss = msle(outputs, numbers([e - 1]))
    loss.backward()
    assert loss.item() == pytest.approx(1, rel=1e-6)
    assert outputs.grad is not None
    assert outputs.grad.item() == 0


def test_counts_by_hand():
    # exp(0) - 3 * 0 and exp(ln 2) - 3 ln 2; of the mean itself, 2 - 3 ln 2.
    assert values(poisson_nll(numbers([0.0], [log(2)]), numbers([3.0], [3.0]))) == pytest.approx([1, 2 - 3 * log(2)])
    assert values(poisson_nll(numbers([2.0]), numbers([3.0]), log_input=False)) == pytest.approx([2 - 3 * log(2)])
    # Stirling for 3! = 6: 3 ln 3 - 3 + ln(6 pi) / 2 = 1.7641 (ln 6 = 1.7918); none for 0 and 1.
    more = poisson_nll(numbers([0.0], [0.0], [0.0]), numbers([3.0], [1.0], [0.0]), full=True)
    assert values(more) == pytest.approx([1 + 3 * log(3) - 3 + log(6 * pi) / 2, 1, 1])


def test_no_poisson_distribution_has_a_negative_mean():
    assert poisson_nll(numbers([-1.0]), numbers([3.0]), log_input=False).isnan().all()


def test_gaussians_by_hand():
    # Error 2, variance 4: (ln 4 + 4 / 4) / 2; error 0, variance 1: 0.
    outputs = numbers([3.0, 1.0, log(4), 0.0])
    assert values(gaussian_nll(outputs, numbers([1.0, 1.0]))) == pytest.approx([(log(4) + 1) / 2 / 2])
    assert values(gaussian_nll(outputs, numbers([1.0, 1.0]), full=True)) == pytest.approx(
        [(log(4) + 1) / 4 + log(2 * pi) / 2]
    )


@pytest.mark.parametrize("log_variance", [-20.0, -1e4])
def test_variance_below_the_least_counts_as_the_least_and_can_come_back(log_variance):
    outputs = numbers([1.0, log_variance]).requires_grad_()
    loss = gaussian_nll(outputs, numbers([0.0]), eps=0.01)
    # (ln 0.01 + 1 / 0.01) / 2.
    assert loss.item() == pytest.approx((log(0.01) + 100) / 2)
    loss.backward()
    assert outputs.grad is not None
    # e / v, and (1 - e^2 / v) / 2: upwards.
    assert outputs.grad.tolist() == [pytest.approx([100, (1 - 100) / 2])]


@pytest.mark.parametrize("shape", [(4, 3), (4, 2), (4, 4, 3), (3, 6)])
def test_gaussians_need_two_outputs_for_each_target(shape):
    with pytest.raises(ValueError, match=r"expected \(N, 2 K\), means and then logarithms of variances"):
        gaussian_nll(torch.zeros(shape), torch.zeros(4, 3))


def test_cosines_by_hand():
    # 45 degrees, opposite, at a right angle, and nothing.
    outputs, targets = numbers([1, 1], [1e4, 0], [0, 3], [0, 0]), numbers([2, 0], [-1, 0], [5, 0], [1, 1])
    assert values(cosine_similarity(outputs, targets)) == pytest.approx([-1 / sqrt(2), 1, 0, 0], rel=1e-12)


# --- against torch


@pytest.mark.parametrize(
    ("loss", "torch_class"),
    [
        (mse, nn.MSELoss),
        (mae, nn.L1Loss),
        (huber, nn.HuberLoss),
        (partial(huber, delta=0.7), partial(nn.HuberLoss, delta=0.7)),
        (smooth_l1, nn.SmoothL1Loss),
        (partial(smooth_l1, beta=0.3), partial(nn.SmoothL1Loss, beta=0.3)),
        (partial(smooth_l1, beta=0.0), partial(nn.SmoothL1Loss, beta=0.0)),
        (poisson_nll, nn.PoissonNLLLoss),
        (partial(poisson_nll, full=True), partial(nn.PoissonNLLLoss, full=True)),
        (partial(poisson_nll, log_input=False), partial(nn.PoissonNLLLoss, log_input=False)),
        (
            partial(poisson_nll, log_input=False, full=True, eps=0.1),
            partial(nn.PoissonNLLLoss, log_input=False, full=True, eps=0.1),
        ),
    ],
)
def test_losses_and_their_gradients_are_torchs(loss, torch_class):
    outputs, targets = drawn(7, 3).abs().requires_grad_(), drawn(7, 3, seed=5).abs()
    theirs = torch_class(reduction="none")(outputs, targets).mean(dim=1)
    torch.testing.assert_close(loss(outputs, targets), theirs)
    torch.testing.assert_close(loss(outputs, targets).mean(), torch_class()(outputs, targets))
    torch.testing.assert_close(loss(outputs, targets).sum() * 3, torch_class(reduction="sum")(outputs, targets))
    (our_gradient,) = torch.autograd.grad(loss(outputs, targets).sum(), outputs)
    torch.testing.assert_close(our_gradient, torch.autograd.grad(theirs.sum(), outputs)[0])


@pytest.mark.parametrize("full", [False, True])
def test_gaussians_and_their_gradients_are_torchs(full):
    outputs, targets = drawn(7, 6).requires_grad_(), drawn(7, 3, seed=5)
    means, log_variances = outputs.chunk(2, dim=1)
    theirs = nn.GaussianNLLLoss(full=full, reduction="none")(means, targets, log_variances.exp()).mean(dim=1)
    ours = gaussian_nll(outputs, targets, full=full)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.sum(), outputs)[0], torch.autograd.grad(theirs.sum(), outputs)[0]
    )


def test_cosine_is_torchs():
    outputs, targets = drawn(7, 3), drawn(7, 3, seed=5)
    torch.testing.assert_close(cosine_similarity(outputs, targets), -nn.CosineSimilarity(dim=1)(outputs, targets))
