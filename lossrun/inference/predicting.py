"""`lossrun predict`: predict new samples with a trained model, in original units."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.components.metrics import predictions
from lossrun.data import Part
from lossrun.errors import memory_errors
from lossrun.inference.new_inputs import new_inputs, read_new_inputs
from lossrun.inference.scoring import decisions, gives_probabilities, labels_of, names_of, prediction_columns
from lossrun.inference.trained import BEST, find_trained, first_of_several, forward, model
from lossrun.plugins.calling import own_code_errors
from lossrun.report.shown import Shown
from lossrun.training import build
from lossrun.training.process.isolation import isolated

_SHOWN: Final = 10  # rows where predictions are printed


@dataclass(frozen=True, slots=True, repr=False)
class Predictions(Shown):
    """Predictions for new samples.

    Attributes:
        columns: {name: a value per sample}; see `scoring.prediction_columns`.
        arrays: `prediction`, in original units, (N, K), or the index of the class, (N,) (binary and multilabel: 0 or 1,
            (N, K)). For classes also `probabilities` or `outputs`, (N, K), and the names of the `classes`.
    """

    run: str
    seed: int
    epoch: int
    columns: Mapping[str, list[Any]]
    arrays: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = field(default=())

    def draw(self, console: Any) -> None:
        """Print the first rows."""
        from lossrun.report.layout.rows import rows_table
        from lossrun.report.layout.text_table import print_table

        rows = self.rows()[:_SHOWN]
        more = f"; first {len(rows)} of {self._samples:,} rows" if len(rows) < self._samples else ""
        print_table(console, rows_table(rows, f"{self._heading}{more}"))

    def __repr__(self) -> str:
        from lossrun.report.layout.rows import rows_to_csv

        shown = rows_to_csv(self.rows()[:_SHOWN]).rstrip()
        more = f"\n... ({self._samples:,} rows)" if self._samples > _SHOWN else ""
        return f"{self._heading}\n{shown}{more}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each sample, numbered from 0."""
        names, values = ["row", *self.columns], self.columns.values()
        return [dict(zip(names, row, strict=True)) for row in zip(range(self._samples), *values, strict=True)]

    @property
    def _heading(self) -> str:
        return f"{self.run}: predictions of seed {self.seed}, weights of epoch {self.epoch}"

    @property
    def _samples(self) -> int:
        return len(self.arrays["prediction"])


@own_code_errors("to predict")
@memory_errors("to predict", "close other programs, or use a machine with more memory")
@isolated()
def predict(
    path: Path,
    inputs: Any,
    *,
    checkpoint: str = BEST,
    seed: int | None = None,
    data_dir: Path | None = None,
    header: bool | None = None,
) -> Predictions:
    """Predict new samples with a run's model.

    Samples are prepared like the training data: pixels are divided, columns are standardized with the mean and standard
    deviation of the training part, words are one-hot encoded.

    Args:
        inputs: A file (see `read_new_inputs`, also for `header`), or an array of samples in original units.
        seed: The seed whose model to use; by default the first seed.

    Raises:
        DataError: For samples that the model was not trained for. `find_trained` and `model` raise further errors.
    """
    trained = find_trained(path, data_dir, with_samples=False)
    asked = model(trained, checkpoint, seed)
    data = trained.data(asked.replica.seed)
    form = trained.prepared(asked.replica.seed).form
    is_file = isinstance(inputs, str | Path)
    array = read_new_inputs(Path(inputs), form, header) if is_file else new_inputs(inputs, form, "inputs")
    # The samples are treated as a part of the data, so that the same code scales them.
    targets = np.zeros(len(array), np.int64) if data.task == "multiclass" else _zeros(len(array), data.target_size)
    part = Part(array, targets, np.arange(len(array)))
    samples = build.parts(replace(data, train=part, validation=None, test=None), trained.place).train
    _, preactivations = forward(asked.replica, samples)

    spec, parts, names = trained.output_spec, asked.replica.parts, names_of(trained)
    predicted = predictions(preactivations, task=spec.task, output=spec.output, reads_as=spec.reads_as)
    if spec.task == "regression":
        arrays = {"prediction": parts.in_original_units(predicted).cpu().numpy()}
    else:
        arrays = {
            "prediction": decisions(preactivations, spec).cpu().numpy(),
            "probabilities" if gives_probabilities(spec) else "outputs": predicted.cpu().numpy(),
            "classes": np.array(labels_of(spec, names)),
        }
    return Predictions(
        trained.recorded.name,
        asked.replica.seed,
        asked.epoch,
        prediction_columns(preactivations, parts, spec, names),
        arrays,
        (*trained.notes, *first_of_several(trained, seed)),
    )


def _zeros(samples: int, columns: int) -> np.ndarray:
    return np.zeros((samples, columns), np.float32)
