"""What can be wrong with a run while it trains: the three faces of divergence, and what a plateau means.

Found in `health/examine.py`; the value of each floor is computed in `health/floors.py`, from the run's own loss.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`formula`: the value of the loss that gives it away; "" where there is none. `remedy`: what to do, in the
    imperative. `diverged`: the run ends with it. `harmless`: nothing is wrong."""

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
            f"{_SMALLER}; where even a tiny rate ends so, look at the inputs' scale and the targets' range",
            diverged=True,
        ),
        Diagnosis(
            "exploded",
            "the loss is a large multiple of its first value, and stays far above it",
            "each update overshoots the minimum by more than the one before",
            _SMALLER,
            formula="more than 3 times above what a constant output would cost, and above the first value, and rising",
            diverged=True,
        ),
        Diagnosis(
            "dead",
            "the outputs are the same for every sample, and so they will stay",
            "a large update drove all units of a layer into where they have no slope (relu below 0, tanh or sigmoid "
            "far out), or all weights of a layer began alike; no gradient reaches the layers below any more",
            f"{_SMALLER}; if it happens in the first steps, a warm-up or another init helps",
            formula="that of a constant output, or worse",
            diverged=True,
        ),
        Diagnosis(
            "chance",
            "the outputs carry no information about the inputs",
            "the loss stays where guessing by the classes' shares would have it: the learning rate is far too small, "
            "far too large, or the inputs say nothing",
            "try a learning rate ten times larger, then ten times smaller; look at the inputs' scale and at init",
            formula="ln K for K classes that are equally frequent: 0.6931 for two, 2.3026 for ten; else the entropy of "
            "their shares",
        ),
        Diagnosis(
            "constant",
            "the model does no better than the same value for every sample would",
            "the loss stays where the best constant would have it: the learning rate is far too small or too large, or "
            "the inputs say nothing",
            "try a learning rate ten times larger, then ten times smaller; standardize inputs of large numbers",
            formula="the targets' variance for mse, their mean absolute deviation from the median for mae",
        ),
        Diagnosis(
            "stuck",
            "the model does worse than the same value for every sample would, and hardly moves",
            "the learning rate is far too small for the way there, or so large that every step is undone by the next; "
            "targets of large numbers are a long way",
            "try a learning rate ten times larger, then ten times smaller; standardize inputs and, in a regression, "
            "targets of large numbers: dataset.standardize: {inputs: true, targets: true}",
            formula="above that of a constant output, and the same for three epochs, to 0.2 per cent",
        ),
        Diagnosis(
            "double_softmax",
            "the outputs went through a softmax, and the loss applies one again",
            "probabilities lie in [0, 1], and a softmax of such small numbers is nearly flat: even perfect outputs "
            "cost much, and the gradient is weak",
            "set model.output: logits, or loss.from_logits: false",
            formula="ln(1 + (K - 1) / e): 1.4612 for ten classes",
        ),
        Diagnosis(
            "double_sigmoid",
            "the outputs went through a sigmoid (or softmax), and the loss applies a sigmoid again",
            "the second sigmoid turns 0 into a half and 1 into 0.73: a confident no cannot be expressed",
            "set model.output: logits, or loss.from_logits: false",
            formula="0.3133 for each yes, 0.6931 for each no: 0.5032 where both are equally frequent",
        ),
        Diagnosis(
            "smoothing",
            "the loss has come down to what the smoothed labels themselves cost",
            "label smoothing asks for probabilities short of 1, and their entropy remains",
            "compare on val_cross_entropy (or the metric of your task), which is not smoothed",
            formula="the entropy of the smoothed label: 0.5003 for 0.1 and ten classes",
            harmless=True,
        ),
        Diagnosis(
            "squashed",
            "the last layer cannot reach the targets",
            "a sigmoid or softmax gives values in [0, 1], and there are targets outside",
            "set model.output: none, or scale the targets to [0, 1]",
            formula="what outputs cut off at 0 and 1 would cost",
        ),
        Diagnosis(
            "single_softmax",
            "the only output is always 1",
            "a softmax over one output divides it by itself; nothing can be learnt",
            "set model.output: sigmoid, or logits",
            formula="the cost of answering yes to everything",
        ),
        Diagnosis(
            "clipped",
            "the loss takes raw outputs for probabilities",
            "what lies outside of [0, 1] is clipped and has no gradient, so those samples are lost for training",
            "set loss.from_logits: true (better), or model.output: softmax or sigmoid",
            formula="up to -ln 1e-7 = 16.1 for each sample clipped on the wrong side",
        ),
        Diagnosis(
            "impossible",
            "the loss is below the least value that it can have",
            "a negative log-likelihood of classes is never below 0: the outputs are no (log-)probabilities, or the "
            "targets lie outside of [0, 1]",
            "set loss.from_logits: true or leave loss.inputs out; look at the targets",
            formula="below 0",
        ),
    )
}
