"""Losses for exclusive classes: each sample belongs to one of several."""

from typing import Final

from lossrun.catalog.alias import also, in_keras
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.parameters import (
    ANY_FORM,
    CLASS_WEIGHTS,
    GAMMA,
    INPUTS,
    OF_PROBABILITIES,
    REDUCTION,
    SMOOTHING,
    WEIGHTED,
    WEIGHTING,
)
from lossrun.catalog.parameter import Parameter

CLASS_LOSSES: Final[tuple[Loss, ...]] = (
    Loss(
        name="cross_entropy",
        meaning="negative log-likelihood of the correct class; takes class indices and one-hot targets",
        formula="-sum over K of t ln p, p = softmax(y) of logits y",
        when="The default for multiclass classification. Give it logits, not the output of a softmax. Sparse and "
        "categorical are two ways to write the targets, not two losses.",
        source="Good 1952, Rational Decisions; with softmax Bridle 1990; label smoothing Szegedy and others 2016",
        parameters=(
            INPUTS,
            SMOOTHING,
            CLASS_WEIGHTS,
            Parameter(
                "ignore_index",
                int | float | str | None,
                None,
                "label whose samples are ignored, written as in the data; the mean is over the others",
                aliases=("ignore_class",),
                form="a label",
            ),
            WEIGHTING,
            REDUCTION,
        ),
        aliases=(
            *in_keras(
                "categorical_crossentropy",
                "sparse_categorical_crossentropy",
                "categorical_cross_entropy",
                "sparse_categorical_cross_entropy",
                called=OF_PROBABILITIES,
                weight_convention="keras",
            ),
            *also("keras.cross_entropy", called=OF_PROBABILITIES, weight_convention="keras"),
            *also(
                "CrossEntropyLoss",
                "torch.cross_entropy",
                "softmax_cross_entropy",
                "sparse_softmax_cross_entropy",
                "softmax_cross_entropy_with_logits",
                "softmax_cross_entropy_with_logits_v2",
                "sparse_softmax_cross_entropy_with_logits",
                inputs="logits",
            ),
            *also("NLLLoss", "nll", "nll_loss", "negative_log_likelihood", inputs="log_probabilities"),
        ),
        tasks=("multiclass",),
        accepts=ANY_FORM,
        averages_outputs=False,
        prediction="probabilities",
        units="nats",
        usual_for=("multiclass",),
        proper=True,
        smooths_weighted=True,
    ),
    Loss(
        name="focal",
        meaning="cross-entropy that gives less weight to samples that are already right",
        formula="-sum over K of alpha t (1 - p)^gamma ln p",
        when="Rare classes among many easy samples, together with class_weights. With gamma 0 it is cross_entropy. "
        "Its probabilities are under-confident.",
        source="Lin, Goyal, Girshick, He and Dollar 2017, Focal Loss for Dense Object Detection",
        parameters=(
            INPUTS,
            GAMMA,
            Parameter(
                "alpha", float, 1.0, "factor of the whole loss; for a factor per class use class_weights", above=0
            ),
            SMOOTHING,
            *WEIGHTED,
        ),
        aliases=(
            *also("focal_loss", "FocalLoss"),
            *in_keras("categorical_focal_crossentropy", called=OF_PROBABILITIES, alpha=0.25, weight_convention="keras"),
        ),
        tasks=("multiclass",),
        accepts=ANY_FORM,
        averages_outputs=False,
        prediction="probabilities",
        units="nats",
    ),
    Loss(
        name="multi_margin",
        meaning="how far the correct class falls short of beating every other class by a margin",
        formula="sum over the wrong classes k of max(0, margin - y_right + y_k)^p, divided by K",
        when="Like hinge, for several classes. It gives no probabilities.",
        source="Weston and Watkins 1999, Support Vector Machines for Multi-Class Pattern Recognition",
        parameters=(
            Parameter("p", int, 1, "power of each shortfall: 1 or 2", at_least=1, at_most=2),
            Parameter("margin", float, 1.0, "margin that is enough", unit="output units", above=0),
            *WEIGHTED,
        ),
        # torch divides by the number of samples here, other than in its cross-entropy.
        aliases=also("MultiMarginLoss", "multi_margin_loss", weight_convention="keras"),
        tasks=("multiclass",),
        accepts=("logits",),
        averages_outputs=False,
        prediction=None,
    ),
    Loss(
        name="categorical_hinge",
        meaning="how far the correct class falls short of beating the strongest other class by 1",
        formula="max(0, 1 - y_right + max over the wrong classes of y)",
        when="Like multi_margin, but it compares with the strongest other class only. As in Keras, an output of that "
        "class below 0 counts as 0.",
        source="Crammer and Singer 2001, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
        parameters=WEIGHTED,
        aliases=in_keras("CategoricalHinge", weight_convention="keras"),
        tasks=("multiclass",),
        accepts=("logits",),
        averages_outputs=False,
        prediction=None,
    ),
    Loss(
        name="kl_divergence",
        meaning="Kullback-Leibler divergence of the outputs' distribution from the targets'",
        formula="sum over K of t (ln t - ln p)",
        when="Targets that are probability distributions. On hard labels it equals cross_entropy, so the metrics "
        "list it only once.",
        source="Kullback and Leibler 1951, On Information and Sufficiency",
        parameters=(INPUTS, *WEIGHTED),
        aliases=(
            *also("kl", "KLLoss"),
            *in_keras(
                "KLDivergence",
                "kullback_leibler_divergence",
                "kld",
                called=OF_PROBABILITIES,
                weight_convention="keras",
            ),
            *also(
                "KLDivLoss",
                "kl_div",
                inputs="log_probabilities",
                remark="PyTorch's default reduction also divides by the classes; this is its batchmean",
            ),
        ),
        tasks=("multiclass",),
        accepts=ANY_FORM,
        averages_outputs=False,
        prediction="probabilities",
        metric=False,  # On hard labels it is cross_entropy.
        units="nats",
        proper=True,
    ),
    Loss(
        name="generalized_cross_entropy",
        meaning="between cross-entropy (q near 0) and mae (q 1): robust to wrong labels",
        formula="(1 - p_right^q) / q",
        when="When some labels are wrong: a wrong label has limited influence. It learns more slowly than "
        "cross_entropy. Start with q 0.7 and lower it if the loss does not fall.",
        source="Zhang and Sabuncu 2018, Generalized Cross Entropy Loss for Training Deep Neural Networks",
        parameters=(
            INPUTS,
            Parameter("q", float, 0.7, "0: cross-entropy, 1: mean absolute error", above=0, at_most=1),
            *WEIGHTED,
        ),
        aliases=(
            *also("gce", "GCELoss", "GeneralizedCrossEntropy"),
            *in_keras(
                "categorical_generalized_cross_entropy", called=OF_PROBABILITIES, q=0.5, weight_convention="keras"
            ),
        ),
        tasks=("multiclass",),
        accepts=ANY_FORM,
        averages_outputs=False,
        prediction="probabilities",
        resists=("labels",),
        values="0 to 1 / q",
    ),
    Loss(
        name="symmetric_cross_entropy",
        meaning="cross-entropy plus its reverse: robust to wrong labels",
        formula="alpha (-sum of t ln p) + beta (-sum of p ln t), ln t at least log_zero",
        when="When some labels are wrong: the first term learns, and the second limits the influence of single "
        "samples.",
        source="Wang, Ma, Chen, Luo, Yi and Bailey 2019, Symmetric Cross Entropy for Robust Learning with Noisy Labels",
        parameters=(
            INPUTS,
            Parameter("alpha", float, 0.1, "weight of the cross-entropy", at_least=0),
            Parameter("beta", float, 1.0, "weight of its reverse", at_least=0),
            Parameter("log_zero", float, -4.0, "used as the logarithm of 0", below=0),
            *WEIGHTED,
        ),
        aliases=also("sce", "SymmetricCrossEntropy", "SCELoss"),
        tasks=("multiclass",),
        accepts=ANY_FORM,
        averages_outputs=False,
        prediction="probabilities",
        resists=("labels",),
        units="nats",
    ),
)
