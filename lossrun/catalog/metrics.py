"""The metrics that are not losses, and which metrics a run is scored by."""

from collections.abc import Callable, Collection
from typing import Final

from lossrun.catalog.alias import also
from lossrun.catalog.data_facts import TargetScale
from lossrun.catalog.declaration import CLASS_TASKS, Loss, Metric, Prediction, Scale, Task
from lossrun.catalog.losses import LOSSES

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="accuracy",
        meaning="share of correct labels (multilabel: of correct cells)",
        aliases=also("acc", "accuracy_score", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
        tasks=CLASS_TASKS,
        goal="max",
        at_most=1,
        of_decisions=True,
    ),
    Metric(
        name="macro_f1",
        meaning="F1 of each class, averaged over the classes",
        aliases=also("f1_macro"),
        tasks=("multiclass", "multilabel"),
        goal="max",
        at_most=1,
        of_decisions=True,
    ),
    Metric(
        name="f1",
        meaning="harmonic mean of precision and recall of class 1",
        formula="2 hits / (2 hits + false alarms + misses); 0 if all three are 0",
        when="To judge decisions on a rare class, where accuracy says almost nothing. It depends on the threshold.",
        aliases=also("f1_score", "F1Score", "BinaryF1Score", "f_measure", "f1_binary"),
        tasks=("binary",),
        goal="max",
        at_most=1,
        of_decisions=True,
        by_class=True,
        of_several="macro_f1",
    ),
    Metric(
        name="precision",
        meaning="share of class 1 among the samples predicted as class 1 (several classes: mean over them)",
        formula="hits / (hits + false alarms); 0 if both are 0",
        when="Where a false alarm is costly. It depends on the threshold; average_precision does not.",
        aliases=also("precision_score", "macro_precision", "BinaryPrecision", "MulticlassPrecision", "ppv"),
        tasks=CLASS_TASKS,
        goal="max",
        at_most=1,
        of_decisions=True,
        by_class=True,
    ),
    Metric(
        name="recall",
        meaning="share of the samples of class 1 that are found (several classes: mean over them)",
        formula="hits / (hits + misses); 0 if both are 0",
        when="Where a miss is costly. It depends on the threshold: a model that always predicts class 1 scores 1.",
        aliases=also("recall_score", "macro_recall", "sensitivity", "tpr", "BinaryRecall", "MulticlassRecall"),
        tasks=CLASS_TASKS,
        goal="max",
        at_most=1,
        of_decisions=True,
        by_class=True,
    ),
    Metric(
        name="auc",
        meaning="chance that a sample of class 1 is ranked above one of class 0 (several classes: one against the "
        "rest, mean over them)",
        formula="share of the pairs (a sample of the class, a sample outside it) that are in the right order; a tie "
        "counts half. It is the area under the ROC curve",
        when="To judge the order of the outputs at any threshold: 0.5 is chance, 1 is perfect. It needs no "
        "probabilities, so it works for margins too. Outputs are ranked before rounding, by logits or "
        "log-probabilities. Classes without a sample are left out of the mean; with more than 100 classes it is not "
        "computed.",
        source="scikit-learn's roc_auc_score; Hanley and McNeil (1982)",
        aliases=also(
            *("roc_auc", "roc_auc_score", "auroc", "macro_auc", "BinaryAUROC", "MulticlassAUROC", "MultilabelAUROC")
        ),
        tasks=CLASS_TASKS,
        goal="max",
        at_most=1,
        of_ranks=True,
        by_class=True,
    ),
    Metric(
        name="average_precision",
        meaning="precision at the rank of each sample of class 1, averaged (several classes: mean over them)",
        formula="for each sample of the class, the share of the class among all samples that rank as high or higher; "
        "mean over these samples",
        when="Like auc, for a rare class: a constant output scores the share of the class, not 0.5. It ranks as auc "
        "does and leaves out the same classes.",
        source="scikit-learn's average_precision_score",
        aliases=also(
            *("ap", "average_precision_score", "macro_average_precision", "BinaryAveragePrecision"),
            *("MulticlassAveragePrecision", "MultilabelAveragePrecision", "pr_auc", "auprc"),
        ),
        tasks=CLASS_TASKS,
        goal="max",
        at_most=1,
        of_ranks=True,
        by_class=True,
    ),
    Metric(
        name="brier",
        meaning="squared error of the probabilities, summed over the classes",
        formula="sum_k (p_k - t_k)^2 per sample; binary: (p - t)^2",
        when="To judge probabilities and not only decisions. Its expected value is lowest when the probabilities are "
        "the true ones. 0 is perfect; 2 is certain and wrong (binary: 1).",
        source="Brier (1950), Verification of Forecasts Expressed in Terms of Probability",
        aliases=also("brier_score", "BrierScore", "brier_score_loss"),
        tasks=CLASS_TASKS,
        goal="min",
        at_most=2,
        of_probabilities=True,
    ),
    Metric(
        name="expected_calibration_error",
        meaning="gap between how confident the model is and how often it is right",
        formula="sum over 15 bins of equal width of N_bin / N |mean of p - share of true labels|; multiclass: p of the "
        "likeliest class",
        when="To see whether 80 % means 80 %. It does not judge the decisions: predicting the base rate for every "
        "sample scores 0. With few samples it is above 0 by chance.",
        source="Guo et al. (2017), On Calibration of Modern Neural Networks, arXiv:1706.04599",
        without_items="the fewer items there are, the larger it is by chance",
        aliases=also("ece", "calibration_error", "BinaryCalibrationError", "MulticlassCalibrationError"),
        tasks=CLASS_TASKS,
        goal="min",
        at_most=1,
        of_probabilities=True,
    ),
    Metric(
        name="rmse",
        meaning="root of the mean squared error",
        aliases=also("root_mean_squared_error"),
        tasks=("regression",),
        goal="min",
        units="targets",
    ),
    Metric(
        name="r2",
        meaning="share of the targets' variance explained; 0 for the mean, below 0 for worse",
        aliases=also("R2Score", "r_squared"),
        tasks=("regression",),
        goal="max",
    ),
)

