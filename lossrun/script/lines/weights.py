"""Read the options of a loss for a script of either framework.

These are the options that are set, the numbers of the class weights, and the factor of the gradient for a reduction
other than the mean.
"""

from dataclasses import dataclass
from typing import Any

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.reductions import adds_up_samples
from lossrun.config.resolve import balanced_weights, class_weights, ignored_class, loss_declaration
from lossrun.data.samples.dataset import class_amounts
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import comment, number


@dataclass(frozen=True, slots=True)
class Options:
    """The parameters of a loss, read for a script.

    Attributes:
        columns: The number of outputs.
        weights: One for each class or output, and two for a single output (label 0, label 1); None if all are equal.
        of_samples: Whether samples have weights.
        some_weigh_nothing: Whether some training samples have weight 0.
    """

    declared: Loss
    parameters: dict[str, Any]
    task: str
    columns: int
    weights: list[float] | None
    of_samples: bool = False
    some_weigh_nothing: bool = False

    @property
    def name(self) -> str:
        return self.declared.name

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    @property
    def form(self) -> str:
        return str(self.parameters.get("inputs", "logits"))

    @property
    def smoothing(self) -> float:
        return float(self.parameters.get("label_smoothing", 0.0))

    @property
    def reduction(self) -> str:
        return str(self.parameters["reduction"])

    @property
    def is_sum(self) -> bool:
        return adds_up_samples(self.reduction)

    @property
    def divides_by_weights(self) -> bool:
        """Whether the mean divides by the sum of the weights, not by the number of samples."""
        return self.weights is not None and self["weight_convention"] == "pytorch" and not self.is_sum

    @property
    def may_count_nothing(self) -> bool:
        """Whether a mean may be over a batch in which no sample counts, so that its divisor is 0."""
        if self.is_sum:
            return False
        by_weight = self.parameters.get("weight_convention", "pytorch") == "pytorch"
        weightless = by_weight and (self.some_weigh_nothing or 0 in (self.weights or ()))
        return weightless or self.parameters.get("ignore_index") is not None

    @property
    def one_hot(self) -> bool:
        """Whether class indices must become rows first."""
        return self.task == "multiclass" and not self.of_classes

    @property
    def of_classes(self) -> bool:
        return self.declared.of_one_class

    @property
    def plain(self) -> bool:
        return self.weights is None and self.reduction == "mean" and not self.of_samples

    @property
    def per_sample(self) -> bool:
        """Whether the lines of the loss give one number for each sample, (N,), instead of (N, K)."""
        return self.of_classes or not self.declared.averages_outputs

    def factor(self, samples: str) -> str:
        """Return the factor of the mean per sample before the gradient is taken; "" for the mean itself."""
        outputs = self.columns if self.declared.averages_outputs else 1
        half = "half" in self.reduction
        if self.is_sum:
            count = f"{samples} * {outputs}" if outputs > 1 else samples
            return f"{count} / 2" if half else count
        if self.reduction == "mean":
            return ""
        value = outputs / 2 if half else outputs
        return "" if value == 1 else f"{value:g}"


def options(experiment: ScriptInput) -> Options:
    loss, facts = experiment.config.loss, experiment.facts
    parameters, ignored = dict(loss.parameters), ignored_class(loss, facts)
    if "ignore_index" in parameters:
        parameters["ignore_index"] = ignored
    weights = class_weights(loss, facts)
    if weights == "balanced":
        counts, _ = class_amounts(experiment.data.train, facts.task, facts.target_size)
        weights = [float(f"{weight:.7g}") for weight in balanced_weights(counts, ignored, experiment.facts)]
    declared = loss_declaration(loss)
    assert declared is not None
    weightless = facts.weights is not None and facts.weights[0] == 0
    return Options(
        declared, parameters, facts.task, facts.target_size, weights, has_sample_weights(experiment), weightless
    )


def has_sample_weights(experiment: ScriptInput) -> bool:
    return experiment.data.train.weights is not None


def above_zero(o: Options, bounded: str) -> list[str]:
    """Return the line that keeps `miss` of a focal loss above 0, if its power has an infinite slope there."""
    if not 0 < float(o["gamma"]) < 1:
        return []
    return [*comment("At 0 the power has an infinite slope."), f"miss = {bounded}"]


def smoothed_labels(o: Options) -> list[str]:
    """Return the line that smooths binary labels, if they are smoothed; the same in both frameworks."""
    s = o.smoothing
    return [f"targets = targets * {number(1 - s)} + {number(s / 2)}  # smoothed"] if s else []


def balanced_labels(o: Options) -> list[str]:
    """Return the line that weights labels by alpha, if they are weighted; the same in both frameworks."""
    if (alpha := o["alpha"]) is None or not o["apply_class_balancing"]:
        return []
    return [f"losses = losses * ({number(alpha)} * targets + {number(1 - alpha)} * (1 - targets))"]
