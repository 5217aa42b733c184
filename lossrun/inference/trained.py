"""The models of a recorded run with their weights, and the data they were trained on.

Nothing is written and no lock is taken, so a run in progress can be read as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lossrun.analysis.values.readings import lost_history
from lossrun.catalog import DataFacts
from lossrun.config import Config, from_mapping, resolve
from lossrun.data import Data, default_data_dir
from lossrun.errors import CheckpointError, UsageError
from lossrun.experiment import Experiment
from lossrun.nearby import nearest
from lossrun.records import best_weights, checkpoints, recorded
from lossrun.records.best_weights import BestWeights
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files.contents import length_of
from lossrun.records.provenance import original_data, prepared, whereabouts
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.provenance.own_source import check_copies
from lossrun.records.provenance.prepared import RecordedPreparation
from lossrun.records.provenance.saved_state import check_config, check_weights
from lossrun.records.recorded import UNVERIFIED, RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.evaluate import EVALUATION_BATCH, OutputSpec, evaluating, output_spec_of
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts, Samples
from lossrun.training import build
from lossrun.training.process import environment
from lossrun.training.process.threads import recorded_threads

BEST: Final = "best"
LAST: Final = "last"


@dataclass(frozen=True, slots=True)
class Trained:
    """A recorded run, ready to compute with.

    Attributes:
        config: Resolved, with a device that is available here.
        notes: Why the numbers may not be those of the run, bit for bit.
    """

    recorded: RecordedRun
    experiment: Experiment
    config: Config
    place: build.Workplace
    notes: tuple[str, ...]

    @property
    def facts(self) -> DataFacts:
        return self.experiment.facts

    @property
    def output_spec(self) -> OutputSpec:
        return output_spec_of(self.config, self.facts)

    def data(self, seed: int) -> Data:
        """Return the seed's data; without samples if `find_trained` was told so."""
        return self.experiment.data[seed]

    def prepared(self, seed: int) -> RecordedPreparation:
        """Return what prediction needs to know about the seed's data."""
        return prepared.of_run(self.recorded).get(seed) or RecordedPreparation.of(self.data(seed))


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A seed's replica with the weights after `epoch` and `step` (0: not known)."""

    replica: Replica
    epoch: int
    step: int


def find_trained(path: Path, data_dir: Path | None, *, with_samples: bool = True) -> Trained:
    """Read a run and its data.

    Args:
        path: The run directory.
        data_dir: The folder of the datasets; None for where the run last found them.
        with_samples: False to use only what the run itself keeps about its data, which may have changed or be missing.
            Runs of older versions keep too little, so their data are read all the same.

    Raises:
        RunError: The path is not a run, or its config is not the one that its checkpoints were saved with.
        DataError: The data are not those that the run was trained on.
    """
    run = recorded.load(path)
    run.refuse_edits()
    check_config(run, Belonging.to(run))
    last = whereabouts.environment(run)
    known = {} if with_samples else prepared.of_run(run)
    experiment = _without_samples(run, known) if known else original_data.find(run, data_dir)[1]
    reading = experiment.reading
    config, notes = _at_home(experiment.config, reading.directory)
    notes += run.warnings if run.verified else [*run.warnings, UNVERIFIED]
    if lost := lost_history(run):
        notes.append(f"{run.name} {lost}")
    code = whereabouts.code_place(run)
    if code.copied:
        check_copies(run)
        there = last.get("directory")
        notes.append(f"your own code in {there} has changed or no longer exists; the copy in {code.directory} is used")
    place = build.workplace(config, code.directory)
    # The caller computes with the run in an isolated block, at the end of which the number is the caller's again.
    torch.set_num_threads(recorded_threads(last.get("threads")))
    now = {**last, **environment.environment(place.device, reading, torch.get_num_threads())}
    different = environment.changes(dict(last), now)
    if different:
        listed = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in different.items())
        notes.append(f"the last digits may not be those of the run: {listed}")
    return Trained(run, experiment, config, place, tuple(notes))


