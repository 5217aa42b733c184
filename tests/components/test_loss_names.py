"""Every name of a loss that people know from PyTorch and old TensorFlow, and those that tutorials get wrong. Keras'
names: `test_keras_losses.py`."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from lossrun.catalog import find, nearest_name, why_not
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.unsupported import NO_LOSSES

LOGITS = {"inputs": "logits"}
BY_SAMPLES = {"weight_convention": "keras"}

# Class, and the same as a function -> ours, with what the name implies.
TORCH = {
    "MSELoss": ("mse_loss", "mse", {}),
    "L1Loss": ("l1_loss", "mae", {}),
    "HuberLoss": ("huber_loss", "huber", {}),
    "SmoothL1Loss": ("smooth_l1_loss", "smooth_l1", {}),
    "PoissonNLLLoss": ("poisson_nll_loss", "poisson_nll", {}),
    "GaussianNLLLoss": ("gaussian_nll_loss", "gaussian_nll", {}),
    "BCELoss": ("binary_cross_entropy", "binary_cross_entropy", {"inputs": "probabilities"}),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", "binary_cross_entropy", LOGITS),
    "SoftMarginLoss": ("soft_margin_loss", "binary_cross_entropy", LOGITS),
    "CrossEntropyLoss": ("cross_entropy", "cross_entropy", LOGITS),
    "NLLLoss": ("nll_loss", "cross_entropy", {"inputs": "log_probabilities"}),
    "KLDivLoss": ("kl_div", "kl_divergence", {"inputs": "log_probabilities"}),
    "MultiMarginLoss": ("multi_margin_loss", "multi_margin", BY_SAMPLES),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin_loss", "multilabel_soft_margin", BY_SAMPLES),
    "MultiLabelMarginLoss": ("multilabel_margin_loss", None, {}),
    "HingeEmbeddingLoss": ("hinge_embedding_loss", None, {}),
    "CosineEmbeddingLoss": ("cosine_embedding_loss", None, {}),
    "MarginRankingLoss": ("margin_ranking_loss", None, {}),
    "TripletMarginLoss": ("triplet_margin_loss", None, {}),
    "TripletMarginWithDistanceLoss": ("triplet_margin_with_distance_loss", None, {}),
    "CTCLoss": ("ctc_loss", None, {}),
    "AdaptiveLogSoftmaxWithLoss": ("", None, {}),
    "LinearCrossEntropyLoss": ("linear_cross_entropy", None, {}),
}
TENSORFLOW = {
    "losses.absolute_difference": ("mae", {}),
    "losses.mean_squared_error": ("mse", {}),
    "losses.huber_loss": ("huber", {}),
    "losses.hinge_loss": ("hinge", {}),
    "losses.log_loss": ("binary_cross_entropy", {"inputs": "probabilities"}),
    "losses.cosine_distance": ("cosine_similarity", {}),
    "losses.sigmoid_cross_entropy": ("binary_cross_entropy", LOGITS),
    "losses.softmax_cross_entropy": ("cross_entropy", LOGITS),
    "losses.sparse_softmax_cross_entropy": ("cross_entropy", LOGITS),
    "losses.mean_pairwise_squared_error": (None, {}),
    "nn.l2_loss": ("mse", {"reduction": "half_sum"}),
    "nn.log_poisson_loss": ("poisson_nll", {}),
    "nn.sigmoid_cross_entropy_with_logits": ("binary_cross_entropy", LOGITS),
    "nn.weighted_cross_entropy_with_logits": ("binary_cross_entropy", LOGITS),
    "nn.softmax_cross_entropy_with_logits": ("cross_entropy", LOGITS),
    "nn.softmax_cross_entropy_with_logits_v2": ("cross_entropy", LOGITS),
    "nn.sparse_softmax_cross_entropy_with_logits": ("cross_entropy", LOGITS),
    "nn.ctc_loss": (None, {}),
    "nn.nce_loss": (None, {}),
    "nn.sampled_softmax_loss": (None, {}),
}


def answered(spelling, ours, implies):
    found = find("loss", spelling)
    if ours is None:
        assert found is None
        assert why_not("loss", spelling)
        return
    assert found is not None
    assert found.component.name == ours
    assert found.implies == implies


def test_every_loss_of_torch_is_in_the_table():
    assert {name for name in dir(torch.nn) if name.endswith("Loss")} == TORCH.keys()
    functions = {name for name, _, _ in TORCH.values() if name}
    assert {name for name in functions if not hasattr(F, name)} <= {"linear_cross_entropy"}


@pytest.mark.parametrize("name", TORCH)
def test_every_loss_of_torch_is_answered(name):
    function, ours, implies = TORCH[name]
    for spelling in (name, f"nn.{name}", f"torch.nn.{name}"):
        answered(spelling, ours, implies)
    if function and (ours is None or ours == function):
        answered(f"torch.nn.functional.{function}", ours, implies)
    elif function:
        for spelling in (function, f"F.{function}", f"torch.nn.functional.{function}"):
            answered(spelling, ours, implies)


@pytest.mark.parametrize("name", TENSORFLOW)
def test_every_loss_of_old_tensorflow_is_answered(name):
    ours, implies = TENSORFLOW[name]
    for spelling in (f"tf.{name}", f"tensorflow.{name}", f"tf.compat.v1.{name}"):
        answered(spelling, ours, implies)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("CrossEntropyError", "cross_entropy"),
        ("MeanSquareError", "mse"),
        ("MeanSquaredErrorLoss", "mse"),
        ("MeanAbsoluteErrorLoss", "mae"),
        ("BinaryCrossEntropyLoss", "binary_cross_entropy"),
        ("BinaryCrossEntropyWithLogits", "binary_cross_entropy"),
        ("CategoricalCrossEntropyLoss", "cross_entropy"),
        ("SparseCategoricalCrossEntropy", "cross_entropy"),
        ("SparseCategoricalCrossEntropyLoss", "cross_entropy"),
        ("BCELogitsLoss", "binary_cross_entropy"),
        ("BCEWithLogitLoss", "binary_cross_entropy"),
        ("SoftmaxCrossEntropyLoss", "cross_entropy"),
        ("NegativeLogLikelihoodLoss", "cross_entropy"),
        ("KLDivergenceLoss", "kl_divergence"),
        ("KLLoss", "kl_divergence"),
        ("L1", "mae"),
        ("L2", "mse"),
        ("SmoothL1", "smooth_l1"),
        ("Huberloss", "huber"),
        ("LogCoshError", "log_cosh"),
        ("QuantileError", "quantile"),
        ("PoissonLoss", "poisson_nll"),
        ("GaussianNLL", "gaussian_nll"),
        ("MeanSquaredLogError", "msle"),
        ("MeanAbsolutePercentError", "mape"),
        ("CosineSimilarityLoss", "cosine_similarity"),
        ("HingeLoss", "hinge"),
        ("SquaredHingeLoss", "squared_hinge"),
        ("CategoricalHingeLoss", "categorical_hinge"),
        ("FocalLoss", "focal"),
        ("BinaryFocalCrossEntropyLoss", "binary_focal"),
        ("SigmoidFocalLoss", "binary_focal"),
        ("GCELoss", "generalized_cross_entropy"),
        ("DiceLoss", "dice"),
        ("TverskyLoss", "tversky"),
    ],
)
def test_names_that_tutorials_get_wrong_lead_to_the_right_one(wrong, right):
    found = find("loss", wrong)
    assert (found.component.name if found else nearest_name("loss", wrong)) == right


def test_no_name_is_both_a_loss_and_none():
    for name in NO_LOSSES:
        assert find("loss", name) is None, name
        assert why_not("loss", f"torch.nn.{name.upper()}") == NO_LOSSES[name]
    for declared in LOSSES:
        for spelling in (declared.name, *(alias.spelling for alias in declared.aliases)):
            assert why_not("loss", spelling) is None, spelling
    assert why_not("loss", "qqq") is None


def test_no_spelling_belongs_to_two_losses():
    seen: dict[str, str] = {}
    for declared in LOSSES:
        for spelling in {s.replace("_", "").lower() for s in (declared.name, *(a.spelling for a in declared.aliases))}:
            assert seen.setdefault(spelling, declared.name) == declared.name, spelling