# With more classes, a metric that sorts the samples once for each class takes too long in every epoch.
MOST_RANKED: Final = 100

# The name of a metric of one class if there are several classes.
OF_SEVERAL: Final = {metric.name: metric.of_several for metric in METRICS if metric.of_several}
# The metrics that are also reported for each class.
BY_CLASS: Final = tuple(metric.name for metric in METRICS if metric.by_class)

PRIMARY_METRICS: Final = {
    "regression": ("rmse", "mae"),
    "binary": ("accuracy",),
    "multiclass": ("accuracy",),
    "multilabel": ("macro_f1",),
}


# The limits below say for which targets a loss is a useful metric.
# Standard deviations of the targets at which a threshold of 1 lies within the range of ordinary errors.
UNIT_SPREADS: Final = (0.1, 10.0)
# A Poisson distribution with this mean has a standard deviation of 3 %: larger whole numbers are rarely counts.
MOST_COUNTED: Final = 1000.0
# Share of the mean size of the targets. In per cent, one target below it outweighs a hundred others.
LEAST_SHARE: Final = 0.01
# Ratio of the largest to the smallest column of a vector.
ONE_UNIT: Final = 10.0


def _is_proportional(targets: TargetScale) -> bool:
    one_sign = targets.low > 0 or targets.high < 0
    return one_sign and targets.least >= LEAST_SHARE * targets.mean


