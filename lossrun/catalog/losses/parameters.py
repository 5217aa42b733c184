"""Parameters that several losses share."""

from typing import Final, Literal

from lossrun.catalog.losses.reductions import Reduction
from lossrun.catalog.parameter import Parameter

REDUCTION: Final = Parameter(
    "reduction",
    Reduction,
    "mean",
    "how per-sample losses become one number: mean over samples and outputs, their sum, half of it, "
    "or the mean over samples of the sum over outputs, or half of that",
    spellings={"sum_over_batch_size": "mean", "batchmean": "mean"},
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
    list[float] | dict[str, float] | Literal["balanced"] | None,
    None,
    "weight of each class: a list in their order, or {label: weight}, 1 for all others; balanced: samples / (classes * "
    "samples of the class)",
    at_least=0,
    form="a list of numbers of at least 0, a mapping of labels to such numbers, or balanced",
)
WEIGHTING: Final = Parameter(
    "weight_convention",
    Literal["pytorch", "keras"],
    "pytorch",
    "what a weighted mean divides by: the sum of the weights (pytorch) or the number of samples (keras)",
)
POSITIVE_WEIGHT: Final = Parameter(
    "pos_weight",
    float | list[float] | None,
    None,
    "what the loss of a yes is multiplied by, one for all outputs or one for each; the mean still divides by samples",
    above=0,
)
GAMMA: Final = Parameter("gamma", float, 2.0, "how much less easy samples count; 0: all alike", at_least=0)
# What a framework's function takes its outputs for when it is called without options.
OF_PROBABILITIES: Final = {"inputs": "probabilities"}
# Of the model's outputs; logits are preferred.
ANY_FORM: Final = ("logits", "probabilities", "log_probabilities")
WEIGHTED: Final = (CLASS_WEIGHTS, WEIGHTING, REDUCTION)
