"""Losses for binary labels, one or several per sample. `binary_cross_entropy` also takes exclusive classes."""

from typing import Final

from lossrun.catalog.alias import also, in_keras
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.parameters import (
    ANY_FORM,
    CLASS_WEIGHTS,
    GAMMA,
    INPUTS,
    OF_PROBABILITIES,
    POSITIVE_WEIGHT,
    REDUCTION,
    SMOOTHING,
    WEIGHTED,
    WEIGHTING,
)
from lossrun.catalog.parameter import Parameter

# Keras' hinges take labels of 0 and 1, or of -1 and 1.
EITHER_LABELS: Final = {"labels": "either"}
WHOLE_BATCH: Final = "Keras adds up over the whole batch, unless axis=-1 is given, which is the same as here"

BINARY_LOSSES: Final[tuple[Loss, ...]] = (
    Loss(
        name="binary_cross_entropy",
        meaning="negative log-likelihood of yes-or-no targets, one per output",
        formula="mean over K of -(t ln p + (1 - t) ln(1 - p)), p = sigmoid(y) of logits y",
        when="The default for binary classification, and for several labels at once. Give it logits: a sigmoid output "
        "has already lost precision for large logits. It also fits regression of shares in [0, 1].",
        source="Good 1952, Rational Decisions; as a loss of networks Solla, Levin and Fleisher 1988",
        parameters=(INPUTS, SMOOTHING, CLASS_WEIGHTS, POSITIVE_WEIGHT, WEIGHTING, REDUCTION),
        aliases=(
            *in_keras(
                "BinaryCrossentropy", "binary_crossentropy", "bce", called=OF_PROBABILITIES, weight_convention="keras"
            ),
            *also("keras.binary_cross_entropy", called=OF_PROBABILITIES, weight_convention="keras"),
            *also("log_loss", called=OF_PROBABILITIES),
            *also("tf.log_loss", inputs="probabilities"),
            *also("BCELoss", "torch.binary_cross_entropy", inputs="probabilities"),
            *also(
                "BCEWithLogitsLoss",
                "bce_with_logits",
                "binary_cross_entropy_with_logits",
                "sigmoid_cross_entropy",
                "sigmoid_cross_entropy_with_logits",
                "weighted_cross_entropy_with_logits",
                inputs="logits",
            ),
            *also("SoftMarginLoss", "soft_margin_loss", called={"labels": "signs"}, inputs="logits"),
        ),
        tasks=("binary", "multilabel", "multiclass", "regression"),
        accepts=ANY_FORM,
        prediction="probabilities",
        sigmoid=True,
        targets_at_least=0,
        targets_at_most=1,
        units="nats",
        usual_for=("binary", "multilabel"),
        proper=True,
    ),
    Loss(
        name="binary_focal",
        meaning="binary cross-entropy that gives less weight to samples that are already right",
        formula="mean over K of (1 - q)^gamma (-(t ln p + (1 - t) ln(1 - p))), q = t p + (1 - t) (1 - p); times alpha "
        "(yes) or 1 - alpha (no)",
        when="Many easy samples and few hard ones, such as rare positives. Its probabilities are under-confident, "
        "because the loss hardly rewards more certainty once a sample is right.",
        source="Lin, Goyal, Girshick, He and Dollar 2017, Focal Loss for Dense Object Detection",
        parameters=(
            INPUTS,
            GAMMA,
            Parameter(
                "alpha",
                float | None,
                None,
                "weight of positive labels; negative ones get 1 - alpha. None: both 1",
                above=0,
                below=1,
            ),
            Parameter("apply_class_balancing", bool, True, "whether to use alpha; Keras does not by default"),
            SMOOTHING,
            CLASS_WEIGHTS,
            WEIGHTING,
            REDUCTION,
        ),
        aliases=(
            *in_keras(
                "binary_focal_crossentropy",
                called=OF_PROBABILITIES,
                alpha=0.25,
                apply_class_balancing=False,
                weight_convention="keras",
            ),
            *also("binary_focal_loss", "BinaryFocalLoss"),
            *also("sigmoid_focal_loss", inputs="logits", alpha=0.25),
        ),
        tasks=("binary", "multilabel"),
        accepts=ANY_FORM,
        prediction="probabilities",
        sigmoid=True,
        units="nats",
    ),
    Loss(
        name="hinge",
        meaning="how far the output falls short of a margin of 1 on the correct side",
        formula="mean over K of max(0, 1 - s y), s = 1 for yes, -1 for no",
        when="When only the decision matters. Samples beyond the margin have no gradient, so a few samples shape the "
        "boundary: a linear model with weight decay is a support vector machine. It gives no probabilities.",
        source="Cortes and Vapnik 1995, Support-Vector Networks",
        parameters=WEIGHTED,
        aliases=(
            *also("hinge_loss", called=EITHER_LABELS),
            *in_keras("Hinge", called=EITHER_LABELS, weight_convention="keras"),
        ),
        tasks=("binary",),
        accepts=("logits",),
        prediction=None,
    ),
    Loss(
        name="squared_hinge",
        meaning="the square of hinge: smooth at the margin, stricter with samples far on the wrong side",
        formula="mean over K of max(0, 1 - s y)^2, s = 1 for yes, -1 for no",
        when="Like hinge, when a smooth gradient helps and the labels are clean.",
        source="Lee and Mangasarian 2001, SSVM: A Smooth Support Vector Machine",
        parameters=WEIGHTED,
        aliases=(
            *also("squared_hinge_loss", called=EITHER_LABELS),
            *in_keras("SquaredHinge", called=EITHER_LABELS, weight_convention="keras"),
        ),
        tasks=("binary",),
        accepts=("logits",),
        prediction=None,
    ),
    Loss(
        name="multilabel_soft_margin",
        meaning="PyTorch's name for binary cross-entropy of several labels from logits",
        formula="mean over K of -(t ln p + (1 - t) ln(1 - p)), p = sigmoid(y)",
        when="Use binary_cross_entropy instead; this is the same loss under PyTorch's name.",
        source="PyTorch, MultiLabelSoftMarginLoss",
        parameters=WEIGHTED,
        # Unlike in its cross-entropy, torch divides by the number of samples here.
        aliases=also("MultiLabelSoftMarginLoss", weight_convention="keras"),
        tasks=("multilabel",),
        accepts=("logits",),
        prediction="probabilities",
        sigmoid=True,
        metric=False,  # It is binary_cross_entropy.
        units="nats",
        proper=True,
    ),
    Loss(
        name="dice",
        meaning="1 - the overlap of probabilities and labels, 2 |A and B| / (|A| + |B|), of each sample",
        formula="1 - (2 sum of t p + eps) / (sum of t + sum of p + eps), sums over K",
        when="When few of many labels are true and the false ones should not count. Its gradient is small where all "
        "probabilities are small: combine it with binary_cross_entropy, or start with that. Keras computes it over "
        "the whole batch unless axis=-1 is given; lossrun computes it for each sample.",
        source="Milletari, Navab and Ahmadi 2016, V-Net (there with squares in the denominator)",
        parameters=(
            INPUTS,
            Parameter("eps", float, 1e-7, "avoids 0 / 0: no label and no prediction give a loss of 0", above=0),
            REDUCTION,
        ),
        aliases=(
            *also("dice_loss", "DiceLoss", "soft_dice"),
            *in_keras("Dice", called=OF_PROBABILITIES, remark=WHOLE_BATCH),
        ),
        tasks=("multilabel",),
        accepts=("logits", "probabilities", "log_probabilities"),
        averages_outputs=False,
        prediction="probabilities",
        values="0 to 1",
        sigmoid=True,
    ),
    Loss(
        name="tversky",
        meaning="dice with separate weights for missed labels and false alarms",
        formula="1 - (TP + eps) / (TP + alpha M + beta F + eps), TP = sum of t p, M = sum of t (1 - p), "
        "F = sum of (1 - t) p",
        when="Like dice, when a missed label is worse than a false alarm (alpha above beta), or the other way round. "
        "With both at 0.5 it is dice.",
        source="Salehi, Erdogmus and Gholipour 2017, Tversky loss function for image segmentation (where alpha and "
        "beta stand the other way round; here they are as Keras computes, whose documentation says the reverse)",
        parameters=(
            INPUTS,
            Parameter("alpha", float, 0.5, "weight of missed labels", at_least=0),
            Parameter("beta", float, 0.5, "weight of false alarms", at_least=0),
            Parameter("eps", float, 1e-7, "avoids 0 / 0: no label and no prediction give a loss of 0", above=0),
            REDUCTION,
        ),
        aliases=(
            *also("tversky_loss", "TverskyLoss"),
            *in_keras("Tversky", called=OF_PROBABILITIES, remark=WHOLE_BATCH),
        ),
        tasks=("multilabel",),
        accepts=("logits", "probabilities", "log_probabilities"),
        averages_outputs=False,
        prediction="probabilities",
        values="0 to 1",
        sigmoid=True,
        metric=False,  # At its plain parameters it is dice.
    ),
)
