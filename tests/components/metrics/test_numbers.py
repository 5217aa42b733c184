"""The metrics of regression against scikit-learn, scipy and the losses themselves, in original units."""

from collections.abc import Iterable
from math import cosh, exp, isnan, log
from typing import Any

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics as sk
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.lookup import loss_function
from lossrun.components.metrics import compute_metrics, predictions, prepared_targets
from tests.components.metrics.test_metrics import CLOSE, SAMPLES, drawn, measured, scores, targets_of

LOSSES = ["mse", "mae", "huber", "log_cosh"]
ALWAYS = {*LOSSES, "rmse", "r2"}
# What some targets or outputs have no value of.
SOMETIMES = {"mape", "msle", "poisson_nll", "cosine_similarity", "gaussian_nll", "binary_cross_entropy"}
EXACT = {"rel": 1e-12}


def names(targets: Tensor, *, output: str = "none", reads_as: str = "mean", **moments: Any) -> list[str]:
    outputs = targets.shape[1] * (2 if reads_as == "mean_and_log_variance" else 1)
    return special(
        scores("regression", drawn(len(targets), outputs), targets, output=output, reads_as=reads_as, **moments)
    )


def special(found: Iterable[str]) -> list[str]:
    """Those that not everything has, in their order."""
    every = list(found)
    assert set(every) >= ALWAYS
    return [name for name in every if name in SOMETIMES]


def counts(outputs: int = 3) -> Tensor:
    """Targets of 1 and more."""
    return drawn(SAMPLES, outputs, seed=5).abs().round() + 1


@pytest.mark.parametrize("reads_as", ["mean", "log_mean"])
def test_what_a_run_that_gives_means_is_scored_by(reads_as):
    targets = counts()
    positive = ["mape", "msle", "poisson_nll", "cosine_similarity"]
    assert names(targets, reads_as=reads_as) == positive
    # A percentage of 0, a count below 0, the direction of one number.
    assert names(targets - 1, reads_as=reads_as) == positive[1:]
    assert names(targets - 2.5, reads_as=reads_as) == ["mape", "cosine_similarity"]
    assert names(targets[:, :1], reads_as=reads_as) == positive[:3]


def test_only_a_run_that_gives_variances_has_a_gaussian_likelihood():
    assert names(drawn(SAMPLES, 1), reads_as="mean_and_log_variance") == ["mape", "gaussian_nll"]


def test_cross_entropy_wants_probabilities_on_both_sides():
    shares = targets_of("regression", 2)
    for targets, output, reads_as, present in [
        (shares, "sigmoid", "probabilities", True),
        (shares, "none", "probabilities", True),
        (shares, "sigmoid", "mean", True),
        (shares, "none", "mean", False),
        (shares + 1, "sigmoid", "mean", False),
        (shares - 1, "sigmoid", "mean", False),
    ]:
        assert ("binary_cross_entropy" in names(targets, output=output, reads_as=reads_as)) is present
    # Standardized shares may lie in [0, 1] and are none.
    assert "binary_cross_entropy" not in names(shares, output="sigmoid", target_std=2.0)


def test_standardized_targets_are_looked_at_in_original_units():
    original = counts(1) - 1
    mean, std = original.mean(), original.std()
    scaled = (original - mean) / std
    assert scaled.min() < 0
    # The 0 has been rounded on its way; it is not a percentage's denominator, and no count below 0.
    assert names(scaled, target_mean=mean, target_std=std) == ["msle", "poisson_nll"]


