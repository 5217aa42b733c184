"""Build replicas, try them on a batch and group them, before anything is written. `start.py` then begins the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from lossrun.catalog.declaration import Layer
from lossrun.config import Config
from lossrun.data.samples.hashing import hashes
from lossrun.errors import UsageError, memory_errors
from lossrun.experiment import Experiment
from lossrun.lint.size import how_to_need_less
from lossrun.plugins.calling import restores_current_folder
from lossrun.processes.exchange import Processes
from lossrun.records.provenance.saved_state import check_data, check_weights
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts
from lossrun.steps.seed_group import SeedGroup
from lossrun.steps.step import Step
from lossrun.training import build
from lossrun.training.grouping import Grouping, choose_grouping, may_be_side_by_side, seed_groups, training_step
from lossrun.training.preflight.first_batch import check_first_batch, check_recording, own_layers
from lossrun.training.preflight.hidden_state import check_hidden_state
from lossrun.training.process.isolation import isolated
from lossrun.training.process.threads import threads_of
from lossrun.training.starting.resumable import Resumable


@dataclass(frozen=True, slots=True)
class Prepared:
    """Replicas ready for their first step; nothing is written yet.

    Attributes:
        experiments: One for each run that is to be trained; several are a stack.
        replicas: Their seeds, run by run.
        threads: How many threads they are trained with on the CPU.
        layers: The layers of the user's own model.
        processes: The processes that train the run together, if there are several.
    """

    experiments: Sequence[Experiment]
    place: build.Workplace
    replicas: Sequence[Replica]
    grouping: Grouping
    groups: Sequence[SeedGroup]
    step: Step
    threads: int
    layers: tuple[Layer, ...] = ()
    processes: Processes | None = None

    @property
    def experiment(self) -> Experiment:
        """The first experiment, for everything that all of them share."""
        return self.experiments[0]

    @property
    def config(self) -> Config:
        return self.experiment.config


def prepare(experiment: Experiment, resumable: Resumable | None = None, processes: Processes | None = None) -> Prepared:
    """Build every seed and try one on a batch.

    `resumable`: the run to continue. `processes`: those that train it together, if there are several.

    Raises UsageError if a component cannot be built or does not fit.
    """
    return prepare_stack([experiment], resumable.environment if resumable else None, resumable, processes)


@restores_current_folder()
@isolated()
def prepare_stack(
    experiments: Sequence[Experiment],
    environment: Mapping[str, Any] | None = None,
    resumable: Resumable | None = None,
    processes: Processes | None = None,
) -> Prepared:
    """Build every seed of several runs that differ only in seeds, learning rates and weight decays.

    Args:
        environment: What was recorded when they last started, if they continue.
        resumable: The run to continue, if it is a lone run.
        processes: Those that train it together, if there are several.

    Raises UsageError if a component cannot be built or does not fit.
    """
    less = partial(how_to_need_less, experiments[0].config, experiments[0].facts)
    with memory_errors("to build the model and try a batch", less, UsageError):
        return _prepared(experiments, environment or {}, resumable, processes)


def _prepared(
    experiments: Sequence[Experiment],
    recorded: Mapping[str, Any],
    resumable: Resumable | None,
    processes: Processes | None,
) -> Prepared:
    config, facts = experiments[0].config, experiments[0].facts
    if resumable is not None and resumable.saved is not None:
        check_data(resumable.saved.metadata["data"], hashes(experiments[0].data))
        saved_weights = resumable.saved.numbers("model.") // len(config.seeds)
        check_weights(config, facts, saved_weights, resumable.run.name)
    place = build.workplace(config, experiments[0].reading.directory, processes)
    shared: dict[int, Parts] = {}
    replicas: list[Replica] = []
    for experiment in experiments:
        for seed, data in experiment.data.items():
            if id(data) not in shared:
                shared[id(data)] = build.parts(data, place)
            replicas.append(build.replica(experiment.config, facts, seed, shared[id(data)], place))
    # If each seed has its own split, a metric may be defined for the targets of one seed and not for those of another.
    for replica in {id(replica.parts): replica for replica in reversed(replicas)}.values():
        check_first_batch(replica, config, facts)
    if not recorded:  # a resumed run was tried when it began
        first = next(iter(experiments[0].data))
        check_hidden_state(lambda: build.replica(config, facts, first, replicas[0].parts, place), config)
    layers = tuple(own_layers(replicas[0], config))
    stops_anew = resumable is not None and resumable.changes_early_stopping
    configs = [experiment.config for experiment in experiments]
    grouping = choose_grouping(configs, facts, replicas, place, recorded.get("chunks"), stops_anew=stops_anew)
    groups = seed_groups(grouping, replicas, config, place)
    if grouping.recorder and (config.model.is_plugin or config.loss.is_plugin):
        check_recording(groups[0], grouping.recorder, config)
    own_code = any(choice.is_plugin for choice in (config.model, config.loss, config.optimizer))
    draws = own_code or replicas[0].draws
    apart = len(groups) if may_be_side_by_side(grouping, place, own_randomness=draws) else 1
    threads = threads_of(config, facts, max(grouping.sizes), recorded.get("threads"), seeds_apart=apart)
    at_once = min(apart, torch.get_num_threads()) if threads == 1 else 1
    step = training_step(grouping, groups, own_randomness=draws, own_code=own_code, at_once=at_once)
    return Prepared(experiments, place, replicas, grouping, groups, step, threads, layers, processes)
