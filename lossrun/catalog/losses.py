"""The losses a config may name. Formulas, sources and code: `components/losses.py`."""

from typing import Final, Literal

from lossrun.catalog.declaration import Loss, Parameter, also

REDUCTIONS: Final = ("mean", "sum", "half_sum", "sample_mean", "half_sample_mean")

REDUCTION: Final = Parameter(
    "reduction",
    Literal["mean", "sum", "half_sum", "sample_mean", "half_sample_mean"],
    "mean",
    "how per-sample losses become one number: mean over samples and outputs, their sum, half of it, "
    "or the mean over samples of the sum over outputs, or half of that",
)
INPUTS: Final = Parameter(
    "inputs",
    Literal["auto", "logits", "probabilities", "log_probabilities"],
    "auto",
    "what the model's outputs are; auto: derived from model.output; from_logits is its familiar spelling",
)
SMOOTHING: Final = Parameter(
    "label_smoothing", float, 0.0, "share of the target spread evenly over the classes", at_least=0, below=1
)
CLASS_WEIGHTS: Final = Parameter(
    "class_weights",
    list[float] | Literal["balanced"] | None,
    None,
    "weight of each class; balanced: samples / (classes * samples of the class)",
    at_least=0,
)
WEIGHTING: Final = Parameter(
    "weight_convention",
    Literal["pytorch", "keras"],
    "pytorch",
    "what a weighted mean divides by: the sum of the weights (pytorch) or the number of samples (keras)",
)

LOSSES: Final[tuple[Loss, ...]] = (
    Loss(
        name="mse",
        meaning="mean squared error: large errors dominate; on class targets the Brier score",
        parameters=(REDUCTION,),
        aliases=also("mean_squared_error", "MSELoss", "l2", "l2_loss", "squared_error", "quadratic"),
        accepts=("outputs", "probabilities", "logits"),
        prediction="mean",
        units="targets squared",
    ),
    Loss(
        name="mae",
        meaning="mean absolute error: the median, robust against outliers",
        parameters=(REDUCTION,),
        aliases=also("mean_absolute_error", "L1Loss", "l1", "absolute_error", "absolute_difference"),
        accepts=("outputs", "probabilities", "logits"),
        prediction="mean",
        units="targets",
    ),
    Loss(
        name="huber",
        meaning="quadratic within delta of the target, linear beyond: smooth and robust",
        parameters=(
            Parameter("delta", float, 1.0, "error at which it turns linear", unit="target units", above=0),
            REDUCTION,
        ),
        aliases=also("HuberLoss", "huber_loss"),
        accepts=("outputs", "probabilities", "logits"),
        tasks=("regression",),
        prediction="mean",
        units="targets squared",
    ),
    Loss(
        name="binary_cross_entropy",
        meaning="negative log-likelihood of yes-or-no targets, one per output",
        parameters=(INPUTS, SMOOTHING, CLASS_WEIGHTS, WEIGHTING, REDUCTION),
        aliases=(
            *also("binary_crossentropy", "bce", "log_loss", "sigmoid_cross_entropy"),
            *also("BCELoss", inputs="probabilities"),
            *also(
                "BCEWithLogitsLoss",
                "bce_with_logits",
                "binary_cross_entropy_with_logits",
                "sigmoid_cross_entropy_with_logits",
                inputs="logits",
            ),
            *also("torch.binary_cross_entropy", inputs="probabilities"),
            *also("keras.binary_crossentropy", "keras.BinaryCrossentropy", weight_convention="keras"),
        ),
        tasks=("binary", "multilabel", "multiclass", "regression"),
        accepts=("logits", "probabilities", "log_probabilities"),
        prediction="probabilities",
        units="nats",
    ),
    Loss(
        name="cross_entropy",
        meaning="negative log-likelihood of the right class; class indices and one-hot targets alike",
        parameters=(INPUTS, SMOOTHING, CLASS_WEIGHTS, WEIGHTING, REDUCTION),
        aliases=(
            *also(
                "categorical_crossentropy",
                "sparse_categorical_crossentropy",
                "categorical_cross_entropy",
                "sparse_categorical_cross_entropy",
                "softmax_cross_entropy",
                "sparse_softmax_cross_entropy",
            ),
            *also(
                "CrossEntropyLoss",
                "torch.cross_entropy",
                "softmax_cross_entropy_with_logits",
                "sparse_softmax_cross_entropy_with_logits",
                inputs="logits",
            ),
            *also("NLLLoss", "nll", inputs="log_probabilities"),
            *also("keras.CategoricalCrossentropy", "keras.SparseCategoricalCrossentropy", weight_convention="keras"),
        ),
        tasks=("multiclass",),
        accepts=("logits", "probabilities", "log_probabilities"),
        prediction="probabilities",
        units="nats",
    ),
)
