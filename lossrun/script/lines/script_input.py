"""Collect what a script is written from: a resolved config, its data, and facts about both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lossrun.by_name import function_in
from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import DatasetDeclaration, Loss, Model
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration, output_size
from lossrun.data import Data, Dataset
from lossrun.data.sources import generated
from lossrun.data.sources.arrays import own_arguments
from lossrun.errors import UsageError
from lossrun.experiment import Experiment
from lossrun.plugins.loading import load_plugin
from lossrun.shell import set_options

FRAMEWORKS: Final = ("pytorch", "keras")
TITLES: Final = {"pytorch": "PyTorch", "keras": "Keras"}


@dataclass(frozen=True, slots=True)
class ScriptInput:
    """What a script is written from.

    Attributes:
        config: The resolved config.
        source: The config file, as the command line named it.
        directory: The folder that paths in the config start from.
        data_dir: The folder of official datasets.
        own_dataset: What a dataset function returned, the user's or one of `generated.py`.
        command: The command that writes the script again; "" if it is not known.
    """

    config: Config
    facts: DataFacts
    data: Data
    source: str
    directory: Path
    data_dir: Path
    own_dataset: Dataset | None
    command: str = ""

    @property
    def seed(self) -> int:
        return self.config.seeds[0]

    @property
    def batch_size(self) -> int:
        return self.config.samples_per_step(self.facts.train)

    @property
    def drops_last(self) -> bool:
        """Whether a smaller last batch is left out."""
        return self.config.drop_last and self.facts.train % self.batch_size > 0

    @property
    def steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch(self.facts.train)

    @property
    def outputs(self) -> int:
        return output_size(self.config, self.facts)

    @property
    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """The output shapes of the model's layers, by their names; for a declared model."""
        declared = get("model", self.config.model.name)
        assert isinstance(declared, Model)
        summary = declared.layers(dict(self.config.model.parameters), self.facts.input_shape, self.outputs)
        return {row.name: row.output_shape for row in summary}

    @property
    def loss(self) -> Loss | None:
        """The declaration of the loss; None for a user's own."""
        return loss_declaration(self.config.loss)

    @property
    def dataset(self) -> DatasetDeclaration | None:
        """The declaration of the dataset; None for a user's own."""
        if self.config.dataset.is_plugin:
            return None
        declared = get("dataset", self.config.dataset.name)
        assert isinstance(declared, DatasetDeclaration)
        return declared

    @property
    def metric(self) -> str | None:
        """The metric that is printed next to the loss, by its plain name; None if no simple one fits."""
        primary = PRIMARY_METRICS[self.facts.task][0]
        if self.facts.task != "regression":
            return primary
        scaled = self.config.dataset["standardize"]["targets"]
        is_mean = self.loss is None or self.loss.prediction == "mean"
        return primary if is_mean and not scaled else None

    @property
    def yes(self) -> str:
        """When an output predicts label 1: "> 0" for a logit, "> 0.5" for a probability."""
        prediction = self.loss.prediction if self.loss else "probabilities"
        plain = self.config.model["output"] == "none"
        return "> 0" if plain and prediction in ("probabilities", None) else "> 0.5"

    @property
    def watched(self) -> dict[str, str]:
        """The columns that choose the best weights, stop early or lower the rate, by their keys."""
        config = self.config
        found = {"best.metric": config.best.metric} if self.facts.test else {}
        found |= {"early_stopping.metric": config.early_stopping.metric} if config.early_stopping else {}
        return found | (
            {"schedule.metric": config.schedule["metric"]} if "metric" in config.schedule.parameters else {}
        )

    def monitored(self, key: str, metric: str, more: Sequence[str] = (), *, why: str = "") -> str:
        """Return a metric that the config watches.

        Args:
            more: Further metrics that the script computes.
            why: Why it computes no others.

        Raises:
            UsageError: If the script does not compute the metric.
        """
        known = ["train_loss"]
        if self.facts.validation:
            known += ["val_loss", *([f"val_{self.metric}"] if self.metric else []), *(f"val_{name}" for name in more)]
        if metric not in known:
            raise UsageError(
                f"{key}: a script does not compute {metric}, only {', '.join(known)}{why}; use one of these "
                f"({set_options(f'{key}={known[-1]}')})"
            )
        return metric


def script_input(experiment: Experiment, source: str, command: str = "") -> ScriptInput:
    """Collect the input of a script. A dataset function is called again, to see what it returns unencoded."""
    config, directory = experiment.config, experiment.reading.directory
    dataset = config.dataset
    function = load_plugin(dataset.name, directory) if dataset.is_plugin else function_in(generated, dataset.name)
    own = function(**own_arguments(dataset.parameters)) if function else None
    return ScriptInput(
        config,
        experiment.facts,
        experiment.data[config.seeds[0]],
        # The path is part of a docstring, in which a backslash would begin an escape.
        Path(source).as_posix(),
        directory,
        experiment.data_dir,
        own,
        command,
    )
