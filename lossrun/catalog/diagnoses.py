"""What can be wrong with a run: divergence in three forms, mistakes, plateaus, layers in trouble, bad endings.

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
        called: What a message calls that value.
        diverged: Whether the run ends with it.
        harmless: Whether nothing is wrong after all.
        of_the_end: Whether it is about how a run ended, so that a run that is trained further has not had it.
        also: What else people call it. A word may belong to several diagnoses.
    """

    name: str
    meaning: str
    why: str
    remedy: str
    formula: str = ""
    called: str = "loss of a constant output"
    diverged: bool = False
    harmless: bool = False
    of_the_end: bool = False
    also: tuple[str, ...] = ()


_SMALLER: Final = "continue from the last good checkpoint with a smaller learning rate"

DIAGNOSES: Final[dict[str, Diagnosis]] = {
    diagnosis.name: diagnosis
    for diagnosis in (
        Diagnosis(
            "non_finite",
            "the loss is no longer a finite number",
            "an update was so large that the outputs overflowed, or there was a logarithm of 0 or a division by 0",
            f"{_SMALLER}; if this happens even at a tiny rate, check the inputs' scale and the targets' range",
            diverged=True,
            also=("nan", "inf", "diverged", "divergence"),
        ),
        Diagnosis(
            "exploded",
            "the loss is a large multiple of its first value and stays there",
            "each update overshoots the minimum by more than the one before",
            _SMALLER,
            formula="more than 3 times the loss of a constant output, above the first value, and rising",
            diverged=True,
            also=("diverged", "divergence", "exploding_gradients"),
        ),
        Diagnosis(
            "dead",
            "the network outputs the same value for every sample and cannot recover",
            "a large update moved all units of a layer to where their slope is 0 (relu below 0, tanh or sigmoid "
            "far from 0), or all weights of a layer had the same initial value; no gradient reaches the layers "
            "below",
            f"{_SMALLER}; if it happens in the first steps, a warm-up or another init helps",
            formula="the loss of a constant output, or more",
            diverged=True,
            also=("dead_network", "dying_relu"),
        ),
        Diagnosis(
            "chance",
            "the outputs carry no information about the inputs",
            "the loss is no better than always predicting the class frequencies: the learning rate is far too small or "
            "far too large, or the inputs do not predict the targets",
            "try a learning rate ten times larger, then ten times smaller; also check model.init and the "
            "scale of the inputs",
            formula="the entropy of the class frequencies, which is ln K for K equally frequent classes (0.6931 for "
            "two, 2.3026 for ten); for a tenth of the run and at least 3 epochs, seen after 500 steps or at the end",
            called="loss of guessing",
        ),
        Diagnosis(
            "constant",
            "the model is no better than predicting the same value for every sample",
            "the loss is that of the best constant output: the learning rate is far too small or far too large, or the "
            "inputs do not predict the targets",
            "try a learning rate ten times larger, then ten times smaller; standardize large inputs",
            formula="the loss of the best constant output: for mse the variance of the targets, for mae their mean "
            "absolute deviation from the median; for a tenth of the run and at least 3 epochs, seen after 500 steps "
            "or at the end",
        ),
        Diagnosis(
            "stuck",
            "the model is worse than predicting the same value for every sample, and hardly changes",
            "the learning rate is far too small to reach the targets, or so large that every step undoes the one "
            "before; or the targets are large, far from the first outputs",
            "try a learning rate ten times larger, then ten times smaller; standardize the inputs and, in a "
            "regression, large targets: dataset.standardize: {inputs: true, targets: true}",
            formula="above the loss of a constant output, with changes of at most 0.2 per cent, for a tenth of the "
            "run and at least 3 epochs, seen after 500 steps or at the end",
        ),
        Diagnosis(
            "double_softmax",
            "the outputs went through a softmax, and the loss applies another one",
            "probabilities lie in [0, 1], and a softmax of such small numbers is nearly flat: even perfect outputs "
            "have a high loss, and the gradient is small",
            "set model.output: logits, or loss.from_logits: false",
            formula="ln(1 + (K - 1) / e): 1.4612 for ten classes",
            called="lowest possible loss",
        ),
        Diagnosis(
            "double_sigmoid",
            "the outputs went through a sigmoid (or softmax), and the loss applies a sigmoid again",
            "the second sigmoid turns 0 into 0.5 and 1 into 0.73, so the model cannot express a confident no",
            "set model.output: logits, or loss.from_logits: false",
            formula="0.3133 for each yes, 0.6931 for each no: 0.5032 if both have the same frequency",
            called="lowest possible loss",
        ),
        Diagnosis(
            "smoothing",
            "the loss is as low as label smoothing allows",
            "smoothed labels are probabilities below 1, so their entropy remains as the lowest loss",
            "compare on val_cross_entropy (or the metric of your task), which is not smoothed",
            formula="the entropy of the smoothed label: 0.5003 for 0.1 and ten classes",
            harmless=True,
            called="lowest possible loss",
        ),
        Diagnosis(
            "squashed",
            "the last layer cannot reach the targets",
            "a sigmoid or softmax gives values in [0, 1], and some targets lie outside",
            "set model.output: none, or scale the targets to [0, 1]",
            formula="the loss of perfect outputs that are cut off at 0 and 1",
            called="lowest possible loss",
        ),
        Diagnosis(
            "single_softmax",
            "the only output is always 1",
            "a softmax over one output divides it by itself, so nothing can be learned",
            "set model.output: none in a regression, otherwise sigmoid or logits",
            formula="the loss of always answering yes",
            called="lowest possible loss",
        ),
        Diagnosis(
            "clipped",
            "the loss treats raw outputs as probabilities",
            "outputs outside [0, 1] are clipped and have no gradient, so training cannot use those samples",
            "set loss.from_logits: true (better), or model.output: softmax or sigmoid",
            formula="up to -ln 1e-7 = 16.1 for each sample that is clipped on the wrong side",
            called="lowest possible loss",
        ),
        Diagnosis(
            "impossible",
            "the loss is below the least value that it can have",
            "a negative log-likelihood of classes is never below 0, so the outputs are not (log-)probabilities, or "
            "some targets lie outside [0, 1]",
            "set loss.from_logits: true or leave out loss.inputs; check the targets",
            formula="below 0",
            called="lowest possible loss",
        ),
        Diagnosis(
            "vanishing_gradient",
            "hardly any gradient reaches the first layer",
            "each sigmoid or tanh between the output and the first layer passes on a fraction of the gradient, so "
            "the first layers hardly change",
            "set model.activation: relu and model.init: he_normal, or use fewer layers",
            formula="a gradient in the first layer below a thousandth of the one in the last layer, at more than "
            "half of a constant output's loss",
            also=("vanishing_gradients",),
        ),
        Diagnosis(
            "dead_units",
            "most relu units of a layer are 0 for every sample",
            "a large update, or the initial biases, moved them to where their slope is 0",
            "use a smaller learning rate, or model.activation: leaky_relu",
            formula="at least 70 per cent of a layer's units, on a plateau or at nearly the loss of a constant output",
            also=("dead_relu", "dying_relu"),
        ),
        Diagnosis(
            "saturated_units",
            "most sigmoid or tanh units of a layer are saturated",
            "large inputs or large initial weights move them to where the slope is nearly 0, so they hardly learn",
            "standardize the inputs; set model.init: glorot_uniform",
            formula="at least 70 per cent of a layer's values where the slope is below a twentieth of its maximum, "
            "at more than half of a constant output's loss",
            also=("saturation",),
        ),
        Diagnosis(
            "oscillation",
            "the loss goes up and down from epoch to epoch",
            "the learning rate is too large for the minimum that the weights move around",
            "use a smaller learning rate, or a schedule that lowers it",
            formula="the direction changes after two thirds of the epochs or more, by at least a tenth of the loss",
            of_the_end=True,
            also=("oscillating",),
        ),
        Diagnosis(
            "above_constant",
            "the run ends worse than predicting the same value for every sample",
            "the run is too short for its learning rate, or the rate is too large",
            "train for more epochs, or with a larger learning rate",
            formula="train_loss at the end above the loss of the best constant output",
            of_the_end=True,
        ),
        Diagnosis(
            "one_answer",
            "the model gives nearly every sample the same answer, and that answer scores as well",
            "one class is so frequent, or labels are so rarely true, that always giving the same answer has a low loss",
            "look at f1 or auc instead of accuracy; set loss.class_weights: balanced",
            formula="the accuracy of the most frequent answer, at a loss near that of a constant output",
            of_the_end=True,
        ),
        Diagnosis(
            "unfinished",
            "the run ended before the model had learned much",
            "the run is too short for its learning rate",
            "train for more epochs, or with a larger learning rate",
            formula="compared with the loss of a constant output, one of three: at least 85 per cent, and down by "
            "more than a tenth in the last tenth of the run; or above 70 per cent, and larger steps or another "
            "activation reach a lower loss in 100 steps, on validation data too; or above half, with a schedule "
            "whose mean rate is below 15 per cent, and a constant rate reaches four fifths of the loss",
            of_the_end=True,
            also=("underfitting",),
        ),
        Diagnosis(
            "too_small",
            "the model is too small to learn more",
            "a layer has too few units to pass on what the layers below have learned, or there are too few layers "
            "for the shape of the function",
            "use more units or layers",
            formula="more than half of a constant output's loss at the end, and a larger model reaches four fifths "
            "of the run's loss in 100 steps, on validation data too",
            of_the_end=True,
            also=("underfitting",),
        ),
        Diagnosis(
            "overfitting",
            "the model gets worse on validation data while it gets better on training data",
            "it has memorized training samples: there are too few for its size",
            "stop at the best epoch with early_stopping, or use dropout, weight decay, or more samples",
            formula="val_loss at the end more than a quarter above its best, reached in the first half of the run",
            of_the_end=True,
            also=("overfit",),
        ),
        Diagnosis(
            "overconfident",
            "the probabilities are far too high",
            "training continued after the classes were separated, so the probabilities went to 0 and 1",
            "stop earlier, or set loss.label_smoothing: 0.1",
            formula="a calibration error of more than a tenth, with a mean confidence above the accuracy",
            of_the_end=True,
            also=("miscalibrated",),
        ),
    )
}
