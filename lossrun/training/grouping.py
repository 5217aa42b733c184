"""Choose which seeds are trained together, and by which kind of step.

The choice depends on rules, never on timing, and is written into run.json, so that a resumed run computes in the same
way as its first part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from lossrun.catalog import DataFacts
from lossrun.catalog.schedules import waits_for_results
from lossrun.config import Config
from lossrun.errors import UsageError
from lossrun.lint.stacking import even_sizes, why_not_stacked
from lossrun.replay import pools
from lossrun.replay.batch_last import BatchLast, suits
from lossrun.replay.cuda_graph import Captured
from lossrun.replay.products import faster_product
from lossrun.replay.recorded_step import RecordedStep
from lossrun.replay.recording import Decompose, Recording
from lossrun.steps.pooled_samples import may_be_pooled
from lossrun.steps.recorder import Recorder
from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import LoneSeed, SeedGroup
from lossrun.steps.seed_stack import SeedStack
from lossrun.steps.shared_batch import SharedSeed
from lossrun.steps.shared_layers import has_batch_norm, share_layers
from lossrun.steps.side_by_side import SideBySide
from lossrun.steps.step import EagerStep, InTurn, Step
from lossrun.torch_internals import can_record
from lossrun.training import build
from lossrun.training.process import memory

# Bytes of a training step of one seed. Larger steps are not recorded: only their arithmetic takes time, and a recording
# would keep memory that the eager step frees.
LARGEST_RECORDED_STEP: Final = 2**30


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which seeds are trained together, and how their steps are recorded.

    Attributes:
        sizes: Number of seeds in each seed group, in the order of the seeds.
        why_one_by_one: Why several seeds are not stacked; empty if they are, or if there is only one seed.
        recorder: Records the steps; None for eager steps.
        own_rates: Whether each seed of a stack has its own learning rate and weight decay.
        limited: Whether more seeds would be stacked if there were more memory.
    """

    sizes: tuple[int, ...]
    why_one_by_one: str
    recorder: Recorder | None
    own_rates: bool = False
    limited: bool = False


def choose_grouping(
    configs: Sequence[Config],
    facts: DataFacts,
    replicas: Sequence[Replica],
    place: build.Workplace,
    recorded: Sequence[int] | None,
    *,
    stops_anew: bool,
) -> Grouping:
    """Choose the seed groups and the kind of step.

    Args:
        configs: Of the runs that are trained; several are a stack.
        recorded: The sizes of the seed groups that they were started in.
        stops_anew: Whether seeds that early stopping has stopped may continue.
    """
    config, own_rates = configs[0], have_own_rates(configs)
    batch_size = config.samples_per_step(facts.train)
    if place.share and batch_size < place.share.processes:
        raise UsageError(
            f"batch_size: {place.share.processes} processes cannot share {batch_size} samples; use a larger batch, or "
            "fewer processes"
        )
    recorder = _recorder(config, facts, replicas, place, batch_size)
    why_one_by_one = _why_not_stacked(config, facts, replicas, place, own_rates=own_rates) if len(replicas) > 1 else ""
    if not why_one_by_one and len(replicas) > 1 and stops_anew:
        # A stack has a single count of steps, with which adam and similar optimizers correct their averages.
        why_one_by_one = "seeds that had stopped continue from different steps"
    if why_one_by_one or len(replicas) == 1:
        return Grouping((1,) * len(replicas), why_one_by_one, recorder)
    if recorded is not None and sum(recorded) == len(replicas):
        return Grouping(tuple(recorded), "as before" if max(recorded) == 1 else "", recorder, own_rates)
    room = memory.available(place.device) // memory.of_one_seed(replicas[0], config, facts, batch_size)
    if room < 2:
        return Grouping((1,) * len(replicas), "memory for one at a time", recorder)
    together = _together(replicas)
    sizes = [size for count in together for size in even_sizes(count, room)]
    return Grouping(tuple(sizes), "", recorder, own_rates, limited=max(together) > room)


def _together(replicas: Sequence[Replica]) -> list[int]:
    """Return how many consecutive replicas may be computed as one: all, or those that share their data."""
    if may_be_pooled(replicas):
        return [len(replicas)]
    return [len(list(same)) for _, same in groupby(replicas, lambda replica: id(replica.parts))]


def have_own_rates(configs: Sequence[Config]) -> bool:
    """Return whether seeds of these runs may take the same step at different learning rates or weight decays."""
    if waits_for_results(configs[0].schedule.name):
        return True
    return len({(each.learning_rate, each.optimizer.parameters.get("weight_decay")) for each in configs}) > 1


