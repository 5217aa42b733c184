"""What can be wrong with a run while it trains: three forms of divergence, known mistakes, and plateaus.

`health/examine.py` finds them; `health/floors.py` computes the value of each floor, from the run's own loss.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Something that can be wrong with a run.

    Attributes:
        meaning: What has happened.
        why: What causes it.
        remedy: What to do, in the imperative.
        formula: The value of the loss that reveals it; "" for none.
        diverged: Whether the run ends with it.
        harmless: Whether nothing is wrong after all.
    """

    name: str
    meaning: str
    why: str
    remedy: str
    formula: str = ""
    diverged: bool = False
    harmless: bool = False


_SMALLER: Final = "go on from the last good checkpoint with a smaller learning rate"

DIAGNOSES: Final[dict[str, Diagnosis]] = {
    diagnosis.name: diagnosis
    for diagnosis in (
        Diagnosis(
            "non_finite",
            "the loss is no longer a finite number",
            "an update was so large that the outputs overflowed, or a logarithm or a division met 0",
            f"{_SMALLER}; if this happens even at a tiny rate, check the inputs' scale and the targets' range",
            diverged=True,
        ),
        Diagnosis(
            "exploded",
            "the loss is a large multiple of its first value and stays there",
            "each update overshoots the minimum by more than the one before",
            _SMALLER,
            formula="more than 3 times above the loss of a constant output, above the first value, and rising",
            diverged=True,
        ),
        Diagnosis(
            "dead",
            "the network outputs the same value for every sample and cannot recover",
            "a large update moved all units of a layer to where they have no slope (relu below 0, tanh or sigmoid far "
            "from 0), or all weights of a layer began with the same value; no gradient reaches the layers below",
            f"{_SMALLER}; if it happens in the first steps, a warm-up or another init helps",
            formula="the loss of a constant output, or more",
            diverged=True,
        ),
        Diagnosis(
            "chance",
            "the outputs carry no information about the inputs",
            "the loss is no better than always predicting the class frequencies: the learning rate is far too small or "
            "far too large, or the inputs do not predict the targets",
            "try a learning rate ten times larger, then ten times smaller; check the scale of the inputs, and init",
            formula="ln K for K equally frequent classes: 0.6931 for two, 2.3026 for ten; otherwise the entropy of the "
            "class frequencies",
        ),
        Diagnosis(
            "constant",
            "the model is no better than the same value for every sample",
            "the loss is that of the best constant output: the learning rate is far too small or far too large, or the "
            "inputs do not predict the targets",
            "try a learning rate ten times larger, then ten times smaller; standardize inputs of large numbers",
            formula="the variance of the targets for mse, their mean absolute deviation from the median for mae",
        ),
        Diagnosis(
            "stuck",
            "the model is worse than the same value for every sample, and hardly changes",
            "the learning rate is far too small for the distance to go, or so large that every step undoes the one "
            "before; targets of large numbers are far away",
            "try a learning rate ten times larger, then ten times smaller; standardize inputs and, in a regression, "
            "targets of large numbers: dataset.standardize: {inputs: true, targets: true}",
            formula="above the loss of a constant output, and the same for three epochs, to 0.2 per cent",
        ),
        Diagnosis(
            "double_softmax",
            "the outputs went through a softmax, and the loss applies another one",
            "probabilities lie in [0, 1], and a softmax of such small numbers is nearly flat: even perfect outputs "
            "cost much, and the gradient is weak",
            "set model.output: logits, or loss.from_logits: false",
            formula="ln(1 + (K - 1) / e): 1.4612 for ten classes",
        ),
        Diagnosis(
            "double_sigmoid",
            "the outputs went through a sigmoid (or softmax), and the loss applies a sigmoid again",
            "the second sigmoid turns 0 into 0.5 and 1 into 0.73, so the model cannot express a confident no",
            "set model.output: logits, or loss.from_logits: false",
            formula="0.3133 for each yes, 0.6931 for each no: 0.5032 if both have the same frequency",
        ),
        Diagnosis(
            "smoothing",
            "the loss is as low as label smoothing allows",
            "smoothed labels ask for probabilities below 1, and their entropy remains",
            "compare on val_cross_entropy (or the metric of your task), which is not smoothed",
            formula="the entropy of the smoothed label: 0.5003 for 0.1 and ten classes",
            harmless=True,
        ),
        Diagnosis(
            "squashed",
            "the last layer cannot reach the targets",
            "a sigmoid or softmax gives values in [0, 1], and some targets lie outside",
            "set model.output: none, or scale the targets to [0, 1]",
            formula="the loss of perfect outputs that are cut off at 0 and 1",
        ),
        Diagnosis(
            "single_softmax",
            "the only output is always 1",
            "a softmax over one output divides it by itself, so nothing can be learned",
            "set model.output: sigmoid, or logits",
            formula="the loss of always answering yes",
        ),
        Diagnosis(
            "clipped",
            "the loss takes raw outputs for probabilities",
            "outputs outside [0, 1] are clipped and have no gradient, so training cannot use those samples",
            "set loss.from_logits: true (better), or model.output: softmax or sigmoid",
            formula="up to -ln 1e-7 = 16.1 for each sample that is clipped on the wrong side",
        ),
        Diagnosis(
            "impossible",
            "the loss is below the least value that it can have",
            "a negative log-likelihood of classes is never below 0, so the outputs are not (log-)probabilities, or "
            "some targets lie outside [0, 1]",
            "set loss.from_logits: true or leave out loss.inputs; check the targets",
            formula="below 0",
        ),
    )
}
