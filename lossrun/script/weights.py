"""What both frameworks' losses have in common: which options are on, the numbers of class weights, the factor that a
reduction other than the mean puts before the gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossrun.catalog.reductions import adds_up_samples
from lossrun.errors import UsageError
from lossrun.script.experiment import Experiment

MULTICLASS = frozenset(
    {
        "cross_entropy",
        "focal",
        "multi_margin",
        "categorical_hinge",
        "kl_divergence",
        "generalized_cross_entropy",
        "symmetric_cross_entropy",
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """The loss's parameters, read for a script. `weights`: one for each class or output, of a single output for no and
    yes; None where all count alike."""

    name: str
    parameters: dict[str, Any]
    task: str
    columns: int
    weights: list[float] | None

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
        """Whether the mean is over the weights rather than the samples."""
        return self.weights is not None and self["weight_convention"] == "pytorch" and not self.is_sum

    @property
    def one_hot(self) -> bool:
        """Whether class indices have to become rows first."""
        return self.task == "multiclass" and self.name not in MULTICLASS

    @property
    def of_classes(self) -> bool:
        return self.name in MULTICLASS

    @property
    def plain(self) -> bool:
        return self.weights is None and self.reduction == "mean"

    def factor(self, samples: str) -> str:
        """What the mean per sample is multiplied by before the gradient is taken; "" for the mean itself."""
        averages = self.name not in MULTICLASS and self.name not in ("dice", "tversky", "cosine_similarity")
        outputs = self.columns if averages else 1
        half = "half" in self.reduction
        if self.is_sum:
            count = f"{samples} * {outputs}" if outputs > 1 else samples
            return f"{count} / 2" if half else count
        if self.reduction == "mean":
            return ""
        value = outputs / 2 if half else outputs
        return "" if value == 1 else f"{value:g}"


def options(experiment: Experiment) -> Options:
    loss, facts = experiment.config.loss, experiment.facts
    parameters = dict(loss.parameters)
    weights = parameters.get("class_weights")
    if weights == "balanced":
        weights = _balanced(experiment, parameters.get("ignore_index"))
    return Options(loss.name, parameters, facts.task, facts.target_size, weights)


def _balanced(experiment: Experiment, ignored: int | None) -> list[float]:
    """samples / (classes * samples of the class), to seven digits."""
    targets, facts = experiment.data.train.targets, experiment.facts
    if facts.task == "multiclass":
        counts = np.bincount(targets, minlength=facts.target_size).astype(float)
    elif facts.target_size == 1:
        counts = np.array([len(targets) - targets.sum(dtype=float), targets.sum(dtype=float)])
    else:
        counts = targets.sum(axis=0, dtype=float)
    counted = np.arange(len(counts)) != (-1 if ignored is None else ignored)
    if not counts[counted].all():
        raise UsageError(
            "loss.class_weights: balanced: a class has no training sample, so its weight would be infinite; list the "
            "weights"
        )
    counts *= counted
    with np.errstate(divide="ignore"):
        weights = np.where(counted, counts.sum() / (counted.sum() * counts), 0.0)
    return [float(f"{weight:.7g}") for weight in weights]
