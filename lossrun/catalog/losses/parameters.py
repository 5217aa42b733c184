"""Parameters that several losses share."""

from typing import Final, Literal

from lossrun.catalog.losses.reductions import Reduction
from lossrun.catalog.parameter import Parameter

REDUCTION: Final = Parameter(
    "reduction",
    Reduction,
    "mean",
    "how the losses of a batch become one number; mean: over samples and outputs; sum: over both; sample_mean: "
    "summed over outputs, averaged over samples; half_sum, half_sample_mean: half of these",
    spellings={"sum_over_batch_size": "mean", "batchmean": "mean"},
)
INPUTS: Final = Parameter(
    "inputs",
    Literal["auto", "logits", "probabilities", "log_probabilities"],
    "auto",
    "the form of the model's outputs; auto: derived from model.output. from_logits is another way to set it",
)
SMOOTHING: Final = Parameter(
    "label_smoothing", float, 0.0, "share of each target that is spread evenly over the classes", at_least=0, below=1
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
    "factor of the loss of positive labels: one number, or one for each output; the mean still divides by samples",
    above=0,
)
GAMMA: Final = Parameter("gamma", float, 2.0, "how strongly to discount easy samples; 0: not at all", at_least=0)
# The form of outputs that a framework's function assumes if it is called without options.
OF_PROBABILITIES: Final = {"inputs": "probabilities"}
# Forms of the model's outputs, the preferred one first.
ANY_FORM: Final = ("logits", "probabilities", "log_probabilities")
WEIGHTED: Final = (CLASS_WEIGHTS, WEIGHTING, REDUCTION)