def _without_samples(run: RecordedRun, known: Mapping[int, RecordedPreparation]) -> Experiment:
    """Return the experiment as far as it is known without reading the data."""
    directory = whereabouts.code_place(run).directory
    reading = from_mapping(run.config, directory, name=str(RunDirectory(run.path).config_path))
    facts = known[reading.config.seeds[0]].facts
    forms = {id(one.form): one.form.without_samples(reading.config.dataset.name) for one in known.values()}
    config = resolve(reading.config, facts)
    if config.loss.parameters.get("class_weights") == "balanced":
        # Balanced weights need the samples, but a prediction needs no loss.
        config = replace(config, loss=config.loss.replace(class_weights=None))
    data = {seed: forms[id(one.form)] for seed, one in known.items()}
    return Experiment(reading, config, facts, data, whereabouts.data_folder(run, default_data_dir()), ())


def model(trained: Trained, checkpoint: str = BEST, seed: int | None = None) -> TrainedModel:
    """Return one seed's model; the first seed's if none is asked for.

    Raises what `models` raises, and UsageError for a seed that the run was not trained with.
    """
    seeds = trained.config.seeds
    if seed is not None and seed not in seeds:
        listed = ", ".join(map(str, seeds))
        raise UsageError(f"--seed {seed}: {trained.recorded.name} was not trained with it; it has {listed}")
    return next(models(trained, checkpoint, [seeds[0] if seed is None else seed]))


def first_of_several(trained: Trained, seed: int | None) -> list[str]:
    """Return a note if no seed was asked for and the run has several."""
    seeds = trained.config.seeds
    if seed is not None or len(seeds) == 1:
        return []
    return [f"the model of seed {seeds[0]}, the first of {len(seeds)}; --seed chooses another"]


def models(
    trained: Trained, checkpoint: str, seeds: Sequence[int], missing: Callable[[str], None] | None = None
) -> Iterator[TrainedModel]:
    """Yield the model of each seed, one after the other.

    Args:
        checkpoint: "best", "last", or a step after which weights were saved.
        missing: Called with the reason if the weights of a seed cannot be read and there are other seeds, or if the
            last checkpoint cannot be read and there is an earlier one. Without it these are errors.

    Raises:
        UsageError: For a checkpoint that does not exist.
        CheckpointError: If weights cannot be read or do not fit.
    """
    run, config = RunDirectory(trained.recorded.path), trained.config
    state = _state(trained.recorded, checkpoint, missing)
    best = best_weights.of_run(run, trained.recorded.ledger, state) if checkpoint == BEST else {}
    shared: dict[int, Parts] = {}
    failures: list[CheckpointError] = []
    for seed in seeds:
        try:
            tensors, epoch, step = _tensors_of(run, seed, checkpoint, state, best)
        except CheckpointError as error:
            failures.append(error)
            if missing is None or len(failures) == len(seeds):
                raise failures[0] from None
            missing(str(error))
            continue
        there = sum(array.size for name, array in tensors.items() if name.startswith("model."))
        check_weights(config, trained.facts, there, run.name)
        data = trained.data(seed)
        if id(data) not in shared:
            shared = {id(data): build.parts(data, trained.place)}
        replica = build.replica(config, trained.facts, seed, shared[id(data)], trained.place)
        try:
            replica.network.load_state_dict(_under("model.", tensors))
            replica.objective.load_state_dict(_under("loss.", tensors))
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the model of {run.name}: {error}") from error
        yield TrainedModel(replica, epoch, step)


@torch.no_grad()
def forward(replica: Replica, samples: Samples) -> tuple[Tensor, Tensor]:
    """Return outputs and pre-activations, (N, K), without dropout and with the running statistics of batch norm."""
    with evaluating(replica.network):
        batches = [replica.forward(samples.scaled(batch)) for batch in torch.split(samples.inputs, EVALUATION_BATCH)]
    outputs, preactivations = zip(*batches, strict=True)
    return torch.cat(outputs), torch.cat(preactivations)


