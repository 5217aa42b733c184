"""The metrics beside the losses, and which of them a run is scored by."""

from collections.abc import Callable, Collection
from typing import Final

from lossrun.catalog.data_facts import TargetScale
from lossrun.catalog.declaration import CLASS_TASKS, Loss, Metric, Prediction, Scale, Task, also
from lossrun.catalog.losses import LOSSES

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="accuracy",
        meaning="share of correct labels (multilabel: of correct cells)",
        aliases=also("acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
        tasks=CLASS_TASKS,
        goal="max",
    ),
    Metric(
        name="macro_f1",
        meaning="F1 of each class, averaged over the classes",
        aliases=also("f1_macro"),
        tasks=("multiclass", "multilabel"),
        goal="max",
    ),
    Metric(
        name="f1",
        meaning="harmonic mean of precision and recall of class 1",
        formula="2 hits / (2 hits + false alarms + misses); 0 where there is none of them",
        when="To judge decisions on a rare class, where accuracy says almost nothing. It depends on the threshold.",
        aliases=also("f1_score", "F1Score", "BinaryF1Score", "f_measure", "f1_binary"),
        tasks=("binary",),
        goal="max",
        by_class=True,
        of_several="macro_f1",
    ),
    Metric(
        name="precision",
        meaning="share of class 1 among the samples predicted as class 1 (several classes: mean over them)",
        formula="hits / (hits + false alarms), 0 where there is none of them",
        when="Where a false alarm is costly. It depends on the threshold; average_precision does not.",
        aliases=also("precision_score", "macro_precision", "BinaryPrecision", "MulticlassPrecision", "ppv"),
        tasks=CLASS_TASKS,
        goal="max",
        by_class=True,
    ),
    Metric(
        name="recall",
        meaning="share of the samples of class 1 that are found (several classes: mean over them)",
        formula="hits / (hits + misses), 0 where there is none of them",
        when="Where a miss is costly. It depends on the threshold: a model that always predicts class 1 scores 1.",
        aliases=also("recall_score", "macro_recall", "sensitivity", "tpr", "BinaryRecall", "MulticlassRecall"),
        tasks=CLASS_TASKS,
        goal="max",
        by_class=True,
    ),
    Metric(
        name="auc",
        meaning="chance that a sample of class 1 is ranked above one of class 0 (several classes: one against the "
        "rest, mean over them)",
        formula="share of pairs of a sample of the class and another in the right order, ties half: the area under "
        "the ROC curve",
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
        of_ranks=True,
        by_class=True,
    ),
    Metric(
        name="average_precision",
        meaning="precision at the rank of each sample of class 1, averaged (several classes: mean over them)",
        formula="mean over samples of the class of the share of right ones among those that rank as high or higher",
        when="Like auc, for a rare class: a constant output scores the share of the class, not 0.5. It ranks as auc "
        "does and leaves out the same classes.",
        source="scikit-learn's average_precision_score",
        aliases=also(
            *("ap", "average_precision_score", "macro_average_precision", "BinaryAveragePrecision"),
            *("MulticlassAveragePrecision", "MultilabelAveragePrecision", "pr_auc", "auprc"),
        ),
        tasks=CLASS_TASKS,
        goal="max",
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
        of_probabilities=True,
    ),
    Metric(
        name="expected_calibration_error",
        meaning="gap between how confident the model is and how often it is right",
        formula="sum_b N_b / N |mean of p - share that is true|, b one of 15 equal bins of p; "
        "multiclass: p of the likeliest class",
        when="To see whether 80 % means 80 %. It does not judge the decisions: predicting the base rate for every "
        "sample scores 0. With few samples it is above 0 by chance.",
        source="Guo et al. (2017), On Calibration of Modern Neural Networks, arXiv:1706.04599",
        aliases=also("ece", "calibration_error", "BinaryCalibrationError", "MulticlassCalibrationError"),
        tasks=CLASS_TASKS,
        goal="min",
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

# Up to so many classes a metric of ranks is worth its time in every epoch.
MOST_RANKED: Final = 100

# What a metric of one class is called where there are several.
OF_SEVERAL: Final = {metric.name: metric.of_several for metric in METRICS if metric.of_several}
# Those that are given for each class by itself.
BY_CLASS: Final = tuple(metric.name for metric in METRICS if metric.by_class)

PRIMARY_METRICS: Final = {
    "regression": ("rmse", "mae"),
    "binary": ("accuracy",),
    "multiclass": ("accuracy",),
    "multilabel": ("macro_f1",),
}


# A threshold of 1 lies among the errors of a model where the targets spread about as far.
UNIT_SPREADS: Final = (0.1, 10.0)
# A Poisson distribution of this mean spreads by 3 %: larger whole numbers are amounts, hardly ever counts.
MOST_COUNTED: Final = 1000.0
# Of the mean size of the targets. Below it a single sample outweighs a hundred others in per cent.
LEAST_SHARE: Final = 0.01
# Between the largest and the smallest column of a vector.
ONE_UNIT: Final = 10.0


def _is_proportional(targets: TargetScale) -> bool:
    one_sign = targets.low > 0 or targets.high < 0
    return one_sign and targets.least >= LEAST_SHARE * targets.mean


# By the scale that a loss declares: which targets it says something about, and that in words.
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
        f"targets of one sign, none of them below {100 * LEAST_SHARE:g} % of their mean size",
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


def off_scale(targets: TargetScale | None, asked: Collection[str] = ()) -> frozenset[str]:
    """The losses whose value says nothing about such regression targets, and that a run is not scored by. It is the
    same for all runs on the same data.

    targets: None where they have not been looked at, or are classes. asked: names that the config itself watches or
        compares by; they are never left out.
    """
    if targets is None:
        return frozenset()
    told = {loss.name for loss in LOSSES if "regression" in loss.tasks and not SCALES[loss.scale][0](targets)}
    return frozenset(told.difference(asked))


def is_metric(name: str) -> bool:
    """Return whether that is a metric and not a loss, which is one as well."""
    return any(metric.name == name for metric in METRICS)


def task_metrics(task: Task, targets: int = 1) -> list[Loss | Metric]:
    """Everything that some run of the task is scored by: losses, then metrics. `targets`: as of `metric_names`."""
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
    """The metrics that have a meaning for a run, in the order of `task_metrics`.

    output: the activation between the model's pre-activations and what is judged. reads_as: the `prediction` of the
        loss. targets: numbers, classes or labels per sample.
    target_range, least_magnitude: of regression targets, in original units, as in DataFacts; None: not known, and
        taken to suit everything. standardized: regression targets were.
    """
    reads_probabilities = output != "none" or reads_as == "probabilities"
    reads_sigmoids = reads_probabilities and output in ("none", "sigmoid")

    def of_classes(loss: Loss) -> bool:
        match loss.prediction:
            case "probabilities":
                return reads_probabilities
            case None:
                # A margin is asked of what decides at 0, not of outputs that were drawn towards 0 and 1.
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