# For each scale that a loss can declare: a test for the targets that its value is useful for, and those in words.
SCALES: Final[dict[Scale, tuple[Callable[[TargetScale], bool], str]]] = {
    "any": (lambda targets: True, ""),
    "unit": (
        lambda targets: UNIT_SPREADS[0] <= targets.spreads[0] and targets.spreads[1] <= UNIT_SPREADS[1],
        f"targets with a standard deviation between {UNIT_SPREADS[0]:g} and {UNIT_SPREADS[1]:g}, since its threshold "
        "is 1 target unit",
    ),
    "counts": (
        lambda targets: targets.whole and targets.low >= 0 and targets.high <= MOST_COUNTED,
        f"targets that are counts: whole numbers from 0 to {MOST_COUNTED:g}",
    ),
    "proportion": (
        _is_proportional,
        f"targets of one sign, each at least {100 * LEAST_SHARE:g} % of their mean size",
    ),
    "logarithm": (
        lambda targets: targets.low >= 0 and targets.high >= 1,
        "targets from 0 that reach 1 (below 1 it is close to mse)",
    ),
    "direction": (
        lambda targets: targets.sizes[1] <= ONE_UNIT * targets.sizes[0],
        f"two targets or more, the largest at most {ONE_UNIT:g} times the size of the smallest",
    ),
}


def unsuitable_metrics(targets: TargetScale | None, asked: Collection[str] = ()) -> frozenset[str]:
    """Return the losses that are not useful metrics for these regression targets, so that runs are not scored by them.

    The result is the same for all runs on the same data.

    Args:
        targets: None if they have not been looked at, or are classes.
        asked: Metrics that the config itself watches or compares by; these are never left out.
    """
    if targets is None:
        return frozenset()
    told = {loss.name for loss in LOSSES if "regression" in loss.tasks and not SCALES[loss.scale][0](targets)}
    return frozenset(told.difference(asked))


def is_metric(name: str) -> bool:
    """Return whether the name belongs to a metric that is not a loss."""
    return any(metric.name == name for metric in METRICS)


def task_metrics(task: Task, targets: int) -> list[Loss | Metric]:
    """Return every metric that a run of the task may be scored by: losses, then the others.

    Args:
        targets: As in `metric_names`.
    """
    losses = [loss for loss in LOSSES if task in loss.tasks and loss.metric]
    metrics = [metric for metric in METRICS if task in metric.tasks]
    return [*losses, *(one for one in metrics if targets <= MOST_RANKED or not one.of_ranks)]


def metric_names(
    task: Task,
    *,
    output: str,
    reads_as: Prediction | None,
    targets: int,
    target_range: tuple[float, float] | None = None,
    least_magnitude: float | None = None,
    standardized: bool = False,
) -> list[str]:
    """Return the metrics that have a meaning for a run, in the order of `task_metrics`.

    Args:
        task: The task of the run.
        output: The activation between the model's pre-activations and the values that are scored.
        reads_as: The `prediction` of the loss.
        targets: The numbers, classes or labels per sample.
        target_range, least_magnitude: As in `DataFacts`, in original units; None if not known, and then no loss is left
            out because of them.
        standardized: Whether regression targets were standardized.
    """
    reads_probabilities = output != "none" or reads_as == "probabilities"
    reads_sigmoids = reads_probabilities and output in ("none", "sigmoid")

    def of_classes(loss: Loss) -> bool:
        match loss.prediction:
            case "probabilities":
                return reads_probabilities
            case None:
                # A margin has a meaning for outputs that decide at 0, not for outputs trained towards 0 and 1.
                return reads_probabilities or reads_as is None
            case _:
                return reads_probabilities or reads_as == "mean"

    def of_numbers(loss: Loss) -> bool:
        if loss.prediction == "probabilities" and (standardized or not reads_sigmoids):
            return False
        if loss.prediction == "mean_and_log_variance" and reads_as != loss.prediction:
            return False
        if targets < loss.least_targets or (loss.divides_by_target and least_magnitude == 0):
            return False
        low, high = target_range or (0.0, 0.0)
        below = loss.targets_at_least is not None and low < loss.targets_at_least
        return not (below or (loss.targets_at_most is not None and high > loss.targets_at_most))

    def has_meaning(one: Loss | Metric) -> bool:
        if isinstance(one, Metric):
            return reads_probabilities or not one.of_probabilities
        return of_numbers(one) if task == "regression" else of_classes(one)

    return [one.name for one in task_metrics(task, targets) if has_meaning(one)]
