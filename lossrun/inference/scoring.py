"""`lossrun evaluate`: score a run's models again, on any part of its data and with any weights that it has kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import torch
from torch import Tensor

from lossrun.analysis.values.class_values import ClassValues, of_seeds
from lossrun.analysis.values.constant_answers import constant_scores, no_better, sentence
from lossrun.components.metrics import predictions
from lossrun.data.samples.dataset import class_amounts
from lossrun.errors import UsageError, memory_errors
from lossrun.inference.sample_losses import objective_losses, sample_losses
from lossrun.inference.trained import BEST, Trained, find_trained, forward, models
from lossrun.plugins.calling import own_code_errors
from lossrun.report.shown import Shown
from lossrun.steps.evaluate import OutputSpec, evaluate, metric_weights
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts, Samples
from lossrun.training.process.isolation import isolated

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, repr=False)
class Scores(Shown):
    """The scores of a run's models.

    Attributes:
        split: The part of the data.
        samples: The number of its samples.
        seeds: {seed: its scores}: the configured objective as `loss`, and every metric by its plain name.
        epochs: {seed: the epoch whose weights were scored}.
        classes: The metrics of each class or label, if there are several.
        notes: Notes about the scores.
    """

    run: str
    split: Split
    checkpoint: str
    samples: int
    seeds: Mapping[int, Mapping[str, float]]
    epochs: Mapping[int, int]
    notes: tuple[str, ...] = ()
    classes: ClassValues | None = None
    rows: Sequence[Mapping[str, Any]] = ()

    def draw(self, console: Any) -> None:
        """Print the scores."""
        from lossrun.report.scores import print_scores

        print_scores(console, self.heading, self.seeds, self.epochs, self.classes)

    @property
    def heading(self) -> str:
        """What was scored, in a line."""
        return f"{self.run}: {self.split}, {self.samples} samples, weights at {self.checkpoint}"

    def facts(self) -> dict[str, Any]:
        """Return what was scored, as plain values."""
        epochs = {str(seed): epoch for seed, epoch in self.epochs.items()}
        what = {"run": self.run, "split": self.split, "checkpoint": self.checkpoint, "samples": self.samples}
        by_class = {"by_class": self.classes.facts()} if self.classes else {}
        return {**what, "epochs": epochs, "notes": list(self.notes), **by_class}


@own_code_errors("to evaluate the run")
@memory_errors("to evaluate the run", "close other programs, or use a machine with more memory")
@isolated()
def score(
    path: Path,
    *,
    split: Split | None = None,
    checkpoint: str = BEST,
    data_dir: Path | None = None,
    per_sample: bool = False,
) -> Scores:
    """Score the model of every seed; a regression in original units.

    Args:
        split: The part of the data; by default test, or validation if the run has no test data.
        checkpoint: "best", "last" or a step.
        per_sample: Whether to return `rows`, one for each sample and seed: id, seed, target, prediction and its
            probabilities or outputs, `loss` and every loss of the task, unreduced. If samples have weights or a class
            is ignored, also `weight`, which is 0 for samples that do not count.

    Raises:
        UsageError: For a part or a checkpoint that does not exist.
        DataError: If the data are no longer those of the run.
        RunError: If the run cannot be read.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}: unknown part; expected one of {', '.join(SPLITS)}")
    trained = find_trained(path, data_dir)
    spec, notes = trained.output_spec, list(trained.notes)
    first = trained.data(trained.config.seeds[0])
    part = split or ("test" if first.test else "validation" if first.validation else "train")
    if getattr(first, part) is None:
        there = ", ".join(name for name in SPLITS if getattr(first, name) is not None)
        raise UsageError(f"--split {part}: {trained.recorded.name} has no {part} data; it has {there}")
    seeds: dict[int, dict[str, float]] = {}
    epochs: dict[int, int] = {}
    classes: dict[int, dict[str, list[float]]] = {}
    rows: list[dict[str, Any]] = []
    for model in models(trained, checkpoint, trained.config.seeds, notes.append):
        replica = model.replica
        samples = _judging(replica, part)
        result = evaluate(replica, samples, spec, by_class=True)
        classes[replica.seed] = result.classes
        seeds[replica.seed] = {"loss": result.loss, **result.metrics}
        epochs[replica.seed] = model.epoch
        if per_sample:
            rows += _sample_rows(replica, samples, spec, names_of(trained), list(result.metrics))
    notes += filter(None, [_constant_note(trained, part, seeds)])
    return Scores(
        run=trained.recorded.name,
        split=part,
        checkpoint=checkpoint,
        samples=len(getattr(first, part)),
        seeds=seeds,
        epochs=epochs,
        notes=tuple(notes),
        classes=of_seeds(classes, part, names_of(trained)),
        rows=rows,
    )


