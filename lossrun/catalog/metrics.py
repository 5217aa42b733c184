"""The yardsticks beside the losses. Every fitting loss at its plain parameters is a yardstick too."""

from typing import Final

from lossrun.catalog.declaration import CLASS_TASKS, Metric, also

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="accuracy",
        meaning="share of right labels (multilabel: of right cells)",
        aliases=also("acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
        tasks=CLASS_TASKS,
        goal="max",
    ),
    Metric(
        name="macro_f1",
        meaning="F1 of each class, averaged over the classes",
        aliases=also("f1", "f1_macro"),
        tasks=("multiclass", "multilabel"),
        goal="max",
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

PRIMARY_YARDSTICKS: Final = {
    "regression": ("rmse", "mae"),
    "binary": ("accuracy",),
    "multiclass": ("accuracy",),
    "multilabel": ("macro_f1",),
}