def _at_home(config: Config, directory: Path) -> tuple[Config, list[str]]:
    """Return the config with a device that is available here, and notes about it."""
    try:
        build.workplace(config, directory)
    except UsageError:
        if config.device == "cpu":
            raise
        return replace(config, device="cpu"), [f"device {config.device} is not available here; computed on the cpu"]
    return config, []


def _state(recorded: RecordedRun, checkpoint: str, missing: Callable[[str], None] | None) -> Checkpoint | None:
    """Return the requested full state.

    For the best weights it is the newest one, which holds what a loss has learned; None if no checkpoint can be read,
    because most losses learn nothing.
    """
    run, belonging = RunDirectory(recorded.path), Belonging.to(recorded)
    if checkpoint in (BEST, LAST):
        length = length_of(run.history_path)
        skipped: list[str] = []
        try:
            path, found = checkpoints.load_newest(
                run.checkpoints,
                history_length=length,
                on_skip=lambda _, why: skipped.append(why),
                problem=belonging.problem,
            )
        except CheckpointError:
            if checkpoint == LAST:
                raise
            return None
        if skipped and checkpoint == LAST:
            unreadable = f"the last checkpoint cannot be read ({'; '.join(skipped)})"
            if missing is None:
                raise CheckpointError(f"{unreadable}; {path.name} can: --checkpoint {found.metadata['step']}")
            missing(f"{unreadable}; {path.name} is used instead")
        return found
    by_step = {int(path.name.split("-")[1]): path for path in checkpoints.candidates(run.checkpoints)}
    if not checkpoint.isdecimal() or int(checkpoint) not in by_step:
        there = ", ".join(map(str, sorted(by_step)))
        near = nearest(checkpoint, [BEST, LAST])
        meant = f"; did you mean {near}?" if near else ""
        raise UsageError(
            f"--checkpoint {checkpoint}: expected best, last or a step that {run.name} has kept: {there or 'none'}"
            f"{meant}"
        )
    path = by_step[int(checkpoint)]
    found = checkpoints.read(path)
    if why := belonging.problem(found.metadata):
        raise CheckpointError(f"{path.name}: {why}")
    return found


def _tensors_of(
    run: RunDirectory, seed: int, checkpoint: str, state: Checkpoint | None, best: Mapping[int, BestWeights]
) -> tuple[dict[str, np.ndarray], int, int]:
    """Return the seed's tensors by their names in a checkpoint, and the epoch and step after which they were saved."""
    tensors: dict[str, np.ndarray] = {}
    facts: Mapping[str, Any] = {}
    if state is not None:
        facts, seeds = state.metadata, state.metadata["seeds"]
        if seed not in seeds:
            raise CheckpointError(f"the checkpoint of step {facts['step']} holds no seed {seed}, but {seeds}")
        place = seeds.index(seed)
        tensors = {
            name: array[place] if len(seeds) > 1 else array
            for name, array in state.tensors.items()
            if not name.startswith("epoch.")
        }
    if checkpoint != BEST:
        # The position of a checkpoint at the end of an epoch is the beginning of the next one.
        return tensors, facts["epoch"] - (0 if facts["epoch_samples"] else 1), facts["step"]
    if seed not in best:
        raise CheckpointError(
            f"{run.name}, seed {seed}: there are no best weights, because no epoch had a finite result; --checkpoint "
            "last uses the last saved state"
        )
    tensors = {name: array for name, array in tensors.items() if not name.startswith("model.")}
    tensors |= {f"model.{name}": array for name, array in best[seed].tensors.items()}
    return tensors, best[seed].epoch, best[seed].step


def _under(prefix: str, tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in tensors.items()
        if name.startswith(prefix)
    }