def seed_groups(
    grouping: Grouping, replicas: Sequence[Replica], config: Config, place: build.Workplace
) -> list[SeedGroup]:
    """Put each group of replicas into a `SeedStack`, or into a `LoneSeed` if seeds are trained one by one."""
    groups: list[SeedGroup] = []
    first = 0
    for size in grouping.sizes:
        members = replicas[first : first + size]
        first += size
        if place.share:
            share_layers(members[0].network, place.share)
            groups.append(SharedSeed(members[0], place.share))
        elif grouping.why_one_by_one or len(replicas) == 1:
            groups.append(LoneSeed(members[0]))
        else:
            own_rates = grouping.own_rates
            groups.append(SeedStack(members, lambda some: build.optimizer(config, some, place), own_rates=own_rates))
    return groups


def may_be_side_by_side(grouping: Grouping, place: build.Workplace, *, own_randomness: bool) -> bool:
    """Return whether seeds that are not stacked may be trained at the same time: they share nothing that changes."""
    apart = grouping.recorder is not None and grouping.recorder.apart is not None
    return not own_randomness and apart and len(grouping.sizes) > 1 and max(grouping.sizes) == 1 and not place.share


def training_step(
    grouping: Grouping, groups: Sequence[SeedGroup], *, own_randomness: bool, own_code: bool, at_once: int
) -> Step:
    """Build the step that trains these groups.

    Args:
        own_randomness: Whether steps draw random numbers, or may do so.
        own_code: Whether they run code of the user's.
        at_once: How many groups to train at the same time.
    """
    if at_once > 1 and grouping.recorder and grouping.recorder.apart:
        # The steps of one thread share a recorder, and so its memory.
        recorders = [grouping.recorder.apart() for _ in range(at_once)]
        apart = [RecordedStep(group, recorders[place % at_once]) for place, group in enumerate(groups)]
        return SideBySide(apart, groups, at_once)
    steps: list[Step] = [
        EagerStep(group) if grouping.recorder is None else RecordedStep(group, grouping.recorder) for group in groups
    ]
    return steps[0] if len(steps) == 1 else InTurn(steps, groups, own_randomness=own_randomness, own_code=own_code)


def _recorder(
    config: Config, facts: DataFacts, replicas: Sequence[Replica], place: build.Workplace, batch_size: int
) -> Recorder | None:
    """Return how steps are recorded; None if they are not."""
    if config.step == "eager" or place.device.type not in ("cpu", "cuda"):
        return None
    if place.share and (why := _why_not_recorded_in_parts(config, replicas)):
        if config.step == "recorded":
            raise UsageError(f"step: recorded is not supported in several processes with {why}; leave step out")
        return None
    if config.model.is_plugin or config.loss.is_plugin:
        # The user's code may do anything, such as read values or count its calls, so it is recorded only on request.
        if config.step != "recorded":
            return None
    elif memory.of_a_step(config, facts, batch_size, replicas[0].weights[0].element_size()) > LARGEST_RECORDED_STEP:
        return None
    if place.device.type == "cpu" and not can_record():
        return None
    if place.device.type == "cuda":
        warmed = partial(Captured, warm_up=3)
        return Recorder("captured", warmed, partial(Captured, warm_up=0), warmed, None)
    # All recordings of a recorder share one pool of memory, because they are replayed one after the other.
    networks = [replica.network for replica in replicas]
    turned = not config.model.is_plugin and not config.loss.is_plugin and suits(networks[0], batch_size)

    def decompose() -> Decompose:
        return BatchLast(networks).decomposed if turned else pools.decomposed

    def recorder() -> Recorder:
        exact = partial(Recording, pool=[])
        record = partial(exact, substitute=faster_product, decompose=decompose)
        # A deferred descent writes no gradients, so processes could not add them up.
        return Recorder("recorded", record, record, exact, None if place.share else record, recorder)

    return recorder()


def _why_not_recorded_in_parts(config: Config, replicas: Sequence[Replica]) -> str:
    """Return why steps whose batches several processes share cannot be recorded; empty if they can."""
    if config.model.is_plugin or config.loss.is_plugin:
        return "a model or a loss of your own"
    return "batch norm" if has_batch_norm(replicas[0].network) else ""


def _why_not_stacked(
    config: Config, facts: DataFacts, replicas: Sequence[Replica], place: build.Workplace, *, own_rates: bool
) -> str:
    """Return why these seeds must be trained one after the other; empty if they may be stacked."""
    if place.share:
        return "several processes share each batch"
    reason = why_not_stacked(config, facts, own_rates=own_rates, on_gpu=place.device.type == "cuda")
    if not reason and max(_together(replicas)) == 1:
        return "each seed has its own split, and these cannot be computed as one"
    return reason