def test_other_targets_can_decide_for_these():
    ones = torch.ones(4, 1)
    prepared = prepared_targets("regression", ones, 1, deciding=[ones, ones - 1])
    result = compute_metrics("regression", drawn(4, 1), prepared, output="none", reads_as="mean")
    assert special(result) == ["msle", "poisson_nll"]
    prepared = prepared_targets("regression", ones - 2, 1, deciding=[ones])
    assert "msle" in compute_metrics("regression", drawn(4, 1), prepared, output="none", reads_as="mean")


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (40.0, 7.0), (torch.tensor([30.0, 20.0, 90.0]),) * 2])
def test_regression_is_scikit_learns_and_scipys_in_original_units(mean, std):
    outputs, targets = drawn(SAMPLES, 3).double(), drawn(SAMPLES, 3, seed=3).double()
    shift = 10 if isinstance(mean, float) and mean == 0 else 0
    outputs, targets = outputs.abs() + shift, targets.abs() + shift
    result = scores("regression", outputs, targets, output="none", reads_as="mean", target_mean=mean, target_std=std)
    guessed, true = (outputs * std + mean).numpy(), (targets * std + mean).numpy()
    angles = [scipy.spatial.distance.cosine(a, b) - 1 for a, b in zip(guessed, true, strict=True)]
    # The deviance is twice the likelihood's distance from that of a perfect prediction.
    perfect = (true - scipy.special.xlogy(true, true)).mean()
    deviance = sk.mean_poisson_deviance(true.ravel(), guessed.ravel())
    expected = {
        "mse": pytest.approx(sk.mean_squared_error(true, guessed), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(true, guessed), **CLOSE),
        "huber": pytest.approx(scipy.special.huber(1.0, guessed - true).mean(), **CLOSE),
        "log_cosh": pytest.approx(np.logaddexp(guessed - true, true - guessed).mean() - log(2), **CLOSE),
        "mape": pytest.approx(100 * sk.mean_absolute_percentage_error(true, guessed), **CLOSE),
        "msle": pytest.approx(sk.mean_squared_log_error(true, guessed), **CLOSE),
        "poisson_nll": pytest.approx(deviance / 2 + perfect, **CLOSE),
        "cosine_similarity": pytest.approx(np.mean(angles), **CLOSE),
        "rmse": pytest.approx(sk.mean_squared_error(true, guessed) ** 0.5, **CLOSE),
        "r2": pytest.approx(sk.r2_score(true, guessed), **CLOSE),
    }
    assert {name: result[name] for name in expected} == expected


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-3.0, 0.5)])
def test_gaussian_likelihood_is_scipys_in_original_units(mean, std):
    outputs, targets = drawn(SAMPLES, 4).double(), drawn(SAMPLES, 2, seed=3).double()
    result = scores(
        "regression",
        outputs,
        targets,
        output="none",
        reads_as="mean_and_log_variance",
        target_mean=mean,
        target_std=std,
    )
    means, log_variances = outputs.numpy()[:, :2] * std + mean, outputs.numpy()[:, 2:]
    density = scipy.stats.norm(means, np.exp(log_variances / 2) * std)
    expected = -density.logpdf(targets.numpy() * std + mean).mean() - log(2 * np.pi) / 2
    assert result["gaussian_nll"] == pytest.approx(expected, **CLOSE)
    assert result["rmse"] == pytest.approx(std * (outputs[:, :2] - targets).square().mean().sqrt().item(), **CLOSE)


@pytest.mark.parametrize(
    "name", [*LOSSES, "mape", "msle", "poisson_nll", "gaussian_nll", "cosine_similarity", "binary_cross_entropy"]
)
def test_a_metric_is_the_loss_at_its_plain_parameters(name):
    outputs, targets = drawn(SAMPLES, 4).double(), targets_of("regression", 4).double() + 0.1
    reads_as, output, given = "mean", "none", outputs
    if name == "gaussian_nll":
        reads_as, targets = "mean_and_log_variance", targets[:, :2]
    elif name == "binary_cross_entropy":
        reads_as, output, targets = "probabilities", "sigmoid", targets - 0.1
    elif name == "poisson_nll":
        given = outputs.clamp(min=1e-7).log()
    value = scores("regression", outputs, targets, output=output, reads_as=reads_as)[name]
    assert value == pytest.approx(loss_function(name)(given, targets).mean().item(), **EXACT)


def test_logarithms_of_means_are_read_as_means():
    logarithms, targets = drawn(SAMPLES, 3).double(), counts().double()
    of_logarithms = scores("regression", logarithms, targets, output="none", reads_as="log_mean")
    of_means = scores("regression", logarithms.exp(), targets, output="none", reads_as="mean")
    assert of_logarithms == pytest.approx(of_means, **EXACT)
    assert of_logarithms["poisson_nll"] == pytest.approx(
        loss_function("poisson_nll")(logarithms, targets).mean().item(), **EXACT
    )


def test_predictions_are_the_means():
    outputs = drawn(2, 5, 4)
    as_read = {
        reads_as: predictions(outputs, task="regression", output="none", reads_as=reads_as)
        for reads_as in ("mean", "log_mean", "mean_and_log_variance")
    }
    assert torch.equal(as_read["mean"], outputs)
    assert torch.equal(as_read["log_mean"], outputs.exp())
    assert torch.equal(as_read["mean_and_log_variance"], outputs[..., :2])
    squeezed = predictions(outputs, task="regression", output="none", reads_as="probabilities")
    torch.testing.assert_close(squeezed, outputs.sigmoid())


def test_far_off_and_very_near():
    # Errors of 1000 and of 1e-9 (from 0, where nothing is rounded): ln cosh is 1000 - ln 2, and e^2 / 2.
    zero = torch.zeros(1, 1)
    far = scores("regression", torch.tensor([[1000.0]]), zero, output="none", reads_as="mean")
    assert far["log_cosh"] == pytest.approx(1000 - log(2), rel=1e-15)
    assert far["huber"] == pytest.approx(999.5, rel=1e-15)
    near = scores("regression", torch.tensor([[1e-9]], dtype=torch.float64), zero, output="none", reads_as="mean")
    assert near["log_cosh"] == pytest.approx(5e-19, rel=1e-6)  # to the last digit of the error, 1e-25
    assert near["huber"] == pytest.approx(5e-19, rel=1e-14)
    none = scores("regression", zero, zero, output="none", reads_as="mean")
    assert none["log_cosh"] == none["mse"] == 0
    # Between the two it is ln cosh itself.
    one = scores("regression", torch.tensor([[1.0]]), zero, output="none", reads_as="mean")
    assert one["log_cosh"] == pytest.approx(log(cosh(1)), rel=1e-15)