def _constant_note(trained: Trained, part: Split, seeds: Mapping[int, Mapping[str, float]]) -> str:
    """Return a note if the same answer for every sample would score as well, in the mean over seeds; otherwise ""."""
    each = []
    for seed in seeds:
        data = trained.data(seed)
        samples = getattr(data, part)
        known = ((), 0) if data.task == "regression" else class_amounts(samples, data.task, data.target_size)
        each.append(constant_scores(data.task, *known))
    names = [name for name in each[0] if all(name in values for values in seeds.values())]
    values = {name: sum(one[name] for one in seeds.values()) / len(seeds) for name in names}
    constant = {name: sum(one[name] for one in each) / len(each) for name in names}
    return sentence(no_better(values, constant), part)


def _judging(replica: Replica, part: Split) -> Samples:
    """Return the samples of the part.

    Held-out targets decide which metrics are defined; when training samples are scored, their targets decide.
    """
    parts = replica.parts
    samples = getattr(parts, part)
    assert isinstance(samples, Samples)
    if part == "train":
        replica.parts = replace(parts, validation=None, test=samples)
    return samples


@torch.no_grad()
def _sample_rows(
    replica: Replica, samples: Samples, spec: OutputSpec, names: Sequence[str], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    outputs, preactivations = forward(replica, samples)
    losses = {"loss": objective_losses(replica, outputs, samples)}
    losses |= sample_losses(replica, preactivations, samples, spec, metrics)
    counts = metric_weights(replica, samples)
    weights = {} if counts is None else {"weight": counts}
    columns = {
        **target_columns(samples.targets, replica.parts, spec, names),
        **prediction_columns(preactivations, replica.parts, spec, names),
        **{name: values.tolist() for name, values in (weights | losses).items()},
    }
    for number, identity in enumerate(samples.ids.tolist()):
        yield {"id": identity, "seed": replica.seed, **{name: values[number] for name, values in columns.items()}}


def target_columns(targets: Tensor, parts: Parts, spec: OutputSpec, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the column `target`, a class by its name or a number in original units, or a column for each target.

    Args:
        names: See `names_of`.
    """
    if spec.task == "regression":
        return _numbered("target", parts.in_original_units(targets), names)
    labels = labels_of(spec, names)
    if spec.task == "multilabel":
        return {f"target_{label}": targets[:, k].long().tolist() for k, label in enumerate(labels)}
    return {"target": [labels[index] for index in targets.long().flatten().tolist()]}


def prediction_columns(
    preactivations: Tensor, parts: Parts, spec: OutputSpec, names: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the column `prediction`: a class by its name, or a number in original units.

    Classes also have columns `p_<class>`, or `output_<class>` if the model has no probabilities.
    """
    predicted = predictions(preactivations, task=spec.task, output=spec.output, reads_as=spec.reads_as)
    if spec.task == "regression":
        return _numbered("prediction", parts.in_original_units(predicted), names)
    labels = labels_of(spec, names)
    word = "p" if gives_probabilities(spec) else "output"
    decided = decisions(preactivations, spec)
    if spec.task == "multilabel":
        columns: dict[str, list[Any]] = {
            f"prediction_{label}": decided[:, k].tolist() for k, label in enumerate(labels)
        }
    else:
        columns = {"prediction": [labels[index] for index in decided.flatten().tolist()]}
    if spec.task == "binary":
        labels = labels[1:]
    return columns | {f"{word}_{label}": predicted[:, k].tolist() for k, label in enumerate(labels)}


def decisions(preactivations: Tensor, spec: OutputSpec) -> Tensor:
    """Return the predicted class of each sample, (N,), or 0 or 1 for each label, (N, K), as accuracy counts them."""
    if spec.task == "multiclass":
        return preactivations.argmax(dim=1)
    if spec.output == "softmax":
        return (preactivations.softmax(dim=1) > 0.5).long()
    # Outputs trained towards 0 and 1 decide at 0.5, logits and margins at 0.
    plain = spec.output == "none" and spec.reads_as == "mean"
    return (preactivations > (0.5 if plain else 0)).long()


def gives_probabilities(spec: OutputSpec) -> bool:
    return spec.task != "regression" and (spec.output != "none" or spec.reads_as == "probabilities")


def names_of(trained: Trained) -> tuple[str, ...]:
    """Return the names of the classes, or of several target columns; () if they have no names."""
    data = trained.data(trained.config.seeds[0])
    columns = data.layout.targets if data.layout.columns else ()
    return data.classes or (columns if len(columns) > 1 else ())


def labels_of(spec: OutputSpec, names: Sequence[str]) -> list[str]:
    """Return the names of the classes, or their indices."""
    count = 2 if spec.task == "binary" else spec.outputs
    return list(names) or [str(number) for number in range(count)]


def _numbered(name: str, values: Tensor, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return a column for each of K values, (N, K); the names of several columns end in names or numbers."""
    count = values.shape[1]
    labels = names or range(count)
    return {f"{name}_{labels[k]}" if count > 1 else name: values[:, k].tolist() for k in range(count)}