def test_counts_far_off():
    counted = torch.tensor([[3.0]])
    # A mean of exp(-1000) is 0 in double precision, its logarithm is not: 0 + 3 * 1000.
    low = scores("regression", torch.tensor([[-1000.0]]), counted, output="none", reads_as="log_mean")
    assert low["poisson_nll"] == pytest.approx(3000.0, rel=1e-15)
    # A mean below 0 counts as 1e-7, for the logarithm of value + 1, too.
    below = scores("regression", torch.tensor([[-5.0]]), counted, output="none", reads_as="mean")
    assert below["poisson_nll"] == pytest.approx(1e-7 - 3 * log(1e-7), rel=1e-14)
    assert below["msle"] == pytest.approx((log(4) - 1e-7) ** 2, rel=1e-12)


def test_variances_far_off():
    # ln v of -1000 and 1000, error 2: v is at least 1e-6; then 4 / v is negligible next to ln v.
    for log_variance, expected in [(-1000.0, (log(1e-6) + 4e6) / 2), (1000.0, 500.0)]:
        outputs = torch.tensor([[2.0, log_variance]])
        result = scores("regression", outputs, torch.zeros(1, 1), output="none", reads_as="mean_and_log_variance")
        assert result["gaussian_nll"] == pytest.approx(expected, rel=1e-12)
    # Of targets divided by 1000, the variance is 1e6 of what the model gives.
    result = scores(
        "regression", torch.tensor([[2.0, 0.0]]), torch.zeros(1, 1), output="none", reads_as="mean_and_log_variance",
        target_std=1000.0,
    )  # fmt: skip
    assert result["gaussian_nll"] == pytest.approx((log(1e6) + 4) / 2, rel=1e-12)


def test_the_direction_of_nothing_is_at_a_right_angle():
    targets = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    outputs = torch.tensor([[-3e-3, -4e-3], [1.0, 1.0]])
    # Opposite, whatever the length: 1; and 0.
    result = scores("regression", outputs, targets, output="none", reads_as="mean")
    assert result["cosine_similarity"] == pytest.approx(0.5, rel=1e-6)
    nothing = scores("regression", torch.zeros(2, 2), targets, output="none", reads_as="mean")
    assert nothing["cosine_similarity"] == 0


def test_cross_entropy_of_shares():
    logits, targets = drawn(SAMPLES, 2), targets_of("regression", 2)
    result = scores("regression", logits, targets, output="sigmoid", reads_as="mean")
    probabilities = logits.double().sigmoid()
    assert result["binary_cross_entropy"] == pytest.approx(
        F.binary_cross_entropy(probabilities, targets.double()).item(), **CLOSE
    )
    assert result["mse"] == pytest.approx(F.mse_loss(probabilities, targets.double()).item(), **CLOSE)
    # 200 against a share of 1/4: 3/4 of 200, and a quarter of e^-200.
    far = scores("regression", torch.tensor([[200.0]]), torch.tensor([[0.25]]), output="sigmoid", reads_as="mean")
    assert far["binary_cross_entropy"] == pytest.approx(150 + exp(-200) / 4, rel=1e-15)


def test_a_scaling_that_changes_nothing_is_none():
    outputs, targets = drawn(SAMPLES, 2), targets_of("regression", 2)
    moments = {"target_mean": torch.zeros(2), "target_std": torch.ones(2)}
    plain = measured("regression", outputs, targets, output="sigmoid", reads_as="mean")
    assert measured("regression", outputs, targets, output="sigmoid", reads_as="mean", **moments) == plain


def test_r2_of_constant_targets_is_not_a_number():
    result = scores("regression", drawn(4, 1), torch.full((4, 1), 3.0), output="none", reads_as="mean")
    assert isnan(result["r2"])
    assert not isnan(result["rmse"])
    # The mean of a hundred times 0.1 is not 0.1.
    for targets in (torch.full((100, 1), 0.1), torch.full((100, 1), 0.1, dtype=torch.float64)):
        assert isnan(scores("regression", drawn(100, 1), targets, output="none", reads_as="mean")["r2"])


def test_r2_far_from_zero():
    targets = 1e6 + drawn(SAMPLES, 1, seed=3).double()
    outputs = targets + drawn(SAMPLES, 1).double()
    result = scores("regression", outputs, targets, output="none", reads_as="mean")
    assert result["r2"] == pytest.approx(sk.r2_score(targets.numpy(), outputs.numpy()), **CLOSE)
